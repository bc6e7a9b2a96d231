"""``manifest.json``: what a result's folder holds, how it was made, and what makes it again.

Owns the file's layout and its checks. Must not know how files are written, nor what a setting
means: settings travel as a plain map. Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import BadFile, InvalidData
from ..types import Choice, Timing
from .plain_json import decode, encode, member, read_limited

NAME = "manifest.json"
FORMAT = 1
MAX_BYTES = 2**20
MAX_ENTRIES = 1000
MAX_TEXT = 2000
MAX_FILE_BYTES = 2**40

_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")
_DEVICE = re.compile(r"(con|prn|aux|nul|com[0-9]|lpt[0-9])(\..*)?", re.IGNORECASE)
_SHA256 = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the result: its length in bytes and its SHA-256 in lower-case hex."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True)
class ObjectFacts:
    """The object in numbers.

    Attributes:
        faces, vertices, gaussians: how many.
        size: width, depth and height (x, y, z of the house frame) in metres.
        frame: the house frame in words.
    """

    faces: int
    vertices: int
    gaussians: int
    size: tuple[float, float, float]
    frame: str


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """Everything about a result but its data.

    Attributes:
        generator: name and version of the program.
        created: ISO 8601, UTC, such as ``2026-01-31T12:00:00Z``.
        object: the object in numbers.
        input: file name of the picture as given; one of ``files``.
        box: left, top, right, bottom in pixels of the picture, or None.
        mask: file name of the painted mask, one of ``files``, or None.
        settings: as ``settings.to_dict`` gives them.
        choices: stage -> what was asked for and what ran.
        timings: stage -> seconds.
        estimates: what was found or assumed about the picture, numbers by name; see
            ``types.Reconstruction``. Absent in older files.
        warnings: sentences for people. Absent in older files.
        versions: package -> version; ``python`` among them.
        files: name -> entry, all but the manifest itself.
    """

    generator: str
    created: str
    object: ObjectFacts
    input: str
    settings: Mapping[str, Any]
    box: tuple[float, float, float, float] | None = None
    mask: str | None = None
    choices: Mapping[str, Choice] = field(default_factory=dict)
    timings: Mapping[str, Timing] = field(default_factory=dict)
    estimates: Mapping[str, float] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()
    versions: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, FileEntry] = field(default_factory=dict)


def is_flat_name(name: str) -> bool:
    """Whether ``name`` can only mean a file right inside the folder, on every system."""
    return (
        _FILE_NAME.fullmatch(name) is not None
        and not name.endswith(".")
        and _DEVICE.fullmatch(name) is None
        and name.casefold() != NAME
    )


def to_bytes(manifest: Manifest) -> bytes:
    """The file, the same bytes for the same manifest.

    Raises:
        InvalidData: it would not be read back.
    """
    facts = manifest.object
    value = {
        "format": FORMAT,
        "generator": manifest.generator,
        "created": manifest.created,
        "object": {
            "faces": facts.faces,
            "vertices": facts.vertices,
            "gaussians": facts.gaussians,
            "size": [float(side) for side in facts.size],
            "frame": facts.frame,
        },
        "prompt": {
            "input": manifest.input,
            "box": None if manifest.box is None else [float(edge) for edge in manifest.box],
            "mask": manifest.mask,
        },
        "settings": dict(manifest.settings),
        "choices": {
            stage: {"asked": each.asked, "ran": each.ran, "why": each.why}
            for stage, each in manifest.choices.items()
        },
        "timings": {
            stage: {"wall_seconds": each.wall_seconds, "cpu_seconds": each.cpu_seconds}
            for stage, each in manifest.timings.items()
        },
        "estimates": {name: float(value) for name, value in manifest.estimates.items()},
        "warnings": list(manifest.warnings),
        "versions": dict(manifest.versions),
        "files": {
            name: {"bytes": each.bytes, "sha256": each.sha256}
            for name, each in manifest.files.items()
        },
    }
    data = encode(value)
    try:
        from_bytes(data)
    except BadFile as error:
        raise InvalidData(f"the manifest cannot be written: {error.message}") from error
    return data


def read(path: Path) -> Manifest:
    """The manifest in a file; see ``from_bytes``."""
    return from_bytes(read_limited(path, MAX_BYTES))


def from_bytes(data: bytes) -> Manifest:
    """The manifest that ``to_bytes`` wrote, every value checked.

    Raises:
        BadFile: malformed, hostile, or of another format number.
    """
    value = decode(data, MAX_BYTES)
    number = member(value, "format", int)
    if number != FORMAT:
        raise BadFile(f"the manifest has format {number}, known is {FORMAT}", "update Glimpse3D")
    files = {name: _file(name, each) for name, each in _entries(value, "files")}
    if len({name.casefold() for name in files}) != len(files):
        raise BadFile("two files of the manifest differ only in upper and lower case")
    prompt = member(value, "prompt", dict)
    return Manifest(
        generator=_text(value, "generator"),
        created=_time(value),
        object=_facts(member(value, "object", dict)),
        input=_known_file(prompt, "input", files),
        settings=member(value, "settings", dict),
        box=_box(prompt),
        mask=None if _is_none(prompt, "mask") else _known_file(prompt, "mask", files),
        choices={stage: _choice(stage, each) for stage, each in _entries(value, "choices")},
        timings={stage: _timing(stage, each) for stage, each in _entries(value, "timings")},
        estimates=_estimates(value),
        warnings=_warnings(value),
        versions={name: _string(name, each) for name, each in _entries(value, "versions")},
        files=files,
    )


def _entries(value: Any, name: str) -> list[tuple[str, Any]]:
    found = member(value, name, dict)
    if len(found) > MAX_ENTRIES:
        raise BadFile(f"{name!r} of the manifest has more than {MAX_ENTRIES} entries")
    return [(_string("a name", each), found[each]) for each in found]


def _estimates(value: Any) -> dict[str, float]:
    found = _entries(value, "estimates") if "estimates" in value else []
    return {name: float(member({name: each}, name, float, "estimates")) for name, each in found}


def _warnings(value: Any) -> tuple[str, ...]:
    found = member(value, "warnings", list) if "warnings" in value else []
    if len(found) > MAX_ENTRIES:
        raise BadFile(f"'warnings' of the manifest has more than {MAX_ENTRIES} entries")
    return tuple(_string("a warning", each) for each in found)


def _string(what: str, value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_TEXT:
        raise BadFile(f"{what[:100]!r} of the manifest is not a text of up to {MAX_TEXT} letters")
    return value


def _text(value: Any, name: str, where: str = "the manifest") -> str:
    return _string(name, member(value, name, str, where))


def _is_none(value: Any, name: str) -> bool:
    if name not in value:
        raise BadFile(f"the manifest's prompt lacks {name!r}")
    return value[name] is None


def _count(value: Any, name: str, where: str) -> int:
    count: int = member(value, name, int, where)
    if not 0 <= count <= MAX_FILE_BYTES:
        raise BadFile(f"{name!r} of {where} is out of range")
    return count


def _file(name: str, value: Any) -> FileEntry:
    if not is_flat_name(name):
        raise BadFile(f"{name[:100]!r} is not the name of a file right in the folder")
    digest = _text(value, "sha256", name)
    if not _SHA256.fullmatch(digest):
        raise BadFile(f"the sha256 of {name} is not 64 hex digits")
    return FileEntry(_count(value, "bytes", name), digest)


def _known_file(value: Any, name: str, files: Mapping[str, FileEntry]) -> str:
    file = _text(value, name)
    if file not in files:
        raise BadFile(f"the {name} {file[:100]!r} is not among the manifest's files")
    return file


def _time(value: Any) -> str:
    text = _text(value, "created")
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadFile(f"the manifest's time {text[:40]!r} is not ISO 8601") from error
    if moment.utcoffset() != timedelta(0):
        raise BadFile(f"the manifest's time {text[:40]!r} is not UTC")
    return text


def _numbers(value: Any, name: str, count: int, where: str) -> tuple[float, ...]:
    found = member(value, name, list, where)
    if len(found) != count:
        raise BadFile(f"{name!r} of {where} must have {count} numbers")
    return tuple(float(member({name: each}, name, float, where)) for each in found)


def _facts(value: Any) -> ObjectFacts:
    where = "the manifest's object"
    faces, vertices, gaussians = (
        _count(value, name, where) for name in ("faces", "vertices", "gaussians")
    )
    width, depth, height = _numbers(value, "size", 3, where)
    if min(width, depth, height) < 0:
        raise BadFile("the manifest's object has a negative size")
    return ObjectFacts(
        faces, vertices, gaussians, (width, depth, height), _text(value, "frame", where)
    )


def _box(prompt: Any) -> tuple[float, float, float, float] | None:
    if _is_none(prompt, "box"):
        return None
    left, top, right, bottom = _numbers(prompt, "box", 4, "the manifest's prompt")
    if not (left < right and top < bottom):
        raise BadFile("the manifest's box is empty")
    return left, top, right, bottom


def _choice(stage: str, value: Any) -> Choice:
    asked, ran, why = (_text(value, name, stage) for name in ("asked", "ran", "why"))
    return Choice(asked, ran, why)


def _timing(stage: str, value: Any) -> Timing:
    wall, cpu = (member(value, name, float, stage) for name in ("wall_seconds", "cpu_seconds"))
    if not (0 <= wall < math.inf and 0 <= cpu < math.inf):
        raise BadFile(f"the timing of {stage[:100]!r} is negative")
    return Timing(wall, cpu)
