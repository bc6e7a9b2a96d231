"""The process that computes.

Owns its life and what each kind of job means there. Must not know the store, sockets, or who is at
the other end of its pipe. It keeps models warm between jobs; nothing is pickled: both ends speak
msgpack maps (see ``executors.reports``), and results go to the disk.
"""

from __future__ import annotations

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
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgpack

from glimpse3d import cuda_errors
from glimpse3d.errors import BadFile, Cancelled, Glimpse3DError, OutOfMemory, unexpected
from glimpse3d.progress import Progress, Report

from . import catalogue, logs, shortage, small_results

if TYPE_CHECKING:
    from glimpse3d.types import Image, Prompt

    from .executors.interface import WorkerOptions

log = logging.getLogger(__name__)

REPORT_SECONDS = 0.1
PREVIEW_SECONDS = 0.5
PREVIEW_SIDE = 256  # pixels


def main(pipe: Connection, options: WorkerOptions) -> None:
    """The process's life.

    Args:
        pipe: where jobs come from and reports go.
        options: how it behaves.
    """
    logs.configure_child(options.level)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # ctrl-C is the server's to handle
    die_with_parent()
    shortage.limit(options.memory)
    if options.warm:
        _warm_up()
    say(pipe, type="ready")
    while True:
        try:
            message = msgpack.unpackb(pipe.recv_bytes())
        except (EOFError, OSError):
            return
        if message["type"] == "job":  # a cancel that comes too late is dropped
            say(pipe, job=message["job"], **_work(pipe, message))
            if options.warm:
                shortage.trim(options)


def _warm_up() -> None:
    from glimpse3d import pictures, pipeline
    from glimpse3d.export import bundle
    from glimpse3d.splats import render

    log.debug("warm: %s, %s, %s", pictures, pipeline, bundle)
    render.compile_in_background()


def say(pipe: Connection, **message: Any) -> None:
    """Send a message."""
    pipe.send_bytes(msgpack.packb(message))


def die_with_parent() -> None:
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
    watcher = _Watcher(pipe, job["job"])
    try:
        files = _WORK[job["request"]["kind"]](job, watcher)
        return {"type": "done", "files": files, "warning": watcher.warning}
    except Cancelled:
        return {"type": "cancelled"}
    except Exception as error:
        return _failure(job, error)


def _failure(job: Mapping[str, Any], error: Exception) -> dict[str, Any]:
    if lost := cuda_errors.lost_context(error):  # whatever it became on the way here
        return {"type": "broken", "how": f"lost its GPU ({lost})"}
    if isinstance(error, MemoryError):
        error = OutOfMemory(f"memory ran out: {shortage.numbers()}", shortage.HINT)
    problem = error if isinstance(error, Glimpse3DError) else unexpected(error)
    log.info("job %s failed: %s", job["job"].hex(), problem)
    message = problem.message.replace(job["folder"], "the result")  # strangers read it: no path
    return {"type": "failed", "code": problem.code, "message": message[:2000],
            "hint": problem.hint[:2000]}  # fmt: skip


def _generate(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    image, prompt = _picture(job)
    folder, settings = Path(job["folder"]), catalogue.settings_of(job["request"])
    watcher.warning = shortage.thrifty(
        lambda attempt: _make(image, prompt, attempt, folder, watcher), settings
    )
    return _listed(folder)


def _picture(job: Mapping[str, Any]) -> tuple[Image, Prompt]:
    from glimpse3d import pictures
    from glimpse3d.types import Prompt

    uploads = job["uploads"]
    image = pictures.read(_bytes(uploads["image"]))
    mask = pictures.read_mask(_bytes(uploads["mask"]), image) if "mask" in uploads else None
    return image, Prompt(catalogue.prompt_box(job["request"]), mask)


def _make(
    image: Image, prompt: Prompt, attempt: shortage.Attempt, folder: Path, watcher: _Watcher
) -> None:
    """Compute and write a result; what an attempt does without stands in its manifest."""
    from glimpse3d import pipeline
    from glimpse3d.export import bundle

    progress = Progress(watcher.report, watcher.cancelled)
    with progress.stage("generate", 0.6) as part:
        result = pipeline.run(image, attempt.settings, part, prompt)
    watcher.show(result.cutout)
    result = replace(result, choices={**result.choices, **attempt.choices()})
    with progress.stage("write", 0.4) as part:
        bundle.save(result, folder, part)


def _cut_out(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    image, prompt = _picture(job)
    folder, settings = Path(job["folder"]), catalogue.settings_of(job["request"])

    def make(attempt: shortage.Attempt) -> None:
        progress = Progress(watcher.report, watcher.cancelled)
        small_results.cut_out(image, prompt, attempt, folder, progress)

    watcher.warning = shortage.thrifty(make, settings, ("matte",))
    return small_results.listed(folder)


def _lay_splats(job: Mapping[str, Any], watcher: _Watcher) -> list[dict[str, Any]]:
    folder, settings = Path(job["folder"]), catalogue.settings_of(job["request"])

    def make(attempt: shortage.Attempt) -> None:
        progress = Progress(watcher.report, watcher.cancelled)
        small_results.lay_splats(mesh, attempt, folder, progress)

    with tempfile.TemporaryDirectory(prefix="glimpse3d-") as near:
        mesh = Path(near) / "mesh.glb"  # readers go by the ending, and uploads have none
        mesh.write_bytes(_bytes(job["uploads"]["mesh"]))
        watcher.warning = shortage.thrifty(make, settings, ())
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
    """Passes reports up the pipe, not too many, and looks for a cancel on the way.

    Attributes:
        warning: what is to be said of the result, or nothing.
    """

    def __init__(self, pipe: Connection, job: bytes) -> None:
        self.warning = ""
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
            say(self._pipe, type="progress", job=self._job, **about)
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
