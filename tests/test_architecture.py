"""Who may import whom: one table, held against every source file.

An import counts wherever it stands: at the top, in a function, relative, under TYPE_CHECKING, or
as a literal name given to ``import_module``.
"""

import ast
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from glimpse3d import plugins
from inference_server import WIRE_SIDE
from tests.import_reading import PACKAGES, ROOT, Import, below, imports_of, modules_under

LONGEST_FILE = 500

CONTRACTS = tuple(
    f"glimpse3d.{name}"
    for name in ("coords", "errors", "progress", "settings", "stages", "types")
)  # fmt: skip
# What several backends and exports compute with. A backend is never among them.
MATHS = tuple(
    f"glimpse3d.{name}"
    for name in (
        "cleaning", "coarse_to_fine", "cutting", "embedded_weights", "depth.alignment",
        "depth.confidence", "depth.conversion",
        "depth.reprojection", "depth.subject", "depth.variance", "depth.view_alignment", "device",
        "distance", "formats", "framing", "fusion", "isosurface", "marching_cubes", "mesh_raster",
        "models", "oriented_points", "outline", "pixel_values", "placement", "poisson",
        "reader_weights", "silhouette", "simplify", "texture", "unwrap", "weights",
    )
)  # fmt: skip
COMPUTE = ("PIL", "cv2", "llvmlite", "numba", "numpy", "scipy", "skimage")
WEIGHTS = ("models", "weights")
_NAMES = (
    "cli_meter", "errors", "export.folder", "formats", "mesh_files", "splats.from_mesh", "types",
)  # fmt: skip
SPLAT_COMMANDS = tuple(f"glimpse3d.{name}" for name in _NAMES)
PIPELINE = tuple(f"glimpse3d.{name}" for name in ("fusion", "plugins", "splats", "warm"))
EXPORTED = ("__version__", "export", "pictures", "splats")
# What of the server travels into the add-on, and knows neither numpy nor the core.
CLIENT = tuple(f"inference_server.{name.removesuffix('.py')}" for name in WIRE_SIDE)

# Between the requests and the process that computes.
QUEUE = tuple(
    f"inference_server.{name}"
    for name in (
        "artifacts",
        "catalogue",
        "dispatch",
        "durable",
        "executors.interface",
        "memory",
        "quotas",
        "retention",
        "store",
    )
)
# Where jobs are computed; none of it knows the queue.
TASKS = ("inference_server.executors.interface",)
COMPUTING = (*TASKS, "inference_server.shortage")
EXECUTORS = (
    *(f"glimpse3d.{name}" for name in ("__version__", "errors", "export.folder", "formats")),
    *(f"inference_server.{name}" for name in ("devices", "executors", "logs", "memory", "worker")),
)
# What the add-on's session moves on.
LAUNCHER = ("child", "install_log", "power", "server_folder")
SESSION = (
    "checkup",
    "cutouts",
    "history",
    "jobs",
    "launcher",
    "local",
    "power",
    "servers",
    "weights",
)


class Row(NamedTuple):
    """What a module and everything below it may import; the longest name that fits decides."""

    foreign: tuple[str, ...]
    ours: tuple[str, ...]


TENSOR_FILES = (
    "backend_cpu", "backend_gsplat", "backend_torch", "disagreement", "fit_state", "optimise",
    "parameters", "ssim", "strategies", "targets",
)  # fmt: skip
TENSORS = Row(("gsplat", "numba", "numpy", "torch"), (*CONTRACTS, *MATHS, "glimpse3d.splats"))

ALLOWED = {
    "build": Row((), ()),
    "addon_build": Row(("extension", "listing", "wheels"), ()),  # run as scripts, beside each other
    # The core. Nothing in it knows zmq, msgpack, bpy or training.
    "glimpse3d": Row(COMPUTE, (*CONTRACTS, *MATHS)),
    "glimpse3d.__init__": Row(
        ("numpy",), (*CONTRACTS, "glimpse3d.export", "glimpse3d.pictures", "glimpse3d.pipeline")
    ),
    "glimpse3d.__main__": Row((), ("glimpse3d.cli",)),
    "glimpse3d.errors": Row((), ()),
    "glimpse3d.progress": Row((), ("glimpse3d.errors", "glimpse3d.types")),
    "glimpse3d.settings": Row((), ("glimpse3d.errors",)),
    "glimpse3d.types": Row(("numpy",), ("glimpse3d.errors", "glimpse3d.settings")),
    "glimpse3d.stages": Row(
        (), ("glimpse3d.errors", "glimpse3d.models", "glimpse3d.progress", "glimpse3d.types")
    ),
    "glimpse3d.plugins": Row((), ("glimpse3d.errors", "glimpse3d.settings", "glimpse3d.stages")),
    "glimpse3d.coords": Row(
        ("numpy",), ("glimpse3d.errors", "glimpse3d.formats.sh", "glimpse3d.types")
    ),
    "glimpse3d.cloud_edits": Row(("numpy",), (*CONTRACTS, "glimpse3d.formats")),
    "glimpse3d.formats": Row(
        ("numpy",), ("glimpse3d.coords", "glimpse3d.errors", "glimpse3d.formats", "glimpse3d.types")
    ),
    "glimpse3d.focal_length": Row(("PIL",), ()),
    "glimpse3d.pictures": Row(("PIL", "numpy", "pillow_heif"), (*CONTRACTS, "glimpse3d")),
    "glimpse3d.pipeline": Row(("numpy",), (*CONTRACTS, *PIPELINE)),
    "glimpse3d.warm": Row((), ("glimpse3d.plugins", "glimpse3d.stages")),
    "glimpse3d.cuda_errors": Row((), ()),
    "glimpse3d.dif3d": Row(("numpy",), ("glimpse3d",)),
    "glimpse3d.cli": Row((), ("glimpse3d", "inference_server.cli")),
    "glimpse3d.cli_meter": Row((), ("glimpse3d.progress",)),
    "glimpse3d.cli_models": Row(
        (), tuple(f"glimpse3d.{name}" for name in ("cli_meter", "errors", "hub", *WEIGHTS))
    ),
    "glimpse3d.cli_splats": Row((), SPLAT_COMMANDS),
    "glimpse3d.cli_readers": Row(("PIL", "numpy"), ("glimpse3d",)),
    "glimpse3d.cli_optimise": Row((), ("glimpse3d",)),
    "glimpse3d.cli_options": Row((), (*CONTRACTS, "glimpse3d.plugins")),
    "glimpse3d.mesh_files": Row(("PIL", "numpy", "trimesh"), (*CONTRACTS, "glimpse3d.formats")),
    "glimpse3d.device": Row(("torch",), ("glimpse3d.errors",)),
    "glimpse3d.embedded_weights": Row(("onnxruntime",), ("glimpse3d.errors",)),
    # Weights: facts; what is on this machine; and the one file that talks to the hub.
    "glimpse3d.models": Row((), ()),
    "glimpse3d.weights": Row((), ("glimpse3d.errors", "glimpse3d.models", "glimpse3d.progress")),
    "glimpse3d.hub": Row(
        ("filelock", "httpx2", "huggingface_hub"),
        ("glimpse3d.errors", "glimpse3d.progress", *(f"glimpse3d.{name}" for name in WEIGHTS)),
    ),
    # Backends. That they do not import each other is checked by what they reach, see below.
    "glimpse3d.pixel_values": Row(("PIL", "numpy"), ("glimpse3d.errors", "glimpse3d.types")),
    "glimpse3d.pretrained": Row(("torch", "transformers"), ("glimpse3d.errors", *MATHS)),
    **{
        f"glimpse3d.{name}": Row(
            (*COMPUTE, "torch"),
            (*CONTRACTS, *MATHS, "glimpse3d.pretrained", f"glimpse3d.{name.partition('.')[0]}"),
        )
        for name in ("captions", "depth", "mattes.sam", "mattes.sam_question")
    },
    "glimpse3d.mattes": Row(
        (*COMPUTE, "onnxruntime", "rembg"), (*CONTRACTS, *MATHS, "glimpse3d.mattes")
    ),
    "glimpse3d.reconstructors": Row(
        (*COMPUTE, "onnxruntime"), (*CONTRACTS, *MATHS, "glimpse3d.reconstructors")
    ),
    "glimpse3d.reconstructors.triposr": Row(
        (*COMPUTE, "safetensors", "torch", "torchmcubes", "xatlas", "yaml"),
        (*CONTRACTS, *MATHS, "glimpse3d.reconstructors.triposr"),
    ),
    "glimpse3d.splats": Row(COMPUTE, (*CONTRACTS, *MATHS, "glimpse3d.splats")),
    # What draws arrays, and what a fit is asked, know no torch.
    **{f"glimpse3d.splats.{name}": TENSORS for name in TENSOR_FILES},
    "glimpse3d.export": Row(
        (*COMPUTE, "imageio_ffmpeg"),
        (*CONTRACTS, *MATHS, *(f"glimpse3d.{name}" for name in EXPORTED)),
    ),
    "glimpse3d.unwrap": Row((*COMPUTE, "xatlas"), (*CONTRACTS, *MATHS)),
    # The server. What travels into the add-on knows neither numpy nor the core.
    "inference_server": Row(("msgpack", "zmq"), ("inference_server",)),
    **{module: Row(("msgpack", "zmq"), CLIENT) for module in CLIENT},
    "inference_server.errors": Row((), ()),
    "inference_server.protocol": Row(("msgpack",), ("inference_server.errors",)),
    "inference_server.connection": Row((), ("inference_server.errors",)),
    "inference_server.__main__": Row((), ("glimpse3d.cli",)),
    "inference_server.data_folder": Row((), ()),
    "inference_server.gate": Row(("zmq",), ("glimpse3d.errors",)),
    "inference_server.keys": Row(("zmq",), ("glimpse3d.errors", "inference_server.connection")),
    "inference_server.doctor": Row((), CLIENT),
    "inference_server.invites": Row(
        ("zmq",), ("glimpse3d.errors", "inference_server.connection", "inference_server.keys")
    ),
    "inference_server.quotas": Row((), ("inference_server.errors",)),
    "inference_server.memory": Row((), ()),
    "inference_server.cli_workers": Row((), ("glimpse3d.errors", "inference_server")),
    "inference_server.metrics": Row((), ("glimpse3d.errors",)),
    "inference_server.retention": Row((), ("inference_server.store",)),
    "inference_server.store": Row(("msgpack",), ("glimpse3d.errors", *TASKS)),
    "inference_server.durable": Row((), ()),
    "inference_server.artifacts": Row(
        (), ("glimpse3d.errors", "glimpse3d.export.folder", "inference_server.durable")
    ),
    "inference_server.catalogue": Row(
        (), (*CONTRACTS, "glimpse3d.plugins", *(f"glimpse3d.{name}" for name in WEIGHTS))
    ),
    "inference_server.dispatch": Row((), ("glimpse3d.errors", *QUEUE)),
    "inference_server.jobs": Row(
        ("msgpack",),
        ("glimpse3d.__version__", "glimpse3d.errors", "glimpse3d.formats", *QUEUE, *CLIENT),
    ),
    "inference_server.transport": Row(
        ("zmq",), ("glimpse3d.__version__", "glimpse3d.errors", "inference_server")
    ),
    "inference_server.server": Row((), ("glimpse3d.export.folder", "inference_server")),
    "inference_server.worker": Row(
        ("PIL", "msgpack"),
        (
            "glimpse3d",
            *(f"inference_server.{name}" for name in ("catalogue", "logs", "small_results")),
            *COMPUTING,
        ),
    ),
    "inference_server.shortage": Row(
        (), (*CONTRACTS, "glimpse3d.plugins", "glimpse3d.warm", "inference_server.memory", *TASKS)
    ),
    "inference_server.devices": Row((), ()),
    "inference_server.executors": Row(("msgpack", "ray"), EXECUTORS),
    "inference_server.logs": Row((), ()),
    "inference_server.backup": Row(
        (), ("glimpse3d.errors", "glimpse3d.export.folder", "glimpse3d.progress", *QUEUE)
    ),
    "inference_server.small_results": Row(("numpy",), ("glimpse3d", "inference_server.shortage")),
    "inference_server.remote": Row((), ("glimpse3d.progress", *CLIENT)),
    "inference_server.cli": Row((), (*CONTRACTS, "glimpse3d.export.folder", "inference_server")),
    # The add-on knows our packages by its own copies alone. Sockets only through the client;
    # scene/ knows no panels; what moves jobs and the local server knows no bpy.
    "blender_addon": Row(("bpy",), ("blender_addon",)),
    "blender_addon.ui": Row(("bpy", "gpu", "gpu_extras", "mathutils"), ("blender_addon",)),
    "blender_addon.cutouts": Row((), ("blender_addon._vendor", "blender_addon.history")),
    "blender_addon.schema": Row((), ()),
    **{
        f"blender_addon.ui.{name}": Row(("bpy", "bpy_extras"), ("blender_addon",))
        for name in ("camera_files", "splat_files")
    },
    "blender_addon.history": Row((), ("blender_addon.child",)),
    "blender_addon.jobs": Row((), ("blender_addon._vendor", "blender_addon.history")),
    "blender_addon.session": Row(
        (), ("blender_addon._vendor", *(f"blender_addon.{name}" for name in SESSION))
    ),
    "blender_addon.weights": Row((), ("blender_addon._vendor", "blender_addon.history")),
    "blender_addon.child": Row((), ()),
    "blender_addon.checkup": Row((), ("blender_addon._vendor", "blender_addon.child")),
    "blender_addon.gpu_probe": Row((), ()),
    "blender_addon.install_log": Row((), ()),
    "blender_addon.power": Row((), ("blender_addon.child",)),
    "blender_addon.removal": Row((), ("blender_addon.history",)),
    "blender_addon.server_folder": Row((), ("blender_addon.power",)),
    "blender_addon.servers": Row((), ("blender_addon._vendor",)),
    "blender_addon.launcher": Row((), tuple(f"blender_addon.{name}" for name in LAUNCHER)),
    "blender_addon.local": Row(
        (), tuple(f"blender_addon.{name}" for name in ("history", "launcher", "power"))
    ),
    "blender_addon.scene": Row(
        ("bpy", "bpy_extras", "gpu", "mathutils", "numpy"),
        ("blender_addon._vendor.glimpse3d", "blender_addon.scene"),
    ),
    "blender_addon._vendor": Row(("msgpack", "numpy", "zmq"), ("blender_addon._vendor",)),
    # How the weights were made: takes what it likes, and nothing imports it.
    "training": Row(
        (*COMPUTE, "onnx", "onnxruntime", "torch", "trimesh"), ("glimpse3d", "training")
    ),
}
# Pickled data runs code when it is read; weights, caches and messages are plain formats.
BANNED = ("marshal", "pickle", "shelve")
# Python threads inside Blender are unsupported and crash it; the add-on polls from one timer.
THREADS = (
    "_thread", "asyncio", "concurrent", "multiprocessing", "queue", "socketserver", "threading",
)  # fmt: skip
THREADLESS = ("blender_addon",)

# Importing these costs little: no package beyond LIGHT_FOREIGN, directly or through ours.
LIGHT_FOREIGN = ("PIL", "numpy")
BACKENDS = {
    f"{stage}/{name}": target.partition(":")[0]
    for stage, targets in plugins.BUILTIN.items()
    for name, target in targets.items()
}
_LIGHT = (
    "__init__ cli cli_models cli_optimise cli_options cli_readers cli_splats models pipeline"
    " plugins weights"
)
LIGHT = (*(f"glimpse3d.{name}" for name in _LIGHT.split()), *CONTRACTS, *BACKENDS.values())


def row_for(module: str) -> Row:
    fitting = [name for name in ALLOWED if below(module, (name,))]
    return ALLOWED[max(fitting, key=len)]


def forbidden(modules: dict[str, str]) -> list[str]:
    """Every import that the table does not allow."""
    found = []
    for module, source in modules.items():
        row = row_for(module)
        for name, line, _ in imports_of(module, source):
            top_level = name.partition(".")[0]
            if top_level in PACKAGES:
                allowed = below(name, row.ours)
            elif top_level in sys.stdlib_module_names:
                banned = (*BANNED, *THREADS) if below(module, THREADLESS) else BANNED
                allowed = top_level not in banned
            else:
                allowed = top_level in row.foreign
            if not allowed:
                found.append(f"{module}:{line} imports {name}")
    return found


def resolved(name: str, modules: dict[str, str]) -> list[str]:
    """Our modules that run when ``name`` is imported: the module and the packages around it."""
    parts = name.split(".")
    chain = [".".join(parts[: count + 1]) for count in range(len(parts))]
    return [each for step in chain for each in (f"{step}.__init__", step) if each in modules]


def reached(start: str, modules: dict[str, str], top_only: bool) -> dict[str, list[Import]]:
    """All our modules that ``start`` leads to, with their imports."""
    seen: dict[str, list[Import]] = {}
    waiting = resolved(start, modules)
    while waiting:
        module = waiting.pop()
        if module not in seen:
            seen[module] = [
                each for each in imports_of(module, modules[module]) if each.top or not top_only
            ]
            waiting += [far for each in seen[module] for far in resolved(each.name, modules)]
    return seen


def heavy_imports(modules: dict[str, str]) -> list[str]:
    """Every import that makes a light module slow to import."""
    found = []
    for start in LIGHT:
        for module, imports in reached(start, modules, top_only=True).items():
            for name, line, _ in imports:
                top_level = name.partition(".")[0]
                if top_level not in (*PACKAGES, *LIGHT_FOREIGN, *sys.stdlib_module_names):
                    found.append(f"{start} leads to {module}:{line}, which imports {name}")
    return found


def shared_backends(modules: dict[str, str]) -> list[str]:
    """Files in a backend's folder that two backends lead to."""
    folders = tuple({name.rpartition(".")[0] for name in BACKENDS.values()})
    owner: dict[str, str] = {}
    found = []
    for backend, start in BACKENDS.items():
        for module in reached(start, modules, top_only=False):
            shared = module.endswith("__init__") or below(module, MATHS)
            if below(module, folders) and not shared:
                first = owner.setdefault(module, backend)
                if first != backend:
                    found.append(f"{first} and {backend} both lead to {module}")
    return found


@pytest.fixture(scope="module")
def tree() -> dict[str, str]:
    return modules_under(ROOT)


def test_every_import_is_allowed(tree: dict[str, str]) -> None:
    assert len(tree) > 20
    assert forbidden(tree) == []


def test_light_modules_stay_light(tree: dict[str, str]) -> None:
    missing = [name for name in LIGHT if not resolved(name, tree)]
    assert missing == []
    assert heavy_imports(tree) == []


def test_backends_never_import_each_other(tree: dict[str, str]) -> None:
    assert shared_backends(tree) == []


@pytest.mark.parametrize(
    ("module", "planted", "name"),
    [
        ("glimpse3d.framing", "import torch", "torch"),
        ("glimpse3d.pipeline", "def hidden():\n    import zmq", "zmq"),
        (
            "glimpse3d.export.bundle",
            "class A:\n  async def b(self):\n    import msgpack",
            "msgpack",
        ),
        ("glimpse3d.splats.render", "from torch import nn", "torch.nn"),
        ("glimpse3d.types", "if TYPE_CHECKING:\n    import bpy", "bpy"),
        ("glimpse3d.distance", "import importlib\nimportlib.import_module('torch')", "torch"),
        ("glimpse3d.distance", "a = lambda: __import__('torch.cuda')", "torch.cuda"),
        ("glimpse3d.mattes.alpha", "from ..reconstructors import inflate", ".inflate"),
        ("glimpse3d.mattes.alpha", "from .. import reconstructors", ".reconstructors"),
        ("glimpse3d.mattes.__init__", "from ..pipeline import run", ".pipeline.run"),
        ("glimpse3d.mattes.alpha", "import_module('..pipeline', __package__)", ".pipeline"),
        ("glimpse3d.formats.splat_ply", "import plyfile", "plyfile"),
        ("glimpse3d.formats.cameras", "from ..export import *", "glimpse3d.export"),
        ("glimpse3d.settings", "from . import plugins", "glimpse3d.plugins"),
        ("glimpse3d.weights", "import pickle", "pickle"),
        ("glimpse3d.weights", "from . import hub", "glimpse3d.hub"),
        ("glimpse3d.mattes.alpha", "from .. import hub", "glimpse3d.hub"),
        ("glimpse3d.texture", "import training.shapes", "training.shapes"),
        ("glimpse3d.texture", "from benchmarks import quality", "benchmarks.quality"),
        ("inference_server.protocol", "import numpy", "numpy"),
        ("inference_server.client", "from . import store", "inference_server.store"),
        ("inference_server.transport", "import torch", "torch"),
        ("blender_addon.jobs", "import bpy", "bpy"),
        ("blender_addon.launcher", "from . import session", "blender_addon.session"),
        ("blender_addon.ui.drawing", "from glimpse3d import errors", "glimpse3d.errors"),
        ("blender_addon.jobs", "from inference_server import client", "inference_server.client"),
        ("blender_addon.ui.drawing", "import zmq", "zmq"),
        ("blender_addon.scene.mesh", "from ..ui import drawing", "blender_addon.ui.drawing"),
        ("blender_addon.scene.mesh", "import glimpse3d.coords", "glimpse3d.coords"),
        ("blender_addon.jobs", "def hidden():\n    import threading", "threading"),
        ("blender_addon.ui.drawing", "from concurrent import futures", "concurrent.futures"),
        ("blender_addon._vendor.x.client", "import asyncio", "asyncio"),
        ("build", "import numpy", "numpy"),
        ("addon_build.extension", "import hatchling", "hatchling"),
    ],
)
def test_planted_import_is_found(module: str, planted: str, name: str, tmp_path: Path) -> None:
    file = tmp_path.joinpath(*module.split(".")).with_suffix(".py")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(f'"""Planted."""\n\nimport json\n\n{planted}\n', "utf-8")
    found = forbidden(modules_under(tmp_path))
    assert len(found) == 1
    assert found[0].startswith(f"{module}:") and found[0].endswith(name)


def test_planted_heavy_import_is_found(tree: dict[str, str]) -> None:
    planted = {**tree, "glimpse3d.framing": "import scipy.ndimage"}
    planted["glimpse3d.pipeline"] += "\nfrom . import framing\n"
    assert any(
        "glimpse3d.pipeline leads to glimpse3d.framing:1" in row for row in heavy_imports(planted)
    )
    planted["glimpse3d.framing"] = "def later():\n    import scipy.ndimage\n"
    assert heavy_imports(planted) == heavy_imports(tree)


def test_planted_tie_between_backends_is_found(tree: dict[str, str]) -> None:
    first, second = plugins.BUILTIN["matte"]["alpha"], plugins.BUILTIN["matte"]["grabcut"]
    one, two = first.partition(":")[0], second.partition(":")[0]
    planted = {
        **tree,
        two: "",
        one: f"def hidden():\n    from .{two.rpartition('.')[2]} import GrabCut\n",
    }
    assert f"matte/alpha and matte/grabcut both lead to {two}" in shared_backends(planted)


def source_files() -> list[Path]:
    folders = [ROOT / name for name in (*PACKAGES, "benchmarks", "examples", "tests")]
    files = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    return [path for path in [*files, ROOT / "build.py"] if "_vendor" not in path.parts]


def test_every_file_says_what_it_is_for() -> None:
    said = [path for path in source_files() if path.parts[len(ROOT.parts)] != "tests"]
    assert [
        path for path in said if not ast.get_docstring(ast.parse(path.read_text("utf-8")))
    ] == []


def test_files_are_short_and_named_after_what_they_hold() -> None:
    files = source_files()
    vague = {"base", "common", "helper", "helpers", "manager", "misc", "util", "utils"}
    assert [path for path in files if path.stem in vague] == []
    assert [path for path in files if path.read_text("utf-8").count("\n") > LONGEST_FILE] == []
