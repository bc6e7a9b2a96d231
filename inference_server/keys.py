"""Keys on the server's disk: its own, the clients that it lets in, and the local user's.

Owns the key files and their rights. Must not know sockets. Of an invited client only the public
key is kept; the one exception is the local user's own invitation, kept beside the server's secret
so that every start prints the same string.
"""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Mapping
from pathlib import Path

import zmq
from zmq.utils import z85

from glimpse3d.errors import Glimpse3DError

from .connection import Connection

SERVER, LOCAL, CLIENTS = "server.json", "local.json", "clients.json"
LOCAL_NAME = "local"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9 ._-]{0,39}")


class Keys:
    """The folder of keys, made on first use.

    Args:
        folder: of the keys alone, readable by nobody else.

    Raises:
        Glimpse3DError: ``bad_file``, a key file is damaged or others may read it.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        server = self._pair(SERVER)
        self.public, self.secret = server
        self._local = self._pair(LOCAL)
        self._known: tuple[tuple[int, int, int], dict[bytes, str]] | None = None
        listed = self._read(CLIENTS) if (folder / CLIENTS).exists() else {}
        if LOCAL_NAME not in listed:
            self._write(CLIENTS, {LOCAL_NAME: self._local[0].decode(), **listed})

    def clients(self) -> dict[bytes, str]:
        """Public key (Z85) -> name of everyone who is let in; an edit of the list counts at once.

        Raises:
            Glimpse3DError: the list is damaged.
        """
        about = (self._folder / CLIENTS).stat()
        version = about.st_ino, about.st_mtime_ns, about.st_size
        if self._known is None or self._known[0] != version:
            listed = {key.encode(): name for name, key in self._read(CLIENTS).items()}
            self._known = version, listed
        return self._known[1]

    def is_local(self, owner: str) -> bool:
        """Whether this public key (Z85) is that of the user whose machine it is."""
        return self.clients().get(owner.encode()) == LOCAL_NAME

    def invite(self, name: str) -> bytes:
        """Let in one client more. Its secret is not kept: who loses it is invited anew.

        Args:
            name: for the list alone: letters, digits, space, ``. _ -``, at most 40.

        Returns:
            the client's secret key, 32 bytes.

        Raises:
            Glimpse3DError: ``invalid_settings``, the name is no name; ``conflict``, it is taken.
        """
        if not _NAME.fullmatch(name):
            raise Glimpse3DError(
                "invalid_settings", f"{name[:60]!r} is not a name for an invitation",
                "take up to 40 letters, digits, spaces, dots and dashes",
            )  # fmt: skip
        listed = self._read(CLIENTS)
        if name.casefold() in {each.casefold() for each in listed}:
            raise Glimpse3DError(
                "conflict", f"there is an invitation named {name!r} already",
                f"take another name, or first run: glimpse3d revoke {name!r}",
            )  # fmt: skip
        public, secret = zmq.curve_keypair()
        self._write(CLIENTS, {**listed, name: public.decode()})
        return z85.decode(secret)

    def revoke(self, name: str) -> None:
        """Let a client in no longer; one that is connected is refused from its next request on.

        The local user gets another key, and with it another connection string, at the next start.

        Raises:
            Glimpse3DError: ``not_found``, nobody of that name is invited.
        """
        listed = self._read(CLIENTS)
        if name not in listed:
            known = ", ".join(sorted(listed))
            raise Glimpse3DError("not_found", f"nobody is invited as {name!r}", f"known: {known}")
        self._write(CLIENTS, {each: key for each, key in listed.items() if each != name})
        if name == LOCAL_NAME:
            (self._folder / LOCAL).unlink()

    def connection(self, host: str, port: int) -> Connection:
        """The local user's own way in."""
        return Connection(host, port, z85.decode(self.public), z85.decode(self._local[1]))

    def _pair(self, name: str) -> tuple[bytes, bytes]:
        if not (self._folder / name).exists():
            public, secret = zmq.curve_keypair()
            self._write(name, {"public": public.decode(), "secret": secret.decode()})
        pair = self._read(name)
        try:
            public, secret = pair["public"].encode(), pair["secret"].encode()
            whole = zmq.curve_public(secret) == public
        except (KeyError, ValueError, zmq.ZMQError):
            whole = False
        if not whole:
            raise _damaged(self._folder / name)
        return public, secret

    def _write(self, name: str, value: Mapping[str, str]) -> None:
        path = self._folder / name
        new = path.with_suffix(".new")
        new.unlink(missing_ok=True)
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(value, file, indent=1)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)

    def _read(self, name: str) -> dict[str, str]:
        path = self._folder / name
        if os.name != "nt" and stat.S_IMODE(path.stat().st_mode) & 0o077:
            raise Glimpse3DError(
                "bad_file", f"others may read {path}, which holds a key", f"run: chmod 600 {path}"
            )
        try:
            value = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            value = None
        plain = isinstance(value, dict) and all(isinstance(each, str) for each in value.values())
        if not plain:
            raise _damaged(path)
        return dict(value)


def _damaged(path: Path) -> Glimpse3DError:
    hint = f"delete {path.parent} to make new keys; every connection string becomes invalid"
    return Glimpse3DError("bad_file", f"{path} is damaged", hint)
