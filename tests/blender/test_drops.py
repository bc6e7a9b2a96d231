"""Files dropped on a 3D view: the way that Blender goes, from the handler to its operator.

Blender itself asks every handler for the file's ending and ``poll_drop``, then calls the import
operator of the chosen one with ``directory`` and ``files``, or with ``filepath``.
"""

import json
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

import bpy
import numpy as np
import pytest

SPLATS = (".ply", ".compressed.ply", ".spz", ".splat", ".glb")


def view(kind: str = "VIEW_3D") -> Any:
    """A context as under the mouse, over an editor of this kind."""
    window = bpy.context.window_manager.windows[0]
    area = window.screen.areas[0]
    area.type = kind
    region = next(each for each in area.regions if each.type == "WINDOW")
    return bpy.context.temp_override(window=window, area=area, region=region)


def offered(paths: list[Path]) -> list[Any]:
    """Our handlers that take the first file's ending here, as Blender finds them."""
    ours = [each for each in bpy.types.FileHandler.__subclasses__() if "GLIMPSE3D" in each.__name__]
    ending = paths[0].suffix.lower()
    fits = [each for each in ours if ending in each.bl_file_extensions.split(";")]
    return [each for each in fits if each.poll_drop(bpy.context)]


def drop(paths: list[Path], kind: str = "VIEW_3D") -> set[str]:
    """Let them fall; the only handler of ours is chosen."""
    with view(kind):
        (handler,) = offered(paths)
        group, _, name = handler.bl_import_operator.partition(".")
        operator = getattr(getattr(bpy.ops, group), name)
        known = operator.get_rna_type().properties
        given: dict[str, Any] = {"filepath": str(paths[0])} if "filepath" in known else {}
        if "files" in known:
            given["directory"] = str(paths[0].parent)
            given["files"] = [{"name": path.name} for path in paths]
        else:
            assert len(paths) == 1
        done: set[str] = operator("INVOKE_DEFAULT", **given)
        return done


def test_splats_of_every_format_and_several_at_once(
    addon: ModuleType, scene: bpy.types.Scene, tmp_path: Path
) -> None:
    files = import_module(f"{addon.__name__}._vendor.glimpse3d.formats.splats")
    types = import_module(f"{addon.__name__}._vendor.glimpse3d.types")
    data = import_module(f"{addon.__name__}.scene.splat_data")
    random = np.random.default_rng(0)
    cloud = types.GaussianCloud(
        random.uniform(-1, 1, (40, 3)), np.full((40, 3), 0.02), np.tile([1.0, 0, 0, 0], (40, 1)),
        np.full(40, 0.8), random.normal(size=(40, 1, 3)) * 0.2,
    )  # fmt: skip
    for ending in SPLATS:
        path = tmp_path / f"über Land{ending}"
        files.write(cloud, path)
        assert drop([path]) == {"FINISHED"}
        assert data.count(bpy.context.active_object.data) == 40
        assert bpy.context.active_object.name.startswith("über Land")
    both = [tmp_path / "über Land.ply", tmp_path / "über Land.spz"]
    (tmp_path / "broken.ply").write_bytes(b"ply\n")
    with pytest.raises(RuntimeError, match=r"header"):
        drop([*both, tmp_path / "broken.ply"])
    assert len(bpy.data.objects) == len(SPLATS) + 2, "the two whole ones are there"


def test_a_rig_of_cameras(addon: ModuleType, scene: bpy.types.Scene, tmp_path: Path) -> None:
    frame = {"file_path": "1.png", "transform_matrix": np.eye(4).tolist()}
    about = {"fl_x": 300.0, "w": 320, "h": 200, "frames": [frame]}
    path = tmp_path / "transforms.json"
    path.write_text(json.dumps(about))
    assert drop([path]) == {"FINISHED"}
    assert [each.type for each in bpy.context.active_object.children] == ["CAMERA"]
