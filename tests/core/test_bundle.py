import contextlib
import hashlib
import json
import os
import subprocess
import sys
import textwrap
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from glimpse3d import pictures
from glimpse3d.errors import BadFile, Cancelled, DiskFull, InvalidSettings, OutputFailed
from glimpse3d.export import bundle
from glimpse3d.formats import cameras, manifest, splat_ply
from glimpse3d.progress import Progress, Report
from glimpse3d.settings import TurntableSettings
from glimpse3d.types import Image, Prompt, Result
from tests.results import box, result, small_settings, splats

ROOT = Path(__file__).parents[2]
ALWAYS = {
    "cameras.json", "cutout.png", "input.png", "manifest.json", "mesh.glb", "preview.png",
    "splats.ply", "turntable.mp4",
}  # fmt: skip


def everything() -> Result:
    """A result with all that a folder can hold."""
    settings = small_settings(formats=("obj", "stl"), options={"grabcut": {"rounds": 3}})
    made = result(settings, views=2)
    mask = np.full((made.input.height, made.input.width), 128, np.uint8)
    mask[:9], mask[20:40, 30:60] = 0, 255
    return replace(made, prompt=Prompt((3.5, 4.0, 90.0, 120.25), mask))


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle") / "out"
    bundle.save(everything(), folder, Progress())
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_a_folder_holds_what_was_asked_for(tmp_path: Path) -> None:
    paths = bundle.save(result(), tmp_path / "out", Progress())
    assert {path.name for path in paths} == ALWAYS
    assert {path.name for path in (tmp_path / "out").iterdir()} == ALWAYS
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_holds_all_that_there_is(saved: Path) -> None:
    more = {
        "mask.png",
        "mesh.obj",
        "mesh.mtl",
        "mesh.png",
        "mesh.stl",
        "view_00.png",
        "view_01.png",
    }
    assert {path.name for path in saved.iterdir()} == ALWAYS | more


def test_what_was_written_reads_back(saved: Path) -> None:
    made = everything()
    rig = cameras.read(saved / "cameras.json")
    assert np.array_equal(rig.input.camera_from_world, made.camera.camera_from_world)
    assert len(rig.turntable) == 6 and len(rig.views) == 2 and rig.fps == 12
    assert np.allclose(splat_ply.read(saved / "splats.ply").means, splats().means, atol=1e-6)
    assert np.array_equal(pictures.read(saved / "cutout.png").rgba, made.cutout.rgba)
    assert np.array_equal(pictures.read(saved / "view_01.png").rgba, made.views[1].image.rgba)
    assert pictures.read(saved / "preview.png").width == 1600


def test_the_manifest_tells_sizes_and_hashes(saved: Path) -> None:
    about = manifest.read(saved / "manifest.json")
    assert set(about.files) | {"manifest.json"} == {path.name for path in saved.iterdir()}
    for name, entry in about.files.items():
        data = (saved / name).read_bytes()
        assert (entry.bytes, entry.sha256) == (len(data), hashlib.sha256(data).hexdigest())


def test_the_manifest_tells_how_it_was_made(saved: Path) -> None:
    about, made = manifest.read(saved / "manifest.json"), everything()
    assert about.choices == {**made.choices, "turntable": bundle.DRAWN_BY}
    assert about.timings["matte"] == made.timings["matte"]
    assert about.timings["turntable"].cpu_seconds > 0
    assert {"python", "numpy", "imageio-ffmpeg"} <= set(about.versions)
    assert about.object.size == pytest.approx((0.6, 0.4, 1.0))
    assert (about.object.faces, about.object.gaussians) == (12, 600)
    age = datetime.now(UTC) - datetime.fromisoformat(about.created)
    assert 0 <= age.total_seconds() < 600


def test_a_request_comes_back_whole(saved: Path) -> None:
    request, made = bundle.load_request(saved / "manifest.json"), everything()
    assert np.array_equal(request.image.rgba, made.input.rgba)
    assert request.prompt.box == made.prompt.box
    assert request.prompt.mask is not None and made.prompt.mask is not None
    assert np.array_equal(request.prompt.mask, made.prompt.mask)
    assert request.settings == made.settings


def test_a_request_without_box_and_mask_and_with_alpha(tmp_path: Path) -> None:
    made = result()
    transparent = replace(made, input=made.cutout)
    bundle.save(transparent, tmp_path / "out", Progress())
    request = bundle.load_request(tmp_path / "out" / "manifest.json")
    assert request.prompt.box is None and request.prompt.mask is None
    assert np.array_equal(request.image.rgba, made.cutout.rgba)


@pytest.mark.parametrize("name", ["input.png", "mask.png"])
@pytest.mark.parametrize("harm", ["changed", "gone"])
def test_a_request_whose_picture_was_tampered_with_is_refused(
    name: str, harm: str, saved: Path, tmp_path: Path
) -> None:
    for path in ("input.png", "mask.png", "manifest.json"):
        (tmp_path / path).write_bytes((saved / path).read_bytes())
    if harm == "gone":
        (tmp_path / name).unlink()
    else:
        pictures.write_png(Image(np.full((128, 96, 4), 9, np.uint8)), tmp_path / name)
    with pytest.raises(BadFile, match=name):
        bundle.load_request(tmp_path / "manifest.json")


def test_the_same_result_gives_the_same_bytes(saved: Path, tmp_path: Path) -> None:
    bundle.save(everything(), tmp_path / "out", Progress())
    first, second = contents(saved), contents(tmp_path / "out")
    told = [json.loads(each.pop("manifest.json")) for each in (first, second)]
    assert first == second
    for each in told:  # what differs between runs is when it was and how long it took
        del each["created"], each["timings"]
    assert told[0] == told[1]


def test_progress_rises_to_one_and_names_the_turntable(tmp_path: Path) -> None:
    seen: list[Report] = []
    bundle.save(result(), tmp_path / "out", Progress(seen.append))
    fractions = [report.fraction for report in seen]
    assert fractions == sorted(fractions) and fractions[-1] == pytest.approx(1)
    assert {report.stage for report in seen} == {"files", "turntable", "preview"}


@pytest.mark.parametrize(
    ("stage", "error"),
    [("files", Cancelled), ("turntable", KeyboardInterrupt), ("preview", ValueError)],
)
def test_stopping_anywhere_leaves_the_former_result(
    stage: str, error: type[BaseException], saved: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    for name, data in contents(saved).items():
        (out / name).write_bytes(data)
    (out / "notes.txt").write_text("mine")
    untouched = contents(out)

    def stop(report: Report) -> None:
        if report.stage == stage:
            raise error

    with pytest.raises(error):
        bundle.save(result(), out, Progress(stop))
    assert contents(out) == untouched
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_result_that_cannot_be_written_leaves_nothing(tmp_path: Path) -> None:
    broken = replace(result(), turntable=())
    with pytest.raises(Exception, match="cameras"):
        bundle.save(broken, tmp_path / "deep" / "out", Progress())
    assert list(tmp_path.iterdir()) == []


def test_saving_again_replaces_and_keeps_what_is_not_ours(tmp_path: Path) -> None:
    out = tmp_path / "out"
    bundle.save(everything(), out, Progress())
    (out / "scene.blend").write_bytes(b"mine")
    bundle.save(result(), out, Progress())
    assert {path.name for path in out.iterdir()} == ALWAYS | {"scene.blend"}
    assert (out / "scene.blend").read_bytes() == b"mine"


SAVE = """
    import resource, sys
    from pathlib import Path
    from glimpse3d.errors import Glimpse3DError
    from glimpse3d.export import bundle
    from glimpse3d.progress import Progress
    from tests.core.test_bundle import few_splats
    limit = int(sys.argv[2])
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        bundle.save(few_splats(), Path(sys.argv[1]), Progress())
    except Glimpse3DError as error:
        sys.exit(f"{error.code}|{error.message}|{error.hint}")
"""


def save_elsewhere(folder: Path, limit: int = 0) -> tuple[int, list[str]]:
    """Exit code, and what was said, of a process that may write files of ``limit`` bytes."""
    command = [sys.executable, "-c", textwrap.dedent(SAVE), str(folder), str(limit)]
    said = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return said.returncode, said.stderr.strip().split("|")


def few_splats() -> Result:
    """So few that the video is larger than they are, and the preview larger than that."""
    settings = replace(small_settings(), turntable=TurntableSettings(6, 12, resolution=160))
    return replace(result(settings), gaussians=splats(8))


@pytest.mark.skipif(os.name == "nt", reason="needs POSIX limits")
@pytest.mark.parametrize("victim", ["cameras.json", "turntable.mp4", "preview.png"])
def test_a_quota_is_a_full_disk(victim: str, tmp_path: Path) -> None:
    """A limit on file sizes stands in for a quota; it is set so that ``victim`` hits it first."""
    out = tmp_path / "out"
    bundle.save(few_splats(), out, Progress())
    sizes = {path.name: path.stat().st_size for path in out.iterdir()}
    order = ["input.png", "cutout.png", "mesh.glb", "splats.ply", "cameras.json", "turntable.mp4"]
    before = max(sizes[name] for name in order[: (*order, victim).index(victim)])
    assert sizes[victim] > before
    untouched = contents(out)
    code, (kind, message, hint) = save_elsewhere(out, (before + sizes[victim]) // 2)
    assert (code, kind) == (1, "disk_full"), message
    assert hint and "Traceback" not in message
    assert contents(out) == untouched
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@contextlib.contextmanager
def small_disk(place: Path, size: int) -> Iterator[Path]:
    """A file system of ``size`` bytes; needs to be root on Linux."""
    place.mkdir()
    options = ["-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)]
    if not sys.platform.startswith("linux") or os.getuid() != 0:
        pytest.skip("only root on Linux can mount a small disk")
    said = subprocess.run(["mount", *options], capture_output=True, text=True, check=False)
    if said.returncode:
        pytest.skip(f"this machine does not mount a tmpfs: {said.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", str(place)], check=True)


@pytest.mark.parametrize("room", [12, 48, 200], ids="{}k".format)
def test_a_full_disk_leaves_nothing(room: int, tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 1024 * room) as disk:
        with pytest.raises(DiskFull) as caught:
            bundle.save(result(), disk / "deep" / "out", Progress())
        assert caught.value.hint
        assert list(disk.iterdir()) == []


def test_a_full_disk_leaves_a_former_result(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", 2**20) as disk:
        bundle.save(result(), disk / "out", Progress())
        ballast = 2**20 - sum(path.stat().st_size for path in (disk / "out").iterdir())
        (disk / "ballast").write_bytes(bytes(max(0, ballast - 200 * 1024)))
        untouched = contents(disk / "out")
        with pytest.raises(DiskFull):
            bundle.save(result(), disk / "out", Progress())
        assert contents(disk / "out") == untouched
        assert sorted(path.name for path in disk.iterdir()) == ["ballast", "out"]


def test_a_disk_itself_is_no_target(tmp_path: Path) -> None:
    with (
        small_disk(tmp_path / "disk", 2**20) as disk,
        pytest.raises(OutputFailed, match="a disk") as caught,
    ):
        bundle.check_target(disk)
    assert str(disk / "result") in caught.value.hint


def test_a_zip_is_flat_whole_and_the_same_each_time(saved: Path, tmp_path: Path) -> None:
    first = bundle.zip_folder(saved, tmp_path / "one.zip")
    second = bundle.zip_folder(saved, tmp_path / "two.zip")
    assert first == tmp_path / "one.zip"
    assert first.read_bytes() == second.read_bytes()
    with zipfile.ZipFile(first) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == contents(saved)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["one.zip", "two.zip"]


def test_a_zip_holds_only_what_is_ours(tmp_path: Path) -> None:
    bundle.save(result(), tmp_path / "out", Progress())
    (tmp_path / "out" / "diary.txt").write_text("mine")
    with zipfile.ZipFile(bundle.zip_folder(tmp_path / "out", tmp_path / "out.zip")) as archive:
        assert set(archive.namelist()) == ALWAYS
    (tmp_path / "out" / "mesh.glb").unlink()
    former = (tmp_path / "out.zip").read_bytes()
    with pytest.raises(BadFile, match=r"mesh\.glb"):
        bundle.zip_folder(tmp_path / "out", tmp_path / "out.zip")
    assert (tmp_path / "out.zip").read_bytes() == former


def test_settings_of_another_time_are_refused(saved: Path, tmp_path: Path) -> None:
    value: dict[str, Any] = json.loads((saved / "manifest.json").read_bytes())
    for name in ("input.png", "mask.png"):
        (tmp_path / name).write_bytes((saved / name).read_bytes())
    value["settings"]["hair"] = "curly"
    (tmp_path / "manifest.json").write_text(json.dumps(value))
    with pytest.raises(InvalidSettings, match="hair"):
        bundle.load_request(tmp_path / "manifest.json")


def test_the_box_of_the_fixture_is_what_it_says() -> None:
    assert np.ptp(box().vertices, axis=0) == pytest.approx([0.6, 0.4, 1.0])
