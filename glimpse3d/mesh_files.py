"""Mesh files of all kinds, read by trimesh: triangles and what colours them, in the house frame.

Owns axes, materials and colour spaces of files. Must not know splats or how a mesh is drawn.
trimesh is an extra and imported here alone; it meets a malformed file with any exception at all.
"""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np

from . import coords
from .errors import BackendUnavailable, BadFile
from .types import Image, Mesh

Up = Literal["y", "z"]
# Kinds whose files are z up by custom; all others are y up.
_Z_UP = (".stl", ".ply", ".3mf", ".off")
_GLTF = (".glb", ".gltf")


def read(path: Path, up: Up | None = None) -> tuple[Mesh, ...]:
    """Every mesh of a file in its place, lengths as the file has them.

    Each has a texture, else vertex colours, else nothing; a material's plain colour and the
    colours of faces become colours of vertices.

    Args:
        path: anything that trimesh reads.
        up: the file's axis; None goes by the kind of file. The front then faces +z or -y.

    Raises:
        BackendUnavailable: trimesh is not installed.
        BadFile: it cannot be read, or holds no triangles.
    """
    scene = _load(path)
    plain = _vertex_colors(path, scene) if path.suffix.lower() in _GLTF else {}
    house_from_file = _house_from_file(path, up)
    meshes = []
    for node in scene.graph.nodes_geometry:
        placed, name = scene.graph[node]
        piece = scene.geometry[name]
        if not len(getattr(piece, "faces", ())):  # points or lines
            continue
        vertices = piece.vertices @ placed[:3, :3].T + placed[:3, 3]
        faces = piece.faces if np.linalg.det(placed[:3, :3]) > 0 else piece.faces[:, ::-1]
        meshes.append(_mesh(vertices @ house_from_file.T, faces, piece, plain.get(name)))
    if not meshes:
        raise BadFile(f"{path.name} holds no triangles", "splats? see glimpse3d convert --help")
    return tuple(meshes)


def _library() -> ModuleType:
    try:
        import trimesh
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            "trimesh, which reads meshes, is not installed", "run: pip install 'glimpse3d[formats]'"
        ) from error
    return trimesh


def _load(path: Path, **options: Any) -> Any:
    """trimesh's scene of a file."""
    trimesh = _library()
    if not path.is_file():
        raise BadFile(f"there is no file {path}", "check the path")
    try:
        return trimesh.load_scene(path, **options)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"[:200]
        raise BadFile(f"{path.name} cannot be read as a mesh: {why}", "is it one?") from error


def _house_from_file(path: Path, up: Up | None) -> np.ndarray:
    z_up = path.suffix.lower() in _Z_UP if up is None else up == "z"
    return np.eye(3) if z_up else coords.GLTF_FROM_HOUSE.T


def _vertex_colors(path: Path, scene: Any) -> dict[str, np.ndarray]:
    """Name -> (V, 4) uint8 sRGB of a glTF, whose reader lets a material hide them."""
    if all(
        getattr(_material(piece), "baseColorTexture", None) for piece in scene.geometry.values()
    ):
        return {}
    found = {}
    for name, piece in _load(path, skip_materials=True).geometry.items():
        if getattr(piece.visual, "kind", None) == "vertex":
            colors = np.array(piece.visual.vertex_colors)
            colors[:, :3] = _times(np.ones(3))[np.arange(3), colors[:, :3]]
            found[name] = colors
    return found


def _material(piece: Any) -> Any:
    return getattr(piece.visual, "material", None)


def _mesh(vertices: np.ndarray, faces: np.ndarray, piece: Any, colors: np.ndarray | None) -> Mesh:
    """One piece with its colours, whose own vertex colours are ``colors`` if it is of a glTF."""
    if len(vertices) and not np.isfinite(vertices).all():
        raise BadFile("the mesh has vertices that are not finite", "repair it first")
    kind, material = getattr(piece.visual, "kind", None), _material(piece)
    if kind == "face":
        painted = np.repeat(np.array(piece.visual.face_colors), 3, axis=0)
        corners = vertices[faces].reshape(-1, 3)
        return Mesh(corners, np.arange(len(corners)).reshape(-1, 3), painted)
    texture = _texture(material)
    uvs = getattr(piece.visual, "uv", None)
    if texture is not None and uvs is not None and len(uvs) == len(vertices):
        return Mesh(vertices, faces, None, uvs, texture)
    if colors is None and kind == "vertex":
        colors = np.array(piece.visual.vertex_colors)
    if colors is None and material is not None:
        colors = np.tile(_plain_color(material), (len(vertices), 1))
    return Mesh(vertices, faces, colors)


def _plain_color(material: Any) -> np.ndarray:
    """(4,) uint8 sRGB of a material without a picture; glTF's is linear, and white if missing."""
    if not hasattr(material, "baseColorFactor"):
        return np.array(material.main_color, np.uint8)
    factor = material.baseColorFactor
    if factor is None:
        return np.full(4, 255, np.uint8)
    return np.append(_times(np.array(factor)[:3] / 255)[:, 255], np.uint8(255))


def _texture(material: Any) -> Image | None:
    """The picture on the surface, times the material's colour."""
    picture = getattr(material, "baseColorTexture", None) or getattr(material, "image", None)
    if picture is None:
        return None
    rgba = np.array(picture.convert("RGBA"))
    factor = getattr(material, "baseColorFactor", None)
    if factor is not None:
        for channel, table in enumerate(_times(np.array(factor)[:3] / 255)):
            rgba[..., channel] = table[rgba[..., channel]]
    return Image(rgba)


def _times(factor: np.ndarray) -> np.ndarray:
    """(3, 256) uint8, sRGB steps of each channel times a linear ``factor`` (3,) 0..1."""
    steps = np.arange(256) / 255
    linear = np.where(steps <= 0.04045, steps / 12.92, ((steps + 0.055) / 1.055) ** 2.4)
    product = linear * factor[:, None]
    srgb = np.where(product <= 0.0031308, product * 12.92, 1.055 * product ** (1 / 2.4) - 0.055)
    return np.rint(np.clip(srgb, 0, 1) * 255).astype(np.uint8)
