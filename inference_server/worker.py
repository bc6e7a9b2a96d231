"""The process that computes, and the server's end of it.

Owns the child's life, its two-way pipe and what a job means there. Must not know the store or
sockets. The child keeps its backends warm between jobs; nothing is pickled: both ends speak
msgpack maps, and results go to the disk.
"""

from __future__ import annotations

import contextlib
import ctypes
import io
import logging
import multiprocessing
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from glimpse3d.errors import BadFile, Cancelled, Glimpse3DError, OutOfMemory, unexpected
from glimpse3d.progress import Progress, Report

from . import catalogue, logs, small_results

if TYPE_CHECKING:
    from glimpse3d.types import Image, Prompt

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.1
PREVIEW_SECONDS = 0.5
PREVIEW_SIDE = 256  # pixels


class Worker:
    """The server's end: one child process at a time.

    Attributes:
        state: ``none``, ``starting``, ``idle`` or ``busy``.
    """

    def __init__(self) -> None:
        self.state = "none"
        self._process: multiprocessing.process.BaseProcess | None = None
        self._pipe: Connection | None = None

    def start(self) -> None:
        """Spawn the child; it is idle once it said so."""
        spawn = multiprocessing.get_context("spawn")
        self._pipe, theirs = spawn.Pipe()
        level = logging.getLogger().getEffectiveLevel()
        self._process = spawn.Process(target=_main, args=(theirs, level), name="glimpse3d worker")
        self._process.start()
        theirs.close()
        self.state = "starting"

    @property
    def pipe(self) -> Connection | None:
        """Readable when the child said something or died."""
        return self._pipe

    def give(self, job: Mapping[str, Any]) -> None:
        """Hand a job to an idle child."""
        self.state = "busy"
        self._send({"type": "job", **job})

    def cancel(self, job: bytes) -> None:
        """Ask the child to stop at its next report."""
        self._send({"type": "cancel", "job": job})

    def _send(self, message: Mapping[str, Any]) -> None:
        assert self._pipe is not None
        with contextlib.suppress(OSError):  # a dead child is noticed by ``receive``
            self._pipe.send_bytes(msgpack.packb(message))

    def receive(self) -> list[dict[str, Any]]:
        """What the child said since the last call; never waits.

        A child that died says ``{"type": "died", "how": ...}`` last, and the state is ``none``.
        """
        said: list[dict[str, Any]] = []
        try:
            while self._pipe is not None and self._pipe.poll(0):
                message = msgpack.unpackb(self._pipe.recv_bytes(), max_ext_len=0)
                said.append(message)
                if message["type"] in ("ready", "done", "failed", "cancelled"):
                    self.state = "idle"
        except (EOFError, OSError):
            said.append({"type": "died", "how": self.kill()})
        return said

    def kill(self) -> str:
        """End the child now; returns how it had ended, for people."""
        if self._process is None or self._pipe is None:
            return "was not running"
        self._process.join(0.2)
        before = self._process.exitcode
        if before is None:
            self._process.kill()
            self._process.join(5.0)
        self._pipe.close()
        self._process = self._pipe = None
        self.state = "none"
        if before is None:
            return "was stopped"
        return f"was ended by signal {-before}" if before < 0 else f"ended with code {before}"


def _main(pipe: Connection, level: int) -> None:
    """The child's life."""
    logs.configure_child(level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the server's to handle
    _die_with_parent()
    from glimpse3d import pictures, pipeline
    from glimpse3d.export import bundle
    from glimpse3d.splats import render

    log.debug("warm: %s, %s, %s", pictures, pipeline, bundle)
    _say(pipe, type="ready")
    render.compile_in_background()
    while True:
        try:
            message = msgpack.unpackb(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        if message["type"] == "job":  # a cancel that comes too late is dropped
            _say(pipe, job=message["job"], **_work(pipe, message))


def _say(pipe: Connection, **message: Any) -> None:
    pipe.send_bytes(msgpack.packb(message))


def _die_with_parent() -> None:
    """No orphans: Linux kills the child even while it computes, elsewhere a thread sees to it."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent.pid:
            os._exit(1)

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _work(pipe: Connection, job: Mapping[str, Any]) -> dict[str, Any]:
    """Run one job to its end, whatever that is."""
    try:
        work = _WORK[job["request"]["kind"]]
        return {"type": "done", "files": work(job, _Watcher(pipe, job["job"]))}
    except Cancelled:
        return {"type": "cancelled"}
    except MemoryError:
        problem: Glimpse3DError = OutOfMemory(
            "the server ran out of memory", "take a smaller preset"
        )
    except Glimpse3DError as error:
        problem = error
    except Exception as error:
        problem = unexpected(error)
    log.info("job %s failed: %s", job["job"].hex(), problem)
    return {"type": "failed", "code": problem.code, "message": problem.message,
            "hint": problem.hint}  # fmt: skip


def _generate(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    from glimpse3d import pipeline
    from glimpse3d.export import bundle

    image, prompt = _picture(job)
    progress = Progress(watcher.report, watcher.cancelled)
    with progress.stage("generate", 0.6) as part:
        result = pipeline.run(image, catalogue.settings_of(job["request"]), part, prompt)
    watcher.show(result.cutout)
    with progress.stage("write", 0.4) as part:
        bundle.save(result, Path(job["folder"]), part)
    return _listed(Path(job["folder"]))


def _picture(job: Mapping[str, Any]) -> tuple[Image, Prompt]:
    from glimpse3d import pictures
    from glimpse3d.types import Prompt

    uploads = job["uploads"]
    image = pictures.read(_bytes(uploads["image"]))
    mask = pictures.read_mask(_bytes(uploads["mask"]), image) if "mask" in uploads else None
    return image, Prompt(catalogue.prompt_box(job["request"]), mask)


def _cut_out(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    image, prompt = _picture(job)
    folder, settings = Path(job["folder"]), catalogue.settings_of(job["request"])
    progress = Progress(watcher.report, watcher.cancelled)
    small_results.cut_out(image, prompt, settings, folder, progress)
    return small_results.listed(folder)


def _lay_splats(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    folder, settings = Path(job["folder"]), catalogue.settings_of(job["request"])
    progress = Progress(watcher.report, watcher.cancelled)
    with tempfile.TemporaryDirectory(prefix="glimpse3d-") as near:
        mesh = Path(near) / "mesh.glb"  # readers go by the ending, and uploads have none
        mesh.write_bytes(_bytes(job["uploads"]["mesh"]))
        small_results.lay_splats(mesh, settings, folder, progress)
    return small_results.listed(folder)


def _fetch_weights(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    """Bring a backend's weights into the hub's cache of this machine; there are no files to send.

    What was fetched stays: a cancel, a kill or another attempt goes on from there.
    """
    from glimpse3d import hub

    hub.fetch(catalogue.model_of(job["request"]), Progress(watcher.report, watcher.cancelled))
    return []


_WORK = {
    "generate": _generate,
    "cutout": _cut_out,
    "splats": _lay_splats,
    "fetch_weights": _fetch_weights,
}


def _bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise BadFile("an uploaded file is gone from the server's disk", "send it again") from error


def _listed(folder: Path) -> list[dict[str, Any]]:
    """Names, sizes and hashes of a result: its manifest's own list, and the manifest."""
    from glimpse3d.export.folder import sha256_of
    from glimpse3d.formats import manifest

    about = manifest.read(folder / manifest.NAME)
    files = [
        {"name": name, "size": entry.bytes, "sha256": bytes.fromhex(entry.sha256)}
        for name, entry in about.files.items()
    ]
    path = folder / manifest.NAME
    own = {"name": manifest.NAME, "size": path.stat().st_size}
    return [*files, {**own, "sha256": bytes.fromhex(sha256_of(path))}]


class _Watcher:
    """Passes reports up the pipe, not too many, and looks for a cancel on the way."""

    def __init__(self, pipe: Connection, job: bytes) -> None:
        self._pipe = pipe
        self._job = job
        self._stage = ""
        self._reported = self._shown = float("-inf")
        self._preview = b""
        self._asked_to_stop = False

    def cancelled(self) -> bool:
        """Whether the server asked to stop this job."""
        while self._pipe.poll(0):
            message = msgpack.unpackb(self._pipe.recv_bytes())
            self._asked_to_stop |= message["type"] == "cancel" and message["job"] == self._job
        return self._asked_to_stop

    def show(self, image: Image) -> None:
        """Send this picture with the next report."""
        self._preview = _thumbnail(image)
        self._reported = float("-inf")

    def report(self, report: Report) -> None:
        """Pass on a report if it is time."""
        now = time.monotonic()
        if report.preview is not None and now - self._shown >= PREVIEW_SECONDS:
            self._shown = now
            self._preview = _thumbnail(report.preview)
        due = now - self._reported >= REPORT_SECONDS
        if due or report.stage != self._stage or self._preview:
            self._reported, self._stage = now, report.stage
            words = {"stage": report.stage[:64], "note": report.note[:200]}
            about = {"fraction": report.fraction, **words, "preview": self._preview}
            _say(self._pipe, type="progress", job=self._job, **about)
            self._preview = b""


def _thumbnail(image: Image) -> bytes:
    """A small PNG; with a background it is a JPEG, for it is many times smaller."""
    import PIL.Image

    picture = PIL.Image.fromarray(image.rgba)
    picture.thumbnail((PREVIEW_SIDE, PREVIEW_SIDE))
    stream = io.BytesIO()
    if picture.getchannel("A").getextrema() == (255, 255):
        picture.convert("RGB").save(stream, "JPEG", quality=85)
    else:
        picture.quantize(256).save(stream, "PNG")
    return stream.getvalue()
