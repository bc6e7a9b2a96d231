"""Fetching weights from the Hugging Face hub, and removing them from its cache.

Owns the transfer: room on the disk, going on where a former try stopped, checksums, and what the
hub's refusals mean. Files land as the hub's own library lays them, so that both find them.
Must not know who asked the user, or what a model does. Imports the hub's library: not light.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
from filelock import Timeout
from huggingface_hub import HFCacheInfo, constants, get_hf_file_metadata, hf_hub_url, scan_cache_dir
from huggingface_hub.file_download import http_get
from huggingface_hub.utils import WeakFileLock, build_hf_headers

from . import weights
from .errors import BadFile, DiskFull, OutputFailed, WeightsMissing
from .models import Model, ModelFile
from .progress import Progress

_FULL = {errno.ENOSPC, errno.EFBIG, getattr(errno, "EDQUOT", errno.ENOSPC)}
_ETAG = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
# The library reads that much between two reports: its own 10 MB let a slow line look like a dead
# one, and a cancel wait.
constants.DOWNLOAD_CHUNK_SIZE = 1 << 20
_SHA256 = 64  # digits
_TRANSFER = 0.95  # of a file's share; the rest is hashing it


def fetch(model: Model, progress: Progress) -> Path:
    """Bring a model's files into the cache, each one checked, and return their folder.

    What a former try left is gone on from. Files that are here in full length are left alone;
    ``weights.verify`` reads those. Where no checksum was known beforehand, the one that the hub
    names at the pinned commit is taken, what is here is compared with it as well, and it is kept
    beside the files: from then on they are held to it.

    Raises:
        WeightsMissing: the hub is out of reach, or somebody else is fetching the same.
        BadFile: the hub serves another file than the pinned one.
        DiskFull: there is no room; asked before the transfer starts.
        OutputFailed: the cache cannot be written.
        Cancelled: the caller asked to stop.
    """
    model = weights.settled(model)
    weights.check_fetchable(model)
    absent = weights.missing(model)
    wanted = tuple(each for each in model.files if each in absent or not each.sha256)
    total = sum(file.size for file in wanted)
    learnt = []
    with _refusals(model):
        _check_room(model)
        for file in wanted:
            about = f"{weights.size_text(file.size)}, asking the hub"
            with progress.stage(f"fetch {file.name}", file.size / total, about) as part:
                learnt.append(_fetch_file(model, file, part))
        _keep(model, learnt)
    progress(1.0)
    return weights.snapshot(model.repo_id, model.revision)


def _keep(model: Model, learnt: list[ModelFile]) -> None:
    """Write down what the hub said of files whose checksums were not known."""
    known = {file.name: file for file in model.files} | {file.name: file for file in learnt}
    new = {file.name for file in learnt if file not in model.files}
    if not new:
        return
    path = weights.lock_of(model)
    content = {name: [file.size, file.sha256] for name, file in known.items()}
    begun = path.with_suffix(".incomplete")
    begun.write_text(json.dumps(content, indent=1), "utf-8")
    begun.replace(path)


def remove(model: Model) -> int:
    """Delete a model's revision from the cache, and what a broken fetch left; bytes freed.

    Raises:
        OutputFailed: something could not be deleted.
    """
    freed = 0
    with _refusals(model):
        if weights.snapshot(model.repo_id, model.revision).is_dir():
            plan = _cached(model).delete_revisions(model.revision)
            freed += plan.expected_freed_size
            plan.execute()
        for file in model.files:
            begun = weights.partial_of(model, file)
            if begun.is_file():
                freed += begun.stat().st_size
                begun.unlink()
        weights.lock_of(model).unlink(missing_ok=True)
    return freed


def _cached(model: Model) -> HFCacheInfo:
    """The cache as if the model's repository stood there alone: copies share commits."""
    cache = scan_cache_dir(weights.hub_folder())
    wanted = ("model", model.repo_id)
    alone = (each for each in cache.repos if (each.repo_type, each.repo_id) == wanted)
    return replace(cache, repos=frozenset(alone))


def _check_room(model: Model) -> None:
    """Refuse a transfer that cannot end.

    Raises:
        DiskFull: naming what is needed and what there is.
    """
    place = weights.hub_folder()
    ground = next(folder for folder in (place, *place.parents) if folder.is_dir())
    free, needed = shutil.disk_usage(ground).free, weights.bytes_to_fetch(model)
    if needed > free:
        raise DiskFull(
            f"{model.title} needs {weights.size_text(needed)} in {place}, "
            f"and {weights.size_text(free)} are free",
            "free some space, or set HF_HOME to a folder on another disk",
        )


def _fetch_file(model: Model, file: ModelFile, progress: Progress) -> ModelFile:
    """Transfer one file, check it and put it where the hub's library looks for it.

    Returns:
        the file with its exact size and its checksum.
    """
    endpoint = _endpoint()
    url = hf_hub_url(model.repo_id, file.name, revision=model.revision, endpoint=endpoint)
    headers = build_hf_headers(library_name="glimpse3d")
    served = get_hf_file_metadata(url, headers=headers, endpoint=endpoint)
    etag = served.etag if served.etag and _ETAG.fullmatch(served.etag) else file.sha256
    begun = weights.partial_of(model, file)
    if not file.sha256:
        file = _told(model, file, served, etag)
    if served.size not in (None, file.size):
        raise _another(model, file, f"{served.size} bytes instead of {file.size}")
    store = weights.repository(model.repo_id)
    lock = store.parent / ".locks" / store.name / f"{etag}.lock"  # the library's own
    blob = begun.with_name(etag)
    for folder in (lock.parent, blob.parent):
        folder.mkdir(parents=True, exist_ok=True)
    with WeakFileLock(lock, timeout=1):
        found = _content(blob, file, etag, Progress())
        if not found:
            _transfer(url, headers, begun, file, progress)
            with progress.stage(f"check {file.name}", 1 - _TRANSFER) as part:
                found = _content(begun, file, etag, part)
            if not found:
                begun.unlink()
                wanted = f"SHA-256 {file.sha256}" if file.sha256 else f"git name {etag}"
                raise _another(model, file, f"other content than that of {wanted}")
            begun.replace(blob)
        _link(blob, weights.path_of(model, file))
    return replace(file, sha256=found)


def _told(model: Model, file: ModelFile, served: Any, etag: str) -> ModelFile:
    """The file as the hub describes it at the pinned commit.

    Raises:
        BadFile: it says too little, or speaks of another commit.
    """
    if served.commit_hash != model.revision:
        raise _another(model, file, f"the commit {served.commit_hash}, not {model.revision}")
    if not etag or served.size is None:
        raise _another(model, file, "no checksum or no size")
    return replace(file, size=served.size, sha256=etag if len(etag) == _SHA256 else "")


def _content(path: Path, file: ModelFile, etag: str, progress: Progress) -> str:
    """The SHA-256 of a file that is here and is what it should be; else empty.

    The hub names large files by their SHA-256 and small ones as git does.
    """
    if not path.is_file() or path.stat().st_size != file.size:
        return ""
    found = weights.sha256_of(path, progress)
    if file.sha256:
        return found if found == file.sha256 else ""
    content = path.read_bytes()
    name = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
    return found if name == etag else ""


def _endpoint() -> str:
    """The hub or a mirror of it, as of now: the library looks once, when it is imported."""
    return os.environ.get("HF_ENDPOINT") or constants.ENDPOINT


def _transfer(
    url: str, headers: dict[str, str], begun: Path, file: ModelFile, progress: Progress
) -> None:
    """Append what is missing to ``begun``; the hub's library asks for that range alone."""
    if begun.is_file() and begun.stat().st_size > file.size:
        begun.unlink()
    with progress.stage(f"fetch {file.name}", _TRANSFER) as part, begun.open("ab") as target:
        http_get(
            url,
            target,
            resume_size=target.tell(),
            headers=headers,
            expected_size=file.size,
            tqdm_class=_bar(part),
        )


def _bar(progress: Progress) -> Any:
    """A stand-in for the bar that the hub's library would draw: it reports to ``progress``."""

    class Bar:
        def __init__(self, *, total: int, initial: int, **_: Any) -> None:
            self.total, self.done = total, initial
            self.update(0)

        def __enter__(self) -> Bar:
            return self

        def __exit__(self, *_: object) -> None:
            pass

        def update(self, count: int) -> None:
            self.done += count
            said = f"{weights.size_text(self.done)} of {weights.size_text(self.total)}"
            progress(self.done / self.total, said)

    return Bar


def _link(blob: Path, path: Path) -> None:
    """The content has its hash for a name and a link its own; without links, its own alone."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    try:
        path.symlink_to(os.path.relpath(blob, path.parent))
    except OSError:  # Windows grants links only to developers
        blob.replace(path)


def _another(model: Model, file: ModelFile, how: str) -> BadFile:
    return BadFile(
        f"{file.name} of {model.repo_id} came with {how}",
        "nothing of it was kept; if HF_ENDPOINT names a mirror, try without it",
    )


@contextmanager
def _refusals(model: Model) -> Iterator[None]:
    """Turn what the hub, the network and the disk say into ours."""
    try:
        yield
    except Timeout as error:
        raise WeightsMissing(
            f"somebody else is fetching {model.title} right now", "wait until it is done"
        ) from error
    except (OSError, httpx2.HTTPError) as error:
        if isinstance(error, OSError) and error.errno in _FULL:
            raise DiskFull(
                f"there is no room for {model.title} in {weights.hub_folder()}",
                "free some space, or set HF_HOME to a folder on another disk",
            ) from error
        if _is_of_the_disk(error):
            raise OutputFailed(
                f"the cache {weights.hub_folder()} cannot be changed: {error}",
                "set HF_HOME to a folder that you may write to",
            ) from error
        raise WeightsMissing(
            f"the weights of {model.title} could not be fetched from {_endpoint()}: "
            + " ".join(str(error).split()),
            f"run `glimpse3d models fetch {model.name}` again: it goes on where it stopped",
            model.name,
        ) from error


def _is_of_the_disk(error: Exception) -> bool:
    network = isinstance(error, httpx2.HTTPError | ConnectionError)
    return not network and isinstance(error, OSError) and error.errno is not None
