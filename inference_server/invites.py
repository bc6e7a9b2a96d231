"""Invitations: who besides the local user may use a server, each by a key of their own.

Owns the address that the server last had, so that an invitation names it. Must not know arguments
or what is printed. Works beside a running server, which reads the list of clients anew.
"""

from __future__ import annotations

import json
from pathlib import Path

from zmq.utils import z85

from glimpse3d.errors import Glimpse3DError

from .connection import Connection
from .keys import Keys

ADDRESS = "address.json"


def remember_address(folder: Path, host: str, port: int) -> None:
    """Write down where the server of this data folder listens."""
    new = folder / f"{ADDRESS}.new"
    new.write_text(json.dumps({"host": host, "port": port}), encoding="utf-8")
    new.replace(folder / ADDRESS)


def invite(folder: Path, name: str, host: str = "", port: int = 0) -> Connection:
    """Let in one client more.

    Args:
        folder: the server's data.
        name: for the list; see ``Keys.invite``.
        host: what the client is to connect to; empty takes the server's last one.
        port: likewise; 0 takes the server's last one.

    Returns:
        the client's way in, which is not kept anywhere.

    Raises:
        Glimpse3DError: ``invalid_settings``, no address is known, or the name is no name;
            ``conflict``, the name is taken; ``bad_file``, a key file is damaged.
        WireError: ``bad_connection_string``, the host or the port is none.
    """
    host, port = _address(folder, host, port)
    keys = Keys(folder / "keys")
    server = z85.decode(keys.public)
    Connection(bracketed(host), port, server, server)  # a wrong address is refused before a key
    return Connection(bracketed(host), port, server, keys.invite(name))


def _address(folder: Path, host: str, port: int) -> tuple[str, int]:
    try:
        last = json.loads((folder / ADDRESS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        last = {}
    host, port = host or last.get("host", ""), port or last.get("port", 0)
    if not host or not port:
        raise Glimpse3DError(
            "invalid_settings",
            "where the server listens is not known: it has not run yet",
            "start it once with: glimpse3d serve, or give --host and --port",
        )
    return host, port


def own(folder: Path) -> Connection:
    """The local user's own way in, as the server of this folder last printed it.

    Raises:
        Glimpse3DError: ``not_found``, no server's data; ``invalid_settings``, it has not run yet;
            ``bad_file``, a key file is damaged.
    """
    keys = _existing(folder)
    host, port = _address(folder, "", 0)
    return keys.connection(bracketed(host), port)


def revoke(folder: Path, name: str) -> None:
    """Let a client in no longer; see ``Keys.revoke``."""
    _existing(folder).revoke(name)


def names(folder: Path) -> list[str]:
    """Everyone who is let in, the local user first."""
    listed = _existing(folder).clients().values()
    return sorted(listed, key=lambda name: (name != "local", name.casefold()))


def _existing(folder: Path) -> Keys:
    """The keys of a server that has run; a mistyped folder is not made into one."""
    if not (folder / "keys").is_dir():
        raise Glimpse3DError(
            "not_found", f"{folder} is no server's data folder", "give the right one with --data"
        )
    return Keys(folder / "keys")


def bracketed(host: str) -> str:
    """The host as connection strings write it."""
    return f"[{host.strip('[]').lower()}]" if ":" in host else host.lower()
