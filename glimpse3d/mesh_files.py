"""Mesh files of all kinds, read by trimesh: triangles and what colours them, in the house frame.

Owns axes, materials and colour spaces of files. Must not know splats or how a mesh is drawn.
trimesh is an extra and imported here alone; it meets a malformed file with any exception at all.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType
from typing import Any, Literal

import numpy as np
from PIL import Image as Picture

from . import coords
from .errors import BackendUnavailable, BadFile
from .formats import glb_chunks, glb_gate
from .formats.plain_json import member
from .formats.whole_file import map_file
from .types import Image, Mesh

Up = Literal["y", "z"]
Look = tuple[int, tuple[float, ...]]
# Of all pictures on a file's meshes together: as 8-bit RGBA that is 1 GB.
MAX_TEXELS = 2**28
# Kinds whose files are z up by custom; all others are y up.
_Z_UP = (".stl", ".ply", ".3mf", ".off")


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
    scene, pieces = _scene(path)
    _check_pictures(pieces)
    house_from_file = _house_from_file(path, up)
    textures: dict[Look, Image] = {}
    meshes = []
    for node in scene.graph.nodes_geometry:
        file_from_piece, name = scene.graph[node]
        piece = pieces[name]
        if not len(getattr(piece, "faces", ())):  # points or lines
            continue
        house_from_piece = house_from_file @ file_from_piece[:3, :3]
        vertices = piece.vertices @ house_from_piece.T + house_from_file @ file_from_piece[:3, 3]
        mirrored = np.linalg.det(house_from_piece) < 0
        faces = piece.faces[:, ::-1] if mirrored else piece.faces
        meshes.append(_mesh(vertices, faces, piece, textures))
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


def _scene(path: Path) -> tuple[Any, dict[str, Any]]:
    """trimesh's scene of a file, and its pieces by name."""
    if not path.is_file():
        raise BadFile(f"there is no file {path}", "check the path")
    kind = path.suffix.lower()
    if kind == ".gltf" and b'"COLOR_0"' in path.read_bytes():
        raise BadFile("the colours of a .gltf's vertices are not read", "save it as .glb")
    data = _with_srgb_colors(path) if kind == ".glb" else None
    scene = _load(path, data)
    return scene, dict(scene.geometry) | _painted(path, data, scene)


def _load(path: Path, data: bytes | None = None, **options: Any) -> Any:
    """trimesh's scene of a file, or of ``data`` in its stead."""
    trimesh = _library()
    source = path if data is None else io.BytesIO(data)
    try:
        # Unprocessed: merging equal places would mix the colours of their corners.
        kind = path.suffix[1:].lower()
        return trimesh.load_scene(source, file_type=kind, process=False, **options)
    except Exception as error:
        why = f"{type(error).__name__}: {error}"[:200]
        raise BadFile(f"{path.name} cannot be read as a mesh: {why}", "is it one?") from error


def _with_srgb_colors(path: Path) -> bytes:
    """A GLB with its vertices' colours as sRGB bytes; glTF's are linear, trimesh cuts 16 bits off.

    Raises:
        BadFile: not a GLB, or malformed.
    """
    glb = glb_chunks.parse(map_file(path))
    glb_gate.check(glb)
    _check_images(glb)
    binary = bytearray(glb.binary)
    done = set[int]()
    for mesh in glb.json.get("meshes", []):
        for primitive in member(mesh, "primitives", list, "a mesh"):
            index = member(primitive, "attributes", dict, "a mesh").get("COLOR_0")
            if index is None or index in done:
                continue
            accessor = glb.entry("accessors", index)
            colors = np.array(glb.numbers(index, member(accessor, "type", str)))
            colors[:, :3] = _srgb(np.clip(colors[:, :3], 0, 1))
            rgba = np.full((len(colors), 4), 255, np.uint8)
            rgba[:, : colors.shape[1]] = np.rint(np.clip(colors, 0, 1) * 255)
            binary += bytes(-len(binary) % 4)
            view = {"buffer": 0, "byteOffset": len(binary), "byteLength": rgba.size}
            glb.json["bufferViews"].append(view)
            binary += rgba.tobytes()
            done.add(index)
            accessor.clear()
            accessor |= {"bufferView": len(glb.json["bufferViews"]) - 1, "count": len(rgba)}
            accessor |= {"componentType": glb_chunks.UINT8, "normalized": True, "type": "VEC4"}
    if not done:
        return path.read_bytes()
    binary += bytes(-len(binary) % 4)
    glb.json["buffers"][0]["byteLength"] = len(binary)
    return glb_chunks.head(glb.json, len(binary)) + bytes(binary)


def _check_images(glb: glb_chunks.Glb) -> None:
    """Refuse pictures that trimesh would pass over in silence, or that would take all memory."""
    texels = 0
    for index in range(len(glb.json.get("images", []))):
        data = io.BytesIO(glb.view(glb.json["images"][index]["bufferView"]))
        try:
            with warnings.catch_warnings(action="ignore"), Picture.open(data) as opened:
                texels += opened.width * opened.height
        except Picture.DecompressionBombError:
            texels += MAX_TEXELS + 1
        except (OSError, ValueError, SyntaxError) as error:
            raise BadFile(f"picture {index} of the mesh is damaged", "export it anew") from error
    _check_texels(texels)


def _check_texels(texels: int) -> None:
    if texels > MAX_TEXELS:
        raise BadFile(
            f"the pictures on the mesh have more than {MAX_TEXELS // 10**6} million pixels",
            "scale them down",
        )


def _house_from_file(path: Path, up: Up | None) -> np.ndarray:
    z_up = path.suffix.lower() in _Z_UP if up is None else up == "z"
    return np.eye(3) if z_up else coords.GLTF_FROM_HOUSE.T


def _painted(path: Path, data: bytes | None, scene: Any) -> dict[str, Any]:
    """Name -> piece with vertex colours, which trimesh lets a material without a picture hide."""
    materials = {name: _material(piece) for name, piece in scene.geometry.items()}
    hidden = [name for name, each in materials.items() if each and _picture(each) is None]
    if not hidden or path.suffix.lower() not in (".glb", ".obj"):
        return {}
    bare = _load(path, data, skip_materials=True).geometry
    found = {name: bare[name] for name in hidden if name in bare and _kind(bare[name]) == "vertex"}
    for name, piece in found.items():
        colors = np.array(piece.visual.vertex_colors)
        share = _plain_factor(materials[name])
        colors[:, :3] = np.rint(_srgb(_linear(colors[:, :3] / 255) * share) * 255)
        piece.visual.vertex_colors = colors
    return found


def _kind(piece: Any) -> str | None:
    """What colours it: ``vertex``, ``face``, ``texture`` or nothing."""
    return getattr(piece.visual, "kind", None)


def _material(piece: Any) -> Any:
    return getattr(piece.visual, "material", None)


def _mesh(vertices: np.ndarray, faces: np.ndarray, piece: Any, textures: dict[Look, Image]) -> Mesh:
    """One piece with its colours."""
    if len(vertices) and not np.isfinite(vertices).all():
        raise BadFile("the mesh has vertices that are not finite", "repair it first")
    kind, material = _kind(piece), _material(piece)
    if kind == "face":
        painted = np.repeat(np.array(piece.visual.face_colors), 3, axis=0)
        corners = vertices[faces].reshape(-1, 3)
        return Mesh(corners, np.arange(len(corners)).reshape(-1, 3), painted)
    texture = _texture(material, textures)
    uvs = getattr(piece.visual, "uv", None)
    if texture is not None and uvs is not None and len(uvs) == len(vertices):
        return Mesh(vertices, faces, None, uvs, texture)
    if kind == "vertex":
        return Mesh(vertices, faces, np.array(piece.visual.vertex_colors))
    if material is None:
        return Mesh(vertices, faces)
    return Mesh(vertices, faces, np.tile(_plain_color(material), (len(vertices), 1)))


def _plain_color(material: Any) -> np.ndarray:
    """(4,) uint8 sRGB of a material without a picture."""
    if not hasattr(material, "baseColorFactor"):
        return np.array(material.main_color, np.uint8)
    return np.append(np.rint(_srgb(_plain_factor(material)) * 255), 255).astype(np.uint8)


def _plain_factor(material: Any) -> np.ndarray:
    """(3,) linear 0..1, a glTF material's colour; white if it has none."""
    factor = getattr(material, "baseColorFactor", None)
    return np.ones(3) if factor is None else np.array(factor)[:3] / 255


def _picture(material: Any) -> Any:
    """PIL's picture of the surface, not decoded yet, or None."""
    return getattr(material, "baseColorTexture", None) or getattr(material, "image", None)


def _look(material: Any) -> Look:
    """What tells two textures apart."""
    return id(_picture(material)), tuple(_plain_factor(material).tolist())


def _check_pictures(pieces: Mapping[str, Any]) -> None:
    """Refuse pictures that would take all memory, before the first one is decoded."""
    found = [each for each in map(_material, pieces.values()) if _picture(each) is not None]
    pictures = {_look(each): _picture(each) for each in found}
    _check_texels(sum(each.width * each.height for each in pictures.values()))


def _texture(material: Any, textures: dict[Look, Image]) -> Image | None:
    """The picture on the surface, times the material's colour; one for all pieces that share it."""
    picture = _picture(material)
    if picture is None:
        return None
    look = _look(material)
    if look not in textures:
        try:
            rgba = np.array(picture.convert("RGBA"))
        except (OSError, ValueError, SyntaxError) as error:
            raise BadFile(f"a picture on the mesh is damaged: {error}", "export it anew") from error
        steps = _linear(np.arange(256) / 255)[:, None] * _plain_factor(material)
        table = np.rint(_srgb(steps) * 255).astype(np.uint8)
        rgba[..., :3] = table[rgba[..., :3], np.arange(3)]
        textures[look] = Image(rgba)
    return textures[look]


def _linear(srgb: np.ndarray) -> np.ndarray:
    """Light 0..1 of sRGB 0..1 (IEC 61966-2-1)."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)


def _srgb(linear: np.ndarray) -> np.ndarray:
    """The inverse of ``_linear``."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
