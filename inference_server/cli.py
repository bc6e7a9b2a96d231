"""The server's side of the command line: ``serve``, invitations, ``generate`` through a server.

Owns their arguments and what they print. Must not know how anything is computed.
"""

from __future__ import annotations

import argparse
import logging
import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from glimpse3d.errors import Glimpse3DError
from glimpse3d.progress import Progress

from . import cli_workers, connection, data_folder, doctor, invites, logs, remote
from .errors import WireError
from .quotas import Quotas
from .remote import MeshOrder, Order
from .retention import Retention

__all__ = [
    "COMMANDS", "MeshOrder", "Order", "cut_out", "fetch_weights", "generate", "lay_splats",
    "wanted_weights",
]  # fmt: skip

DONE, REFUSED = 0, 2
_EVERYWHERE = ("0.0.0.0", "::", "*")
_OPEN = """\
WARNING: --host {host} listens at every address of this machine, also at those that the internet
reaches. Nobody gets in without a key, but everybody may knock. A tunnel through SSH needs no
open port: see docs/remote.md."""


_COLAB = """\
NOTE: this is Colab. Its terms allow a server here on paid runtimes alone, while you work with it;
on free ones work in the notebook and download the bundle: see notebooks/glimpse3d_colab.ipynb."""


def _in_colab() -> bool:
    try:
        return find_spec("google.colab") is not None
    except ModuleNotFoundError:  # there is no google at all
        return False


def add_serve(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``serve``."""
    parser.set_defaults(command=_serve)
    parser.add_argument(
        "--host", default="127.0.0.1", metavar="ADDRESS",
        help="address to listen at (default: 127.0.0.1, this machine alone)",
    )  # fmt: skip
    parser.add_argument(
        "--port", type=_port, default=0, help="port to listen at (default: 0, any free one)"
    )
    parser.add_argument(
        "--name", default="", metavar="ADDRESS",
        help="this machine's address in connection strings (default: that of --host)",
    )  # fmt: skip
    parser.add_argument(
        "--metrics", type=_port, metavar="PORT",
        help="also tell numbers to Prometheus, at http://127.0.0.1:PORT/metrics",
    )  # fmt: skip
    _add_data(parser)
    parser.add_argument(
        "--jobs-per-key", type=_positive, default=Quotas().jobs, metavar="N",
        help="jobs that an invited client may have waiting and running (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--disk-per-key", type=_gigabytes, default=Quotas().bytes, metavar="GIB",
        help="disk that an invited client's results may take (default: 2)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-days", type=_days, default=Retention().days, metavar="DAYS",
        help="after which results that were fetched are deleted (default: 7)",
    )  # fmt: skip
    parser.add_argument(
        "--keep-disk", type=_gigabytes, default=Retention().bytes, metavar="GIB",
        help="disk for results; beyond it go those fetched longest ago (default: 20)",
    )  # fmt: skip
    parser.add_argument(
        "--log", choices=logs.FORMS, default="text", dest="log_form",
        help="form of the log on standard error, one line a fact (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--attached", action="store_true",
        help="stop when standard input closes, as it does when the program that started this ends",
    )  # fmt: skip
    cli_workers.add(parser)


def add_invite(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``invite``."""
    parser.set_defaults(command=_invite)
    _add_data(parser)
    parser.add_argument("name", help="of the invitation, for `invites` and `revoke`")
    parser.add_argument(
        "--host", default="", metavar="ADDRESS",
        help="what the client connects to (default: where the server last listened)",
    )  # fmt: skip
    parser.add_argument("--port", type=_port, default=0, help="likewise")


def add_invites(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``invites``."""
    parser.set_defaults(command=_invites)
    _add_data(parser)


def add_revoke(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``revoke``."""
    parser.set_defaults(command=_revoke)
    _add_data(parser)
    parser.add_argument("name", help="as it was invited")


def _add_data(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, default=data_folder.default(), metavar="FOLDER",
        help="where queue, keys and results are kept (default: %(default)s)",
    )  # fmt: skip


def _invite(arguments: argparse.Namespace) -> int:
    try:
        made = invites.invite(arguments.data, arguments.name, arguments.host, arguments.port)
    except WireError as error:
        hint = "give --host and --port as the client will reach the server"
        raise Glimpse3DError("invalid_settings", error.message, hint) from error
    print(f"{arguments.name}'s connection string. It is a key, shown this once:", file=sys.stderr)
    print(connection.write(made))
    return DONE


def _invites(arguments: argparse.Namespace) -> int:
    for name in invites.names(arguments.data):
        print(name)
    return DONE


def _revoke(arguments: argparse.Namespace) -> int:
    invites.revoke(arguments.data, arguments.name)
    print(f"{arguments.name} is no longer let in", file=sys.stderr)
    return DONE


def add_backup(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``backup``."""
    parser.set_defaults(command=_backup)
    _add_data(parser)
    parser.add_argument("folder", type=Path, help="for the copy; must not be there yet")


def _backup(arguments: argparse.Namespace) -> int:
    from .backup import back_up

    made = back_up(arguments.data, arguments.folder, Progress())
    size = f"{made.bytes / 1e6:.1f} MB"
    print(f"{arguments.folder}: {made.jobs} jobs, {made.files} files, {size}")
    if made.gone:
        print(f"  {made.gone} jobs were deleted meanwhile and are not in it")
    print("  it holds the server's keys: keep it as you keep them", file=sys.stderr)
    return DONE


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError(f"{number} is too small; 1 or more")
    return number


def _days(text: str) -> float:
    number = float(text)
    if not 0 <= number < 1e6:
        raise argparse.ArgumentTypeError(f"{text} is not a number of days")
    return number


def _gigabytes(text: str) -> int:
    number = float(text)
    if not 0 < number < 2**20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of GiB")
    return int(number * 2**30)


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port; 0 to 65535")
    return number


def _serve(arguments: argparse.Namespace) -> int:
    from .server import Address, Rules, serve

    logs.configure(arguments.log_form, logging.getLogger().getEffectiveLevel())
    if arguments.host in _EVERYWHERE:
        if not arguments.name:
            raise Glimpse3DError(
                "invalid_settings",
                f"--host {arguments.host} is every address, and a client needs one to go to",
                "give the one that clients will use: --host 192.168.1.20, or add --name",
            )
        print(_OPEN.format(host=arguments.host), file=sys.stderr)
    if _in_colab():
        print(_COLAB, file=sys.stderr)
    quotas = Quotas(jobs=arguments.jobs_per_key, bytes=arguments.disk_per_key)
    kept = Retention(arguments.keep_days, arguments.keep_disk)
    patience = cli_workers.patience(arguments)
    rules = Rules(quotas, kept, arguments.attached, patience, arguments.drain)
    address = Address(arguments.host, arguments.port, arguments.name, arguments.metrics)
    serve(arguments.data, address, _announce, cli_workers.executor(arguments), rules)
    return DONE


def _announce(string: str) -> None:
    print("The connection string, a key to this server; paste it into Blender:", file=sys.stderr)
    print(string, flush=True)
    print("Listening. Stop with ctrl-C; jobs that wait are kept.", file=sys.stderr, flush=True)


def add_doctor(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options of ``doctor``."""
    parser.set_defaults(command=_doctor)
    parser.add_argument(
        "string", metavar="STRING", nargs="?", help="the connection string (default: of --data)"
    )
    _add_data(parser)


def _doctor(arguments: argparse.Namespace) -> int:
    well = True
    string = arguments.string or connection.write(invites.own(arguments.data))
    for verdict in doctor.examine(string):
        well = well and verdict.well
        print(f"{'ok' if verdict.well else 'NO':3} {verdict.step:10} {verdict.sentence}")
        if verdict.hint:
            print(f"{'':14} {verdict.hint}")
    return DONE if well else REFUSED


COMMANDS = {
    "serve": add_serve,
    "invite": add_invite,
    "invites": add_invites,
    "revoke": add_revoke,
    "backup": add_backup,
    "doctor": add_doctor,
}


def generate(order: Order, where: str, folder: Path, progress: Progress) -> list[Path]:
    """Let a server make what ``glimpse3d generate`` makes, into the same folder.

    Args:
        order: what is asked for.
        where: the connection string.
        folder: as for ``glimpse3d.export.bundle.save``, all or nothing.
        progress: told of every step; stopping it cancels the job at the server.

    Raises:
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    from glimpse3d.export.folder import atomic_folder

    with _ours(), atomic_folder(folder) as new:
        remote.generate(order, where, new, progress)
        names = [path.name for path in sorted(new.iterdir())]
    return [folder / name for name in names]


def cut_out(order: Order, where: str, folder: Path, progress: Progress) -> None:
    """See ``remote.cut_out``.

    Raises:
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    with _ours():
        remote.cut_out(order, where, folder, progress)


def lay_splats(order: MeshOrder, where: str, folder: Path, progress: Progress) -> None:
    """See ``remote.lay_splats``.

    Raises:
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    with _ours():
        remote.lay_splats(order, where, folder, progress)


def wanted_weights(
    where: str, asked: Collection[tuple[str, str]], progress: Progress
) -> Mapping[str, Any] | None:
    """See ``remote.wanted_weights``.

    Raises:
        Glimpse3DError: the server cannot be reached.
    """
    with _ours():
        return remote.wanted_weights(where, asked, progress)


def fetch_weights(where: str, stage: str, backend: str, progress: Progress) -> None:
    """See ``remote.fetch_weights``.

    Raises:
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    with _ours():
        remote.fetch_weights(where, stage, backend, progress)


@contextmanager
def _ours() -> Iterator[None]:
    """The wire's errors as the core's, which have the same parts."""
    try:
        yield
    except WireError as error:
        raise Glimpse3DError(error.code, error.message, error.hint) from error
