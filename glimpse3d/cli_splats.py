"""The command line's side of splats: ``convert``, ``info`` and ``splat``.

Owns their arguments and what is printed. Must not know any file's layout, nor how splats are laid.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import cli_meter
from .errors import BadFile, InvalidSettings

if TYPE_CHECKING:
    from .formats.splat_blocks import Contents
    from .types import GaussianCloud

_AXES = ("rdf", "rub", "blender")
_KINDS = ".ply, .compressed.ply, .spz, .splat or .glb"
_MOST = 20_000_000


def add_splats(commands: Any, server: Callable[[], ModuleType]) -> None:
    """Mount the three commands.

    Args:
        commands: of the parser.
        server: gives the server's side of the command line, or refuses.
    """
    convert = commands.add_parser("convert", help="turn a splat file into another kind")
    convert.set_defaults(command=_convert)
    convert.add_argument("input", type=Path, help=".ply, .spz, .splat, .ksplat or .glb")
    convert.add_argument("output", type=Path, help=_KINDS)
    convert.add_argument("--from-axes", choices=_AXES, help="of the input, if it tells them wrong")
    _add_output(convert)

    info = commands.add_parser("info", help="tell what a splat file holds, and what is wrong in it")
    info.set_defaults(command=_info)
    info.add_argument("file", type=Path)
    info.add_argument("--axes", choices=_AXES, help="of the file, if it tells them wrong")

    splat = commands.add_parser("splat", help="cover a mesh with splats")
    splat.set_defaults(command=_splat, server_commands=server)
    splat.add_argument("mesh", type=Path, help=".glb, .obj, .ply, .stl and what else trimesh reads")
    splat.add_argument("-o", "--output", type=Path, required=True, metavar="FILE", help=_KINDS)
    splat.add_argument("--count", type=int, default=100_000, help="splats (default: %(default)s)")
    splat.add_argument("--seed", type=int, default=0, help="of the places (default: %(default)s)")
    splat.add_argument("--up", choices=("y", "z"), help="of the mesh (default: by its kind)")
    splat.add_argument(
        "--server", metavar="STRING",
        help="let the server of this connection string lay them; takes a .glb",
    )  # fmt: skip
    _add_output(splat)


def _add_output(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--axes", choices=_AXES, help="of the output: y down, y up or z up (default: by its kind)"
    )
    parser.add_argument(
        "--spz-version", type=int, choices=(1, 2, 3, 4), default=3, metavar="N",
        help="1 to 4 (default: %(default)s)",
    )  # fmt: skip


def _convert(arguments: argparse.Namespace) -> int:
    from .formats import splats

    splats.writer_for(arguments.output)
    contents = splats.read(arguments.input, arguments.from_axes)
    print(f"{arguments.input}: {_about(contents)}")
    _tell_losses(contents)
    _write(contents.cloud, arguments)
    return 0


def _info(arguments: argparse.Namespace) -> int:
    from .formats import splats

    contents = splats.read(arguments.file, arguments.axes)
    cloud, size = contents.cloud, arguments.file.stat().st_size
    print(f"{arguments.file}: {_about(contents)}")
    print(f"  {size} bytes, {size / max(len(cloud), 1):.1f} a splat")
    if len(cloud):
        low, high = cloud.means.min(axis=0), cloud.means.max(axis=0)
        print("  box, z up, front to -y: " + " x ".join(f"{side:.4g}" for side in high - low))
        print("  centre: " + ", ".join(f"{middle:.4g}" for middle in (low + high) / 2))
    for comment in contents.comments:
        print(f"  comment: {comment[:200]}")
    _tell_losses(contents)
    return 0


def _about(contents: Contents) -> str:
    cloud = contents.cloud
    degree = f"spherical harmonics of degree {cloud.sh_degree}"
    return f"{contents.kind}, {len(cloud)} splats, {degree}, axes {contents.axes}"


def _tell_losses(contents: Contents) -> None:
    for sentence in contents.repairs.in_words():
        print(f"  {sentence}")
    for note in contents.notes:
        print(f"  not read: {note}")


def _splat(arguments: argparse.Namespace) -> int:
    from . import mesh_files
    from .formats import splats
    from .splats.from_mesh import gaussians_from_meshes

    splats.writer_for(arguments.output)
    if not 1 <= arguments.count <= _MOST:
        raise InvalidSettings("count", f"{arguments.count} splats", f"1 to {_MOST}")
    if arguments.server:
        _write(_laid_there(arguments), arguments)
        return 0
    meshes = mesh_files.read(arguments.mesh, arguments.up)
    faces = sum(len(mesh.faces) for mesh in meshes)
    print(f"{arguments.mesh}: {faces} triangles in {len(meshes)} meshes")
    progress = cli_meter.shown()
    cloud = gaussians_from_meshes(meshes, arguments.count, arguments.seed, progress)
    _write(cloud, arguments)
    return 0


def _laid_there(arguments: argparse.Namespace) -> GaussianCloud:
    """The same splats, laid by a server, which gets the file's own bytes."""
    from .formats import splats

    if arguments.mesh.suffix.lower() != ".glb" or arguments.up == "z":
        raise InvalidSettings("mesh", "a server takes GLB files alone, y up", "save it as .glb")
    remote = arguments.server_commands()
    try:
        data = arguments.mesh.read_bytes()
    except OSError as error:
        raise BadFile(f"{arguments.mesh} cannot be read: {error.strerror}", "check it") from error
    settings = {"gaussians": arguments.count, "seed": arguments.seed}
    order = remote.MeshOrder(arguments.mesh.name, data, settings)
    with tempfile.TemporaryDirectory(prefix="glimpse3d-") as near:
        remote.lay_splats(order, arguments.server, Path(near), cli_meter.shown())
        return splats.read(Path(near) / "splats.ply").cloud


def _write(cloud: GaussianCloud, arguments: argparse.Namespace) -> None:
    """Write the output and tell what it lacks."""
    from .export.folder import output_errors
    from .formats import splats

    path: Path = arguments.output
    with output_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        splats.write(cloud, path, arguments.axes, arguments.spz_version)
    if cloud.sh_degree and path.suffix.lower() == ".splat":
        print("  .splat holds no view-dependent colour: degree 0 was written")
    print(f"{path}: {len(cloud)} splats, {path.stat().st_size / 1024:.0f} kB")
