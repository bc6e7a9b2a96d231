"""Weights on this machine: a folder of one's own, or the Hugging Face hub's cache.

Owns where they lie, whether they are all there, and what to do if not. Reads the cache's layout
and the hub's environment variables by itself, so that asking needs no package and no network.
Must not know what a model does; never fetches: that is ``hub.py``, and only when someone said so.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from . import models
from .errors import BackendUnavailable, BadFile, WeightsMissing

if TYPE_CHECKING:
    from .models import Model, ModelFile
    from .progress import Progress

_REPO_ID = re.compile(r"[\w-][\w.-]*/[\w-][\w.-]*")
_COMMIT = re.compile(r"[0-9a-f]{40}")
_TRUE = ("1", "ON", "YES", "TRUE")
_HUB = "https://huggingface.co"
# What fetching needs beyond the base install.
_PACKAGES = ("huggingface_hub", "httpx2")
_BLOCK = 1 << 23  # bytes hashed between two reports


def folder(
    source: str | Path, revision: str = "", files: Sequence[str] = (), one_of: Sequence[str] = ()
) -> Path:
    """The folder that holds a model's files; nothing is fetched.

    Args:
        source: a folder, or ``owner/name`` on the hub. A folder of that name wins.
        revision: a commit, branch or tag of the hub; empty is the pinned commit of a known model
            and ``main`` of another. Has no meaning for a folder.
        files: names that must be there.
        one_of: names of which one must be there; empty asks for none.

    Raises:
        WeightsMissing: a file is not there; the hint says how to get it.
        BadFile: a file of a known model has another size than it should.
    """
    own = Path(source).expanduser()
    if own.is_dir():
        if lacking := _lacking(own, files, one_of):
            raise WeightsMissing(f"the folder {own} holds no {lacking}", "name a complete one")
        return own
    repo_id = str(source)
    if own.exists() or not _REPO_ID.fullmatch(repo_id):
        hint = "name a folder with the model's files in it, or owner/name on the Hugging Face hub"
        raise WeightsMissing(f"there is no folder {own}", hint)
    model = models.pinned(repo_id, revision)
    if model is not None:
        _check_sizes(model)
    place = snapshot(repo_id, revision or (model.revision if model else "main"))
    if lacking := _lacking(place, files, one_of):
        raise _missing(repo_id, revision, model, lacking, (*files, *one_of))
    return place


def _lacking(place: Path, files: Sequence[str], one_of: Sequence[str]) -> str:
    """What is not in a folder, in words; empty if all is there."""
    absent = [name for name in files if not (place / name).is_file()]
    if one_of and not any((place / name).is_file() for name in one_of):
        absent.append(" or ".join(one_of))
    return " and no ".join(absent)


def _missing(
    repo_id: str, revision: str, model: Model | None, lacking: str, names: Sequence[str]
) -> WeightsMissing:
    if model is not None:
        return not_here(model)
    what = f"{repo_id} at {revision or 'main'}"
    command = f"hf download {repo_id} {' '.join(names)} --revision {revision or 'main'}"
    return WeightsMissing(f"{what}: no {lacking} on this machine", f"run: {command}")


def not_here(model: Model) -> WeightsMissing:
    """The refusal to compute with weights that were not fetched yet."""
    return WeightsMissing(
        f"the weights of {model.title} are not on this machine "
        f"({size_text(model.size)}, licence {model.licence})",
        f"run: glimpse3d models fetch {model.name}",
        model.name,
    )


def _check_sizes(model: Model) -> None:
    """Refuse files that were cut short; costs nothing, unlike ``verify``.

    Raises:
        BadFile: naming the file.
    """
    for file in settled(model).files:
        path = path_of(model, file)
        if file.sha256 and path.is_file() and path.stat().st_size != file.size:
            raise BadFile(
                f"{path} is damaged: {path.stat().st_size} bytes instead of {file.size}",
                f"run: glimpse3d models fetch {model.name}",
            )


def hub_folder() -> Path:
    """The hub's cache, as its own library finds it from the environment."""
    home = os.environ.get("XDG_CACHE_HOME", str(Path("~").expanduser() / ".cache"))
    home = _expanded(os.environ.get("HF_HOME", str(Path(home) / "huggingface")))
    old_name = os.environ.get("HUGGINGFACE_HUB_CACHE", str(Path(home) / "hub"))
    return Path(_expanded(os.environ.get("HF_HUB_CACHE", old_name)))


def _expanded(path: str) -> str:
    return os.path.expandvars(Path(path).expanduser())


def offline() -> bool:
    """Whether the environment forbids asking the hub."""
    value = os.environ.get("HF_HUB_OFFLINE") or os.environ.get("TRANSFORMERS_OFFLINE") or ""
    return value.upper() in _TRUE


def source(model: Model) -> str:
    """Where a model would be fetched from, for whoever is asked: a page of the hub or a mirror."""
    return f"{os.environ.get('HF_ENDPOINT') or _HUB}/{model.repo_id}"


def check_fetchable(model: Model) -> None:
    """Refuse a fetch that could not even begin. Asks neither the network nor the hub's library.

    Raises:
        BackendUnavailable: a package is missing.
        WeightsMissing: there is something to fetch, and the environment forbids it.
    """
    lacking = [name for name in _PACKAGES if importlib.util.find_spec(name) is None]
    if lacking:
        raise BackendUnavailable(
            f"the package {lacking[0]} is not installed", "run: pip install 'glimpse3d[triposr]'"
        )
    if missing(model) and offline():
        raise WeightsMissing(
            f"the weights of {model.title} are not here, and HF_HUB_OFFLINE forbids fetching them",
            f"unset it and run: glimpse3d models fetch {model.name}",
            model.name,
        )


def repository(repo_id: str) -> Path:
    """A repository's folder in the cache; it may not exist."""
    return hub_folder() / f"models--{repo_id.replace('/', '--')}"


def snapshot(repo_id: str, revision: str) -> Path:
    """The files of one revision in the cache, a branch or tag as last fetched; may not exist."""
    place = repository(repo_id)
    named = place / "refs" / revision
    if not _COMMIT.fullmatch(revision) and named.is_file():
        revision = named.read_text("utf-8").strip()
    return place / "snapshots" / revision


def path_of(model: Model, file: ModelFile) -> Path:
    """Where a known model's file lies in the cache; it may not exist."""
    return snapshot(model.repo_id, model.revision) / file.name


def partial_of(model: Model, file: ModelFile) -> Path:
    """Where a file's beginning waits while it is being fetched."""
    name = file.sha256 or hashlib.sha1(f"{model.revision}/{file.name}".encode()).hexdigest()
    return repository(model.repo_id) / "blobs" / f"{name}.incomplete"


def lock_of(model: Model) -> Path:
    """Where the sizes and checksums are kept that fetching learnt; it may not exist."""
    return repository(model.repo_id) / f"glimpse3d-{model.revision}.json"


def settled(model: Model) -> Model:
    """The model with what fetching it learnt: exact sizes, and a checksum for every file.

    A file that was not fetched by Glimpse3D keeps its empty checksum.

    Raises:
        BadFile: the file that this is kept in is damaged.
    """
    path = lock_of(model)
    if all(file.sha256 for file in model.files) or not path.is_file():
        return model
    try:
        learnt = {
            name: (int(size), str(sha256))
            for name, (size, sha256) in json.loads(path.read_text("utf-8")).items()
        }
    except (OSError, ValueError, TypeError, AttributeError) as error:
        hint = f"delete it, and run: glimpse3d models fetch {model.name}"
        raise BadFile(f"{path} is damaged: {error}", hint) from error
    files = (
        file if file.sha256 or file.name not in learnt else replace(
            file, size=learnt[file.name][0], sha256=learnt[file.name][1]
        )
        for file in model.files
    )  # fmt: skip
    return replace(model, files=tuple(files))


def missing(model: Model) -> tuple[ModelFile, ...]:
    """The files that are not here in full length."""
    paths = {file: path_of(model, file) for file in settled(model).files}
    return tuple(
        file
        for file, path in paths.items()
        if not path.is_file() or (file.sha256 and path.stat().st_size != file.size)
    )


def bytes_to_fetch(model: Model) -> int:
    """What a fetch would still transfer."""
    total = 0
    for file in missing(model):
        begun = partial_of(model, file)
        total += file.size - min(file.size, begun.stat().st_size if begun.is_file() else 0)
    return total


def verify(model: Model, progress: Progress) -> None:
    """Read every file and compare it with its checksum.

    Raises:
        WeightsMissing: they are not all here.
        BadFile: a file is not what it should be, naming it.
        Cancelled: the caller asked to stop.
    """
    _check_sizes(model)
    if missing(model):
        raise not_here(model)
    model = settled(model)
    if unknown := [file.name for file in model.files if not file.sha256]:
        raise WeightsMissing(
            f"{model.title} was not fetched by Glimpse3D: no checksum is known of {unknown[0]}",
            f"run: glimpse3d models fetch {model.name}; it compares what is here with the hub",
            model.name,
        )
    for file in model.files:
        with progress.stage(f"verify {file.name}", file.size / model.size) as part:
            path = path_of(model, file)
            found = sha256_of(path, part)
            if found != file.sha256:
                raise BadFile(
                    f"{path} is damaged: its SHA-256 is {found} instead of {file.sha256}",
                    f"run: glimpse3d models remove {model.name}; then fetch it again",
                )


def sha256_of(path: Path, progress: Progress) -> str:
    """Lower-case hex."""
    total, size, done = hashlib.sha256(), max(path.stat().st_size, 1), 0
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            total.update(block)
            done += len(block)
            progress(done / size, f"checking, {size_text(done)}")
    return total.hexdigest()


def size_text(count: int) -> str:
    """Bytes as people say them, decimal as drives and downloads are."""
    if count < 1_000_000:
        return f"{count / 1e3:.1f} kB"
    return f"{count / 1e6:.0f} MB" if count < 1_000_000_000 else f"{count / 1e9:.2f} GB"
