"""The command line's side of weights: ``models list | fetch | verify | remove``, and the question.

Owns what is asked before a download and what is printed. Must not know how bytes travel, nor
which backend wants them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping, Sequence
from types import ModuleType
from typing import Any, TypeVar

from . import cli_meter, models, weights
from .errors import BackendUnavailable, Glimpse3DError, WeightsMissing
from .models import Model

Made = TypeVar("Made")


def add_models(commands: Any) -> None:
    """Mount ``models`` and its four verbs."""
    parser = commands.add_parser("models", help="list, fetch, verify or remove weights")
    verbs = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    listing = verbs.add_parser("list", help="what can be fetched, how large it is, what is here")
    listing.set_defaults(command=_list)
    fetch = verbs.add_parser("fetch", help="fetch what is missing; goes on where it stopped")
    fetch.set_defaults(command=_fetch)
    add_yes(fetch)
    verify = verbs.add_parser("verify", help="compare every byte with its checksum")
    verify.set_defaults(command=_verify)
    remove = verbs.add_parser("remove", help="delete weights from this machine")
    remove.set_defaults(command=_remove)
    for verb in (fetch, verify, remove):
        verb.add_argument("model", choices=tuple(models.KNOWN), metavar="MODEL", help=_names())


def add_yes(parser: argparse.ArgumentParser) -> None:
    """Give a command the flag that answers the question beforehand."""
    parser.add_argument("--yes", action="store_true", help="fetch missing weights without asking")


def fetch_after_asking(error: WeightsMissing, yes: bool) -> None:
    """Fetch the weights whose lack ``error`` tells of, if whoever runs this wants them.

    Raises:
        WeightsMissing: they are not to be had, or nobody said yes.
    """
    if not error.model:
        raise error
    cli_meter.clear()
    _fetch_model(models.KNOWN[error.model], yes)


def done_there(
    ask: Callable[[], Made],
    remote: ModuleType,
    arguments: argparse.Namespace,
    asked: Sequence[tuple[str, str]],
) -> Made:
    """Ask a server for a result; weights that it lacks it fetches, if whoever runs this agrees.

    Args:
        ask: asks for it, from the beginning.
        remote: the server's side of the command line.
        arguments: with ``server``, a connection string, and ``yes``.
        asked: stage and backend of all that may lack weights.

    Raises:
        WeightsMissing: nobody said yes.
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    for _ in asked:  # each of them may lack its own
        try:
            return ask()
        except Glimpse3DError as error:
            if error.code != "weights_missing":
                raise
            wanted = remote.wanted_weights(arguments.server, asked, cli_meter.shown())
            if wanted is None:
                raise
        _agree_to_fetch_there(wanted, arguments.yes)
        names = wanted["stage"], wanted["backend"]
        remote.fetch_weights(arguments.server, *names, cli_meter.shown())
    return ask()


def _agree_to_fetch_there(wanted: Mapping[str, Any], yes: bool) -> None:
    """Ask before a server fetches weights.

    Args:
        wanted: ``title``, ``licence``, ``source``, ``bytes`` and ``left``, as the server says.
        yes: the answer was given beforehand.

    Raises:
        WeightsMissing: nobody said yes.
    """
    cli_meter.clear()
    left = weights.size_text(wanted["left"])
    size = weights.size_text(wanted["bytes"])
    print(f"{wanted['title']}, {size}, licence {wanted['licence']}, {wanted['source']}")
    print(f"{left} will be fetched by the server and kept there", flush=True)
    if not yes:
        _ask(wanted["title"], left, "the same command with --yes")


def _names() -> str:
    return "one of " + ", ".join(models.KNOWN)


def _list(arguments: argparse.Namespace) -> int:
    for model in models.KNOWN.values():
        print(f"{model.name:12} {_about(model)}\n{'':12} {_state(model)}")
    print(f"cache: {weights.hub_folder()}")
    return 0


def _about(model: Model) -> str:
    where = f"{model.repo_id} at {model.revision[:12]}"
    size = weights.size_text(model.size)
    return f"{model.title}, {size}, licence {model.licence}, {where}"


def _state(model: Model) -> str:
    left = weights.bytes_to_fetch(model)
    if not weights.missing(model):
        return f"here: {weights.snapshot(model.repo_id, model.revision)}"
    if left == model.size:
        return f"not here; glimpse3d models fetch {model.name}"
    rest = f"{weights.size_text(left)} of {weights.size_text(model.size)} missing"
    return f"{rest}; glimpse3d models fetch {model.name} goes on with it"


def _fetch(arguments: argparse.Namespace) -> int:
    model = models.KNOWN[arguments.model]
    settled = all(file.sha256 for file in weights.settled(model).files)
    if settled and not weights.missing(model):
        print(f"{model.title} is here: {weights.snapshot(model.repo_id, model.revision)}")
        return 0
    _fetch_model(model, arguments.yes)
    return 0


def _fetch_model(model: Model, yes: bool) -> None:
    """Say what it takes, ask, and fetch.

    Raises:
        WeightsMissing: nobody said yes, or fetching failed.
    """
    library = _library()
    left = weights.size_text(weights.bytes_to_fetch(model))
    print(_about(model))
    print(f"{left} will be fetched into {weights.hub_folder()}", flush=True)
    if not yes:
        command = f"glimpse3d models fetch {model.name} --yes"
        _ask(model.title, left, command, model.name)
    try:
        place = library.fetch(model, cli_meter.shown())
    except KeyboardInterrupt:
        cli_meter.clear()
        print("what was fetched is kept; the same command goes on with it", file=sys.stderr)
        raise
    print(f"{model.title} is here: {place}")


def _ask(title: str, left: str, command: str, model: str = "") -> None:
    """Let whoever sits there decide.

    Raises:
        WeightsMissing: there is no terminal, or the answer is not yes.
    """
    if not sys.stdin.isatty():
        message = f"the weights of {title} are missing, and nobody is there to be asked"
        raise WeightsMissing(message, f"run: {command}", model)
    try:
        answer = input(f"Fetch {left} now? [y/N] ")
    except EOFError:
        answer = ""
    if answer.strip().casefold() not in ("y", "yes"):
        message = f"the weights of {title} are missing and were not to be fetched"
        raise WeightsMissing(message, f"whenever you want them, run: {command}", model)


def _verify(arguments: argparse.Namespace) -> int:
    model = models.KNOWN[arguments.model]
    weights.verify(model, cli_meter.shown())
    size = weights.size_text(weights.settled(model).size)
    print(f"{model.title} is whole: {len(model.files)} files, {size}")
    return 0


def _remove(arguments: argparse.Namespace) -> int:
    model = models.KNOWN[arguments.model]
    freed = _library().remove(model)
    print(f"{model.title}: {weights.size_text(freed)} freed" if freed else "nothing was here")
    return 0


def _library() -> ModuleType:
    """What talks to the hub; its packages are an extra."""
    try:
        from . import hub
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"the package {error.name} is not installed", "run: pip install 'glimpse3d[readers]'"
        ) from error
    return hub
