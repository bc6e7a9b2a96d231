import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from glimpse3d.errors import BadFile, InvalidData
from glimpse3d.formats import manifest
from glimpse3d.formats.manifest import FileEntry, Manifest, ObjectFacts
from glimpse3d.settings import from_dict, preset, to_dict
from glimpse3d.types import Choice, Timing
from tests.core.test_cameras import change

ENTRY = FileEntry(1234, "0123456789abcdef" * 4)


def example() -> Manifest:
    return Manifest(
        generator="Glimpse3D 0.1.0",
        created="2026-02-03T04:05:06Z",
        object=ObjectFacts(10_000, 5_321, 30_000, (0.3, 0.2, 1.0), "+Z up"),
        input="input.png",
        settings=to_dict(preset("high", size=0.3, options={"grabcut": {"rounds": 3}})),
        box=(1.5, 2.0, 30.0, 40.25),
        mask="mask.png",
        choices={"matte": Choice("auto", "grabcut", "no weights are here")},
        timings={"matte": Timing(0.1, 0.2)},
        versions={"python": "3.11.7", "numpy": "2.4.6"},
        files={"input.png": ENTRY, "mask.png": ENTRY, "mesh.glb": ENTRY},
    )


def plain(**changes: Any) -> dict[str, Any]:
    value: dict[str, Any] = json.loads(manifest.to_bytes(dataclasses.replace(example(), **changes)))
    return value


def test_it_comes_back_whole() -> None:
    data = manifest.to_bytes(example())
    back = manifest.from_bytes(data)
    assert dataclasses.asdict(back) == dataclasses.asdict(example())
    assert manifest.to_bytes(back) == data


def test_without_box_and_mask() -> None:
    back = manifest.from_bytes(json.dumps(plain(box=None, mask=None)).encode())
    assert back.box is None and back.mask is None


def test_settings_come_back_as_they_were() -> None:
    settings = preset("high", size=0.3, formats=("glb", "stl"), turntable={"frames": 7})
    data = manifest.to_bytes(dataclasses.replace(example(), settings=to_dict(settings)))
    assert from_dict(manifest.from_bytes(data).settings) == settings


@pytest.mark.parametrize(
    "name",
    ["../x", "a/b", "a\\b", "/etc/passwd", "C:x", "..", ".", "", ".hidden", "x.", "con",
     "Con.png", "lpt1.txt", "a\0b", "a\nb", "naïve", "a" * 101, "manifest.json",
     "Manifest.JSON", "-rf", "a b"],
)  # fmt: skip
def test_names_that_leave_the_folder_or_surprise_are_refused(name: str) -> None:
    value = plain()
    value["files"][name] = {"bytes": 1, "sha256": ENTRY.sha256}
    with pytest.raises(BadFile):
        manifest.from_bytes(json.dumps(value).encode())


HOSTILE: dict[str, Callable[[dict[str, Any]], None]] = {
    "later format": change("format", 99),
    "format true": change("format", True),
    "no settings": change("settings", None),
    "settings a list": change("settings", []),
    "generator a number": change("generator", 3),
    "generator long": change("generator", "x" * 5000),
    "time": change("created", "yesterday"),
    "time without zone": change("created", "2026-02-03T04:05:06"),
    "time elsewhere": change("created", "2026-02-03T04:05:06+02:00"),
    "faces negative": change("object/faces", -1),
    "faces huge": change("object/faces", 2**60),
    "size of two": change("object/size", [1.0, 2.0]),
    "size negative": change("object/size", [1.0, 2.0, -3.0]),
    "box of three": change("prompt/box", [1, 2, 3]),
    "box empty": change("prompt/box", [5, 5, 5, 9]),
    "box text": change("prompt/box", ["1", "2", "3", "4"]),
    "mask not listed": change("prompt/mask", "other.png"),
    "mask outside": change("prompt/mask", "../mask.png"),
    "input missing": change("files/input.png", None),
    "choice a text": change("choices/matte", "grabcut"),
    "choice lacks why": change("choices/matte/why", None),
    "timing negative": change("timings/matte/wall_seconds", -1),
    "version a number": change("versions/numpy", 2),
    "bytes a fraction": change("files/mesh.glb/bytes", 1.5),
    "bytes negative": change("files/mesh.glb/bytes", -1),
    "bytes true": change("files/mesh.glb/bytes", True),
    "hash short": change("files/mesh.glb/sha256", "abc"),
    "hash upper": change("files/mesh.glb/sha256", "A" * 64),
    "case twins": change("files/MESH.glb", {"bytes": 1, "sha256": "0" * 64}),
    "too many files": lambda value: value["files"].update(
        {f"f{i}": {"bytes": 1, "sha256": "0" * 64} for i in range(2000)}
    ),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_malformed_manifest_is_refused(case: str) -> None:
    value = plain()
    HOSTILE[case](value)
    with pytest.raises(BadFile):
        manifest.from_bytes(json.dumps(value).encode())


def test_a_large_file_is_not_even_read(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    with path.open("wb") as file:
        file.truncate(2**40)  # a hole: it takes no room
    with pytest.raises(BadFile, match="more than"):
        manifest.read(path)


def test_what_could_not_be_read_is_not_written() -> None:
    with pytest.raises(InvalidData):
        manifest.to_bytes(dataclasses.replace(example(), input="other.png"))
