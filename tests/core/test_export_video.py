import gc
import os
import stat
import subprocess
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import imageio_ffmpeg
import numpy as np
import pytest

from glimpse3d import coords
from glimpse3d.errors import BackendUnavailable, Cancelled, InvalidData, OutputFailed
from glimpse3d.export.video import write_turntable
from glimpse3d.progress import Progress, Report
from glimpse3d.splats.from_mesh import gaussians_from_mesh
from glimpse3d.splats.render import RenderSettings, render
from glimpse3d.types import Camera
from tests.results import box, splats

LENS = coords.Lens.from_field_of_view(40, 96, 64)


def cameras(count: int = 7) -> list[Camera]:
    return coords.orbit([360 / count * k for k in range(count)], 15, 2.2, LENS)


def decode(path: Path, width: int = 96, height: int = 64) -> tuple[dict[str, Any], np.ndarray]:
    """What imageio-ffmpeg says about a video, and its frames (N, H, W, 3)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # it leaves its pipes to the collector
        about, *frames = imageio_ffmpeg.read_frames(str(path))
        gc.collect()
    return about, np.frombuffer(b"".join(frames), np.uint8).reshape(-1, height, width, 3)


def psnr(first: np.ndarray, second: np.ndarray) -> float:
    error = np.mean((first.astype(float) - second) ** 2)
    return float(10 * np.log10(255**2 / error))


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("video") / "turntable.mp4"
    write_turntable(splats(400), cameras(), 12, path, Progress())
    return path


def test_it_reads_back_frame_by_frame(video: Path) -> None:
    about, frames = decode(video)
    assert about["codec"] == "h264" and about["pix_fmt"].startswith("yuv420p")
    assert about["size"] == (96, 64) and about["fps"] == 12
    assert len(frames) == 7
    white = RenderSettings(background=(1.0, 1.0, 1.0))
    drawn = [render(splats(400), camera, white).image().rgba[..., :3] for camera in cameras()]
    for frame, picture in zip(frames, drawn, strict=True):
        assert psnr(frame, picture) > 30
    # A turntable turns: each frame is most like its own picture, not a neighbour's.
    assert [int(np.argmax([psnr(f, d) for d in drawn])) for f in frames] == list(range(7))
    assert abs(float(frames[0][:4].mean()) - 255) < 2


def test_colours_are_not_shifted_by_the_codec(video: Path) -> None:
    """The matrix that the file names is the one that was used: a mix-up costs 10 levels."""
    picture = decode(video)[1][0]
    white = RenderSettings(background=(1.0, 1.0, 1.0))
    drawn = render(splats(400), cameras()[0], white).image().rgba[..., :3]
    assert np.abs(picture.mean(axis=(0, 1)) - drawn.mean(axis=(0, 1))).max() < 2


def test_players_are_told_which_colours_these_are(video: Path) -> None:
    program = imageio_ffmpeg.get_ffmpeg_exe()
    said = subprocess.run([program, "-i", str(video)], capture_output=True, text=True, check=False)
    assert "yuv420p(tv, bt709/bt709/iec61966-2-1" in said.stderr


def test_the_file_starts_with_its_index(video: Path) -> None:
    data = video.read_bytes()
    assert data.index(b"moov") < data.index(b"mdat")  # so that it plays while it loads


def test_same_bytes_again(video: Path, tmp_path: Path) -> None:
    write_turntable(splats(400), cameras(), 12, tmp_path / "again.mp4", Progress())
    assert (tmp_path / "again.mp4").read_bytes() == video.read_bytes()


def test_the_background_is_chosen(tmp_path: Path) -> None:
    black = (0.0, 0.0, 0.0)
    write_turntable(splats(), cameras(2), 12, tmp_path / "v.mp4", Progress(), black)
    assert decode(tmp_path / "v.mp4")[1][0, :4].max() < 8


def test_every_frame_is_reported_and_cancelling_leaves_nothing(tmp_path: Path) -> None:
    seen: list[Report] = []
    progress = Progress(seen.append, lambda: len(seen) == 4)
    with pytest.raises(Cancelled):
        write_turntable(splats(), cameras(), 12, tmp_path / "v.mp4", progress)
    assert [round(report.fraction * 7) for report in seen] == [0, 1, 2, 3]
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_leaves_neither_file_nor_encoder(tmp_path: Path) -> None:
    def stop(report: Report) -> None:
        if report.fraction > 0.5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_turntable(splats(), cameras(), 12, tmp_path / "v.mp4", Progress(stop))
    assert list(tmp_path.iterdir()) == []
    if Path("/proc").is_dir():
        children = Path(f"/proc/{os.getpid()}/task/{os.getpid()}/children").read_text().split()
        names = [Path(f"/proc/{child}/comm").read_text() for child in children]
        assert not any("ffmpeg" in name for name in names)


def test_sizes_that_no_video_has_are_refused(tmp_path: Path) -> None:
    odd = replace(cameras(1)[0], width=95)
    for wrong in ([], [odd], [*cameras(1), odd]):
        with pytest.raises(InvalidData):
            write_turntable(splats(), wrong, 12, tmp_path / "v.mp4", Progress())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a script with a shebang")
def test_an_encoder_that_dies_is_an_error_with_its_last_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ffmpeg"
    program.write_text("#!/bin/sh\necho first >&2\necho 'the codec is gone' >&2\nexit 1\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(program))
    with pytest.raises(OutputFailed, match="the codec is gone"):
        write_turntable(splats(), cameras(), 12, tmp_path / "v.mp4", Progress())
    assert not (tmp_path / "v.mp4").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows knows no execute permission")
def test_an_encoder_that_does_not_start_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "ffmpeg").write_text("no program")
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", str(tmp_path / "ffmpeg"))
    with pytest.raises(BackendUnavailable):
        write_turntable(splats(), cameras(), 12, tmp_path / "v.mp4", Progress())
    assert not (tmp_path / "v.mp4").exists()


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputFailed):
        write_turntable(splats(), cameras(), 12, tmp_path / "nowhere" / "v.mp4", Progress())


@pytest.mark.slow
def test_a_turn_of_many_splats_takes_seconds(tmp_path: Path) -> None:
    cloud = gaussians_from_mesh(box(), 100_000, 0, Progress())
    lens = coords.Lens.from_field_of_view(40, 512, 512)
    turn = coords.orbit([3.0 * k for k in range(120)], 15, 2.2, lens)
    write_turntable(cloud, turn[:1], 30, tmp_path / "warm.mp4", Progress())
    before = os.times()
    write_turntable(cloud, turn, 30, tmp_path / "turn.mp4", Progress())
    spent = sum(after - start for after, start in zip(os.times()[:4], before[:4], strict=True))
    assert spent < 20  # CPU seconds, the encoder's included
    _, frames = decode(tmp_path / "turn.mp4", 512, 512)
    assert len(frames) == 120
