"""Meshes as files: GLB, OBJ and STL.

Owns the three layouts and their axes. Must not know how a mesh was made. Written by hand, as
trimesh (5.2) leaves colours in sRGB where glTF wants linear, splits normals at UV seams and names
no sampler; the bytes depend on the mesh, the file's stem and our version alone.
"""

from __future__ import annotations

import json
import struct
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..coords import GLTF_FROM_HOUSE
from ..errors import InvalidData, OutputFailed
from ..pictures import write_png
from ..types import Image, Mesh
from .folder import output_errors

GENERATOR = f"Glimpse3D {__version__}"

_FLOAT, _UINT16, _UINT32 = 5126, 5123, 5125
_VERTICES, _INDICES = 34962, 34963
_LINEAR, _LINEAR_MIPMAP_LINEAR, _CLAMP = 9729, 9987, 33071


def write_mesh(mesh: Mesh, path: Path) -> list[Path]:
    """Write ``mesh`` in the format that the suffix names, and return the files written.

    ``.glb`` is Y up with the front to +Z, in metres, as glTF says. ``.obj`` has the same axes,
    which importers (Blender among them: forward -Z, up Y) take for granted, in metres, with a
    ``.mtl`` and a ``.png`` beside it. ``.stl`` has no units, and slicers read millimetres and Z up:
    so it is in millimetres and Z up, front to -Y.

    Raises:
        InvalidData: the mesh has no triangles.
        OutputFailed, DiskFull: an unknown suffix, or the files cannot be written.
    """
    if not len(mesh.faces):
        raise InvalidData("a mesh without triangles cannot be written")
    files = _files(mesh, path)
    with output_errors(path):
        for file, data in files.items():
            file.write_bytes(data)
    return list(files)


def _files(mesh: Mesh, path: Path) -> dict[Path, bytes]:
    match path.suffix.lower():
        case ".glb":
            return {path: glb_bytes(mesh, path.stem)}
        case ".obj":
            texts = {path: obj_text(mesh, path.stem), path.with_suffix(".mtl"): _mtl(mesh, path)}
            files = {file: text.encode() for file, text in texts.items()}
            if mesh.texture is not None:
                files[path.with_suffix(".png")] = _png(mesh.texture)
            return files
        case ".stl":
            return {path: stl_bytes(mesh)}
    raise OutputFailed(f"{path.name} is no mesh format", "name it .glb, .obj or .stl")


def smooth_normals(mesh: Mesh) -> np.ndarray:
    """(V, 3) float64 unit normals, house frame; vertices of one position share theirs.

    Each face counts by its area, so that slivers do not turn their neighbours.
    """
    places, index = np.unique(mesh.vertices + np.float32(0), axis=0, return_inverse=True)
    index = index.reshape(-1)  # its shape differs between versions of numpy
    corners = index[mesh.faces]
    a, b, c = np.moveaxis(places.astype(np.float64)[corners], 1, 0)
    face_normals = np.cross(b - a, c - a)
    sums = np.zeros((len(places), 3))
    for axis in range(3):
        weights = np.repeat(face_normals[:, axis], 3)
        sums[:, axis] = np.bincount(corners.reshape(-1), weights, len(places))
    lengths = np.linalg.norm(sums, axis=1, keepdims=True)
    upwards = np.array([0.0, 0.0, 1.0])  # where faces cancel out or have no area
    return np.where(lengths > 0, sums / np.where(lengths > 0, lengths, 1), upwards)[index]


def glb_bytes(mesh: Mesh, name: str = "mesh") -> bytes:
    """A binary glTF 2.0 file (Khronos' specification, section "GLB File Format Specification")."""
    glb = _Glb()
    positions = (mesh.vertices @ GLTF_FROM_HOUSE.T).astype(np.float32)
    normals = (smooth_normals(mesh) @ GLTF_FROM_HOUSE.T).astype(np.float32)
    attributes = {
        "POSITION": glb.accessor(positions, "VEC3", _FLOAT, bounds=True),
        "NORMAL": glb.accessor(normals, "VEC3", _FLOAT),
    }
    surface: dict[str, Any] = {"metallicFactor": 0.0, "roughnessFactor": 1.0}
    if mesh.uvs is not None and mesh.texture is not None:
        downwards = np.stack([mesh.uvs[:, 0], 1 - mesh.uvs[:, 1]], axis=1)
        attributes["TEXCOORD_0"] = glb.accessor(downwards, "VEC2", _FLOAT)
        surface["baseColorTexture"] = {"index": glb.texture(mesh.texture)}
    elif mesh.colors is not None:
        linear = _linear_uint16(mesh.colors)
        attributes["COLOR_0"] = glb.accessor(linear, "VEC4", _UINT16, normalized=True)
    indices = glb.accessor(mesh.faces.reshape(-1), "SCALAR", _UINT32, target=_INDICES)
    primitive = {"attributes": attributes, "indices": indices, "material": 0}
    return glb.pack(
        scene=0,
        scenes=[{"nodes": [0]}],
        nodes=[{"mesh": 0, "name": name}],
        meshes=[{"name": name, "primitives": [primitive]}],
        materials=[{"name": name, "pbrMetallicRoughness": surface}],
    )


def _linear_uint16(colors: np.ndarray) -> np.ndarray:
    """Linear 0..65535 from sRGB bytes (IEC 61966-2-1), which keeps the darkest steps apart."""
    value = colors.astype(np.float64) / 255
    value[:, :3] = np.where(
        value[:, :3] <= 0.04045, value[:, :3] / 12.92, ((value[:, :3] + 0.055) / 1.055) ** 2.4
    )
    return np.rint(value * 65535).astype(np.uint16)


def _png(texture: Image) -> bytes:
    """Opaque: coverage of an atlas means nothing to importers, and some would draw it."""
    rgba = np.array(texture.rgba)
    rgba[..., 3] = 255
    return write_png(Image(rgba))


class _Glb:
    """A GLB file while it grows: the JSON's tables, and the binary chunk."""

    def __init__(self) -> None:
        self._binary = bytearray()
        self._tables: dict[str, list[dict[str, Any]]] = {"accessors": [], "bufferViews": []}

    def _view(self, data: bytes, **about: int) -> int:
        views = self._tables["bufferViews"]
        where = {"byteOffset": len(self._binary), "byteLength": len(data)}
        views.append({"buffer": 0, **where, **about})
        self._binary += data + bytes(-len(data) % 4)
        return len(views) - 1

    def accessor(
        self,
        array: np.ndarray,
        kind: str,
        component: int,
        *,
        target: int = _VERTICES,
        bounds: bool = False,
        normalized: bool = False,
    ) -> int:
        little_endian = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
        view = self._view(little_endian.tobytes(), target=target)
        about: dict[str, Any] = {"bufferView": view, "componentType": component}
        about |= {"count": len(array), "type": kind}
        if normalized:
            about["normalized"] = True
        if bounds:
            about |= {"min": array.min(axis=0).tolist(), "max": array.max(axis=0).tolist()}
        self._tables["accessors"].append(about)
        return len(self._tables["accessors"]) - 1

    def texture(self, image: Image) -> int:
        view = self._view(_png(image))
        self._tables["images"] = [{"bufferView": view, "mimeType": "image/png", "name": "color"}]
        filters = {"magFilter": _LINEAR, "minFilter": _LINEAR_MIPMAP_LINEAR}
        self._tables["samplers"] = [{**filters, "wrapS": _CLAMP, "wrapT": _CLAMP}]
        self._tables["textures"] = [{"sampler": 0, "source": 0}]
        return 0

    def pack(self, **tables: Any) -> bytes:
        asset = {"version": "2.0", "generator": GENERATOR}
        buffers = [{"byteLength": len(self._binary)}]
        gltf = {"asset": asset, **tables, **self._tables, "buffers": buffers}
        text = json.dumps(gltf, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        length = 12 + 8 + len(text) + 8 + len(self._binary)
        return b"".join(
            [
                struct.pack("<4sII", b"glTF", 2, length),
                struct.pack("<I4s", len(text), b"JSON"),
                text,
                struct.pack("<I4s", len(self._binary), b"BIN\0"),
                self._binary,
            ]
        )


def obj_text(mesh: Mesh, stem: str) -> str:
    """A Wavefront OBJ that names ``stem.mtl``; vertex colours as r g b behind x y z."""
    positions = (mesh.vertices @ GLTF_FROM_HOUSE.T).astype(np.float32)
    rows = [positions]
    if mesh.colors is not None and mesh.texture is None:
        rows.append((mesh.colors[:, :3] / 255).astype(np.float32))
    normals = (smooth_normals(mesh) @ GLTF_FROM_HOUSE.T).astype(np.float32)
    lines = [
        f"# {GENERATOR}",
        "# axes: +Y up, the front faces +Z (forward -Z, up Y in import dialogs); metres",
        f"mtllib {stem}.mtl",
        f"o {stem}",
        *_lines("v", np.concatenate(rows, axis=1)),
        *(_lines("vt", mesh.uvs) if mesh.uvs is not None else ()),
        *_lines("vn", normals),
        "usemtl surface",
    ]
    corner = "{0}/{0}/{0}" if mesh.uvs is not None else "{0}//{0}"
    face = f"f {corner.replace('0', '0')} {corner.replace('0', '1')} {corner.replace('0', '2')}"
    lines += [face.format(*three) for three in (mesh.faces.astype(np.int64) + 1).tolist()]
    return "\n".join(lines) + "\n"


def _lines(word: str, rows: np.ndarray) -> list[str]:
    # Nine digits tell every two floats of 32 bits apart.
    pattern = word + " %.9g" * rows.shape[1]
    return [pattern % tuple(row) for row in rows.tolist()]


def _mtl(mesh: Mesh, path: Path) -> str:
    lines = [f"# {GENERATOR}", "newmtl surface", "Kd 1 1 1", "Ks 0 0 0", "Pr 1", "Pm 0", "illum 1"]
    if mesh.texture is not None:
        lines.append(f"map_Kd {path.with_suffix('.png').name}")
    return "\n".join(lines) + "\n"


def stl_bytes(mesh: Mesh) -> bytes:
    """A binary STL in millimetres, Z up."""
    record = np.dtype([("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("attribute", "<u2")])
    facets = np.zeros(len(mesh.faces), record)
    corners = mesh.vertices.astype(np.float64)[mesh.faces] * 1000
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    lengths = np.linalg.norm(normals, axis=1, keepdims=True)
    facets["normal"] = normals / np.where(lengths > 0, lengths, 1)
    facets["corners"] = corners
    header = f"{GENERATOR}, millimetres, Z up, front to -Y".encode().ljust(80)[:80]
    return header + struct.pack("<I", len(facets)) + facets.tobytes()
