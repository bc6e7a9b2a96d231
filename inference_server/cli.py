"""The server's side of the command line: ``serve``, and ``generate`` through a server.

Owns their arguments and what they print. Must not know how anything is computed.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from glimpse3d.errors import Glimpse3DError
from glimpse3d.progress import Progress

from . import data_folder, remote
from .errors import WireError
from .remote import Order

__all__ = ["Order", "add_serve", "fetch_weights", "generate", "wanted_weights"]

DONE = 0


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
        "--data", type=Path, default=data_folder.default(), metavar="FOLDER",
        help="where queue, keys and results are kept (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--attached", action="store_true",
        help="stop when standard input closes, as it does when the program that started this ends",
    )  # fmt: skip


def _port(text: str) -> int:
    number = int(text)
    if not 0 <= number <= 65535:
        raise argparse.ArgumentTypeError(f"{number} is not a port; 0 to 65535")
    return number


def _serve(arguments: argparse.Namespace) -> int:
    from .server import serve

    if arguments.host in ("0.0.0.0", "::", "*"):
        raise Glimpse3DError(
            "invalid_settings",
            f"--host {arguments.host} is every address, and a client needs one to go to",
            "give the address that clients will use, such as 192.168.1.20",
        )
    print("The connection string, a key to this server; paste it into Blender:", file=sys.stderr)
    serve(arguments.data, arguments.host, arguments.port, _announce, arguments.attached)
    return DONE


def _announce(string: str) -> None:
    print(string, flush=True)
    print("Listening. Stop with ctrl-C; jobs that wait are kept.", file=sys.stderr, flush=True)


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


def wanted_weights(where: str, backend: str, progress: Progress) -> Mapping[str, Any] | None:
    """See ``remote.wanted_weights``.

    Raises:
        Glimpse3DError: the server cannot be reached.
    """
    with _ours():
        return remote.wanted_weights(where, backend, progress)


def fetch_weights(where: str, backend: str, progress: Progress) -> None:
    """See ``remote.fetch_weights``.

    Raises:
        Glimpse3DError: the server refused, failed or cannot be reached.
    """
    with _ours():
        remote.fetch_weights(where, backend, progress)


@contextmanager
def _ours() -> Iterator[None]:
    """The wire's errors as the core's, which have the same parts."""
    try:
        yield
    except WireError as error:
        raise Glimpse3DError(error.code, error.message, error.hint) from error
