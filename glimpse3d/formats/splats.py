"""Splat files of every kind: which one it is, reading and writing.

Owns the table of formats and the choice among them. Must not know any layout. A file is taken for
what its first bytes say; only kinds without any mark go by their suffix.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ..errors import BadFile, InvalidSettings
from ..types import GaussianCloud
from . import (
    glb_chunks,
    ply_header,
    splat_antimatter,
    splat_compressed,
    splat_glb,
    splat_ksplat,
    splat_ply,
    splat_spz,
)
from .splat_axes import Axes, check_axes
from .splat_blocks import Contents, Source, read_all
from .whole_file import map_file, write_whole

_READ = "read are .ply, .compressed.ply, .spz, .splat, .ksplat and .glb"


@dataclass(frozen=True, slots=True)
class Writer:
    """A kind of file that is written, its axes by custom, and its bytes."""

    suffix: str
    axes: Axes
    parts: Callable[[GaussianCloud, Axes], Iterator[bytes]]


# The longest suffix that fits decides.
WRITERS = (
    Writer(".compressed.ply", "rdf", splat_compressed.parts),
    Writer(".ply", "rdf", splat_ply.parts),
    Writer(".spz", "rub", splat_spz.parts),
    Writer(".splat", "rdf", splat_antimatter.parts),
    Writer(".glb", "rub", splat_glb.parts),
)


def open_source(path: Path) -> Source:
    """Look at a file's header; no splat is read yet.

    Raises:
        BadFile: it cannot be opened, is none of the known kinds, or is malformed.
        BackendUnavailable: it is packed with zstd, and this Python has none.
    """
    data = map_file(path)
    start = bytes(data[:4])
    if start[:3] == b"ply":
        header = ply_header.parse(data)
        packed = splat_compressed.is_compressed(header)
        return splat_compressed.source(data) if packed else splat_ply.source(data)
    if start == splat_spz.MAGIC or start[:2] == b"\x1f\x8b":
        return splat_spz.source(data)
    if start == glb_chunks.MAGIC:
        return splat_glb.source(data)
    suffix = path.suffix.lower()
    if suffix == ".ksplat":
        return splat_ksplat.source(data)
    if suffix == ".splat":
        return splat_antimatter.source(data)
    raise BadFile(f"{path.name} is no splat file that is known", _READ)


def read(path: Path, axes: str | None = None) -> Contents:
    """The cloud in a file, in the house frame; what was left out or mended is counted.

    Args:
        path: any kind of splat file.
        axes: of the file: ``rdf``, ``rub`` or ``blender``; None takes what the file says, else
            what its kind has by custom.

    Raises:
        BadFile: it cannot be opened, is malformed, or nothing in it can be drawn.
        BackendUnavailable: it is packed with zstd, and this Python has none.
        InvalidSettings: the axes are unknown.
    """
    chosen = None if axes is None else check_axes(axes, "rdf")
    return read_all(open_source(path), chosen)


def writer_for(path: Path) -> Writer:
    """How a file of this name is written.

    Raises:
        InvalidSettings: its suffix is none that is written.
    """
    name = path.name.lower()
    for writer in WRITERS:
        if name.endswith(writer.suffix):
            return writer
    known = ", ".join(writer.suffix for writer in WRITERS)
    raise InvalidSettings("output", f"{path.name} has no suffix that is written", f"take {known}")


def write(cloud: GaussianCloud, path: Path, axes: str | None = None, spz_version: int = 3) -> None:
    """Write the kind of file that the suffix names, whole or not at all.

    Args:
        cloud: house frame.
        path: ends in ``.ply``, ``.compressed.ply``, ``.spz``, ``.splat`` or ``.glb``.
        axes: of the file: ``rdf``, ``rub`` or ``blender``; None takes what its kind has by custom.
        spz_version: of a ``.spz``: 1 to 3, which every reader takes, or 4, which needs zstd.

    Raises:
        InvalidSettings: the suffix, the axes or the version are unknown.
        BackendUnavailable: version 4 of spz, and this Python has no zstd.
        InvalidData: the cloud does not fit into that kind of file.
        OSError: the system refuses.
    """
    writer = writer_for(path)
    chosen = check_axes(axes, writer.axes)
    if writer.suffix == ".spz":
        write_whole(path, splat_spz.parts(cloud, chosen, spz_version))
    else:
        write_whole(path, writer.parts(cloud, chosen))
