"""The connection doctor, run beside Blender: its questions wait, and Blender must not.

Owns the child process that asks them and the verdicts that it has told so far. The child is
Blender's own Python with the copies that travel in ``_vendor``. Must not know the questions. No
bpy, no threads: ``poll`` reads what was told, and never waits.
"""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

from ._vendor.inference_server.doctor import STEPS, Verdict
from .child import Child

HERE = Path(__file__).parent
# The string comes on the standard input: a command line can be read by everybody on the machine.
CODE = """
import dataclasses, json, sys
sys.path[:0] = sys.argv[1:]
from inference_server import doctor
for verdict in doctor.examine(sys.stdin.readline()):
    print(json.dumps(dataclasses.asdict(verdict)), flush=True)
"""


class Checkup:
    """One examination of one server.

    Attributes:
        verdicts: what is known so far, in the order of ``STEPS``.
        running: more is to come.

    Args:
        folder: what the child says is kept there while it runs.
        string: the connection string.
        python: the interpreter to ask with.

    Raises:
        OSError: the child cannot be started.
    """

    def __init__(self, folder: Path, string: str, python: Path) -> None:
        self.verdicts: list[Verdict] = []
        self.running = True
        self._output = folder / "checkup.out"
        self._errors = folder / "checkup.log"
        command = [str(python), "-I", "-B", "-c", CODE, *_paths()]
        self._child = Child(command, self._output, self._errors)
        self._child.say(f"{string}\n")

    @property
    def pending(self) -> tuple[str, ...]:
        """The steps of which nothing is known."""
        known = {each.step for each in self.verdicts}
        return tuple(step for step in STEPS if step not in known)

    @property
    def fault(self) -> Verdict | None:
        """The step that failed, if one did."""
        return next((each for each in self.verdicts if not each.well), None)

    def poll(self) -> bool:
        """Look what was told; true if something is new."""
        if not self.running:
            return False
        code = self._child.code  # before reading: what it told last is there then
        before = len(self.verdicts)
        lines = self._output.read_bytes().split(b"\n")[:-1]
        self.verdicts = [Verdict(**json.loads(line)) for line in lines]
        if code is not None:
            if code:
                self.verdicts.append(_broken(code, self._errors))
            self._end()
        return code is not None or len(self.verdicts) != before

    def close(self) -> None:
        """Ask no more."""
        if self.running:
            self._end()

    def _end(self) -> None:
        self.running = False
        self._child.kill()
        self._output.unlink(missing_ok=True)
        self._errors.unlink(missing_ok=True)


def _paths() -> list[str]:
    """Where the child finds what the doctor imports; ``-I`` lets it look nowhere else."""
    paths = [str(HERE / "_vendor")]
    for package in ("zmq", "msgpack"):
        spec = importlib.util.find_spec(package)
        if spec is not None and spec.origin is not None:
            paths.append(str(Path(spec.origin).parents[1]))
    return list(dict.fromkeys(paths))


def _broken(code: int, errors: Path) -> Verdict:
    lines = errors.read_text("utf-8", "replace").strip().splitlines()
    said = lines[-1] if lines else f"code {code}"
    return Verdict("server", False, f"the examination itself failed: {said}", "start it again")
