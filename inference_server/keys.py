"""Keys on the server's disk: its own, the clients that it lets in, and the local user's.

Owns the key files and their rights. Must not know sockets. Of an invited client only the public
key is kept; the one exception is the local user's own invitation, kept beside the server's secret
so that every start prints the same string.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from pathlib import Path

import zmq
from zmq.utils import z85

from glimpse3d.errors import Glimpse3DError

from .connection import Connection

SERVER, LOCAL, CLIENTS = "server.json", "local.json", "clients.json"
LOCAL_NAME = "local"


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
        if not (folder / CLIENTS).exists():
            self._write(CLIENTS, {LOCAL_NAME: self._local[0].decode()})

    def clients(self) -> dict[bytes, str]:
        """Public key (Z85) -> name of everyone who is let in; read anew, so that edits count.

        Raises:
            Glimpse3DError: the list is damaged.
        """
        return {key.encode(): name for name, key in self._read(CLIENTS).items()}

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
