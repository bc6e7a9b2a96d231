"""What can be added to the local server: a build of PyTorch, and the methods that need it.

Owns the table of builds and parts with their download sizes, which build fits a machine, and the
search for a GPU, in a child process. Must not know how anything is installed. No bpy, and torch is
never imported: Blender's Python has none.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from .child import Child

PROBE = Path(__file__).parent / "gpu_probe.py"
TORCH = "torch"  # what the panel calls the part that all others need


@dataclass(frozen=True, slots=True)
class Build:
    """A build of PyTorch.

    Attributes:
        name: as its version ends; ``usual`` is the one that the package index itself has.
        title: what to call it.
        index: where it is fetched from; empty is the package index alone.
        cuda: the least that the driver must speak, as drivers count: 13000 is 13.0. 0 is no GPU.
        megabytes: what is fetched, with all that it needs, by ``sys.platform``.
    """

    name: str
    title: str
    index: str
    cuda: int
    megabytes: dict[str, int]

    def offered(self, system: str) -> bool:
        """There is such a build for this system."""
        return system in self.megabytes


# Sizes of 2.13: Linux and the usual builds as the index states them; cu126 and cu130 for Windows
# are those of 2.12, rounded up.
_INDEX = "https://download.pytorch.org/whl/"
BUILDS = (
    Build("cu130", "CUDA 13.0", f"{_INDEX}cu130", 13000, {"linux": 2750, "win32": 1900}),
    Build("cu126", "CUDA 12.6", f"{_INDEX}cu126", 12060, {"linux": 2900, "win32": 2700}),
    Build("cpu", "processor only", f"{_INDEX}cpu", 0, {"linux": 205, "win32": 135}),
    Build("usual", "Apple GPU", "", 0, {"darwin": 125}),
)


@dataclass(frozen=True, slots=True)
class Part:
    """A method, or several that need the same packages.

    Attributes:
        name: the project's extra.
        title: what to call it.
        about: what it brings.
        megabytes: what is fetched beside PyTorch.
        modules: what must be importable afterwards.
    """

    name: str
    title: str
    about: str
    megabytes: int
    modules: tuple[str, ...]


PARTS = (
    Part(
        "triposr", "TripoSR", "Objects from one picture, by a large network",
        15, ("safetensors", "xatlas", "yaml"),
    ),
    Part(
        "readers", "SAM, depth and captions", "Cut out by a click, read depth, describe a picture",
        30, ("safetensors", "transformers"),
    ),
)  # fmt: skip


class Extras(NamedTuple):
    """What is installed beside the server's own packages.

    Attributes:
        torch: the name of a build; empty is none.
        parts: names of parts, in the table's order; none without a build.
    """

    torch: str = ""
    parts: tuple[str, ...] = ()

    def line(self) -> str:
        """As it is noted in the server's folder."""
        return " ".join((self.torch, *self.parts))

    @classmethod
    def read(cls, line: str) -> Extras:
        """What such a line says; names that this release does not know are left out."""
        names = line.split()
        torch = next((each.name for each in BUILDS if each.name in names), "")
        parts = tuple(each.name for each in PARTS if each.name in names)
        return cls(torch, parts if torch else ())

    def added(self, part: str, build: str) -> Extras:
        """With this part; what it needs comes with it. ``torch`` is PyTorch alone."""
        names = {*self.parts, part}
        parts = tuple(each.name for each in PARTS if each.name in names)
        return Extras(build if part == TORCH else self.torch or build, parts)

    def removed(self, part: str) -> Extras:
        """Without this part; without PyTorch nothing stays that needs it."""
        if part == TORCH:
            return Extras()
        return self._replace(parts=tuple(name for name in self.parts if name != part))

    @property
    def build(self) -> Build | None:
        """The build of PyTorch."""
        return next((each for each in BUILDS if each.name == self.torch), None)

    @property
    def chosen(self) -> tuple[Part, ...]:
        """The parts."""
        return tuple(each for each in PARTS if each.name in self.parts)

    def megabytes(self, system: str = sys.platform) -> int:
        """What is fetched for all of it, where nothing of it was fetched before."""
        torch = self.build.megabytes.get(system, 0) if self.build is not None else 0
        return torch + sum(each.megabytes for each in self.chosen)


@dataclass(frozen=True, slots=True)
class Gpus:
    """The NVIDIA GPUs of this machine.

    Attributes:
        names: of all of them.
        memory_mb: of the largest.
        driver: its version; may be unknown.
        cuda: the newest that the driver speaks, 13000 is 13.0.
        seen_by: what told it.
    """

    names: tuple[str, ...] = ()
    memory_mb: int = 0
    driver: str = ""
    cuda: int = 0
    seen_by: str = ""

    @classmethod
    def read(cls, text: str) -> Gpus:
        """What the probe printed.

        Raises:
            ValueError, KeyError, TypeError: it is nothing of the kind.
        """
        values = json.loads(text)
        names = tuple(str(each["name"]) for each in values["gpus"])
        memory = max((int(each["memory_mb"]) for each in values["gpus"]), default=0)
        return cls(names, memory, str(values["driver"]), int(values["cuda"]), values["seen_by"])


def fitting(gpus: Gpus, system: str = sys.platform) -> Build:
    """The build that fits this machine best: the newest that its driver speaks, or none's."""
    able = gpus.cuda if gpus.names else 0
    return next(each for each in BUILDS if each.offered(system) and each.cuda <= able)


class GpuSearch:
    """One look for GPUs.

    Attributes:
        found: what there is, once it is known.

    Args:
        folder: what the child says is kept there while it runs.
        python: the interpreter to ask with.

    Raises:
        OSError: the child cannot be started.
    """

    def __init__(self, folder: Path, python: Path) -> None:
        self.found: Gpus | None = None
        self._output = folder / "gpu.out"
        self._child = Child([str(python), "-I", "-B", str(PROBE)], self._output)

    def poll(self) -> bool:
        """Look whether it is known; true if it just came to be."""
        if self.found is not None or self._child.code is None:
            return False
        try:
            self.found = Gpus.read(self._output.read_text("utf-8"))
        except (OSError, ValueError, KeyError, TypeError):
            self.found = Gpus()  # a driver that crashes its own question is no use either
        self.close()
        return True

    def close(self) -> None:
        """Ask no more."""
        self._child.kill()
        self._output.unlink(missing_ok=True)
