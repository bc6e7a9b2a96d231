"""The servers that the user keeps, by name.

Owns ``servers.json`` in the extension's folder, which only the user may read: a connection string
is a key, and Blender's preferences are a file that is copied about. Must not know sockets. No bpy.
"""

from __future__ import annotations

import json
import logging
import os
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path

from ._vendor.inference_server import connection
from ._vendor.inference_server.errors import WireError

log = logging.getLogger(__name__)

FORMAT = 1
LONGEST_NAME = 60


@dataclass(frozen=True, slots=True)
class Saved:
    """A server under the name that the user gave it; the string is a key to it."""

    name: str
    string: str = field(repr=False)

    @property
    def key(self) -> bytes:
        """The server's public key: what it is known by, wherever it stands."""
        return connection.read(self.string).server_public


class Servers:
    """All that are kept, in the order in which they came.

    Attributes:
        saved: the servers.
        current: the name of the one to connect to, or nothing.

    Args:
        path: the file; it need not be there yet.
    """

    def __init__(self, path: Path) -> None:
        self.saved: list[Saved] = []
        self.current = ""
        self._path = path
        self._load()

    @property
    def is_new(self) -> bool:
        """Nothing was ever kept here."""
        return not self._path.exists()

    @property
    def chosen(self) -> Saved | None:
        """The one to connect to."""
        return self.get(self.current)

    def get(self, name: str) -> Saved | None:
        """The server of that name."""
        return next((each for each in self.saved if each.name == name), None)

    def add(self, string: str) -> Saved:
        """Keep a server and choose it; one that is known already keeps its name.

        Raises:
            WireError: ``bad_connection_string``.
            OSError: it could not be written.
        """
        where = connection.read(string)
        line = connection.write(where)
        self._load()
        known = next((each for each in self.saved if each.key == where.server_public), None)
        if known is None:
            new = Saved(self._free(f"{where.host}:{where.port}"), line)
            self.saved.append(new)
        else:
            new = replace(known, string=line)
            self.saved[self.saved.index(known)] = new
        self.current = new.name
        self._save()
        return new

    def choose(self, name: str) -> None:
        """Connect to this one from now on, or with an empty name to none.

        Raises:
            OSError: it could not be written.
        """
        self._load()
        self.current = name if self.get(name) is not None else ""
        self._save()

    def rename(self, name: str, new: str) -> str:
        """Give a server another name; returns it as it came to be: shortened, and the only one.

        Raises:
            KeyError: there is no such server.
            OSError: it could not be written.
        """
        self._load()
        known = self._known(name)
        others = [each for each in self.saved if each is not known]
        given = self._free(new.strip()[:LONGEST_NAME] or name, others)
        self.saved[self.saved.index(known)] = replace(known, name=given)
        if self.current == name:
            self.current = given
        self._save()
        return given

    def remove(self, name: str) -> None:
        """Forget a server and its key.

        Raises:
            KeyError: there is no such server.
            OSError: it could not be written.
        """
        self._load()
        self.saved.remove(self._known(name))
        if self.current == name:
            self.current = ""
        self._save()

    def _known(self, name: str) -> Saved:
        known = self.get(name)
        if known is None:
            raise KeyError(name)
        return known

    def _free(self, wanted: str, others: list[Saved] | None = None) -> str:
        taken = {each.name for each in (self.saved if others is None else others)}
        number, name = 2, wanted
        while name in taken:
            name, number = f"{wanted} ({number})", number + 1
        return name

    def _load(self) -> None:
        """What the file says now: another Blender may have written it."""
        try:
            values = json.loads(self._path.read_text("utf-8"))
            if values["format"] != FORMAT:
                raise ValueError("written by another release")
            found = [Saved(str(row["name"]), str(row["string"])) for row in values["servers"]]
            self.saved = [each for each in found if _whole(each)]
            self.current = str(values["current"])
        except FileNotFoundError:
            self.saved, self.current = [], ""
        except (ValueError, KeyError, TypeError) as error:
            log.warning("%s is put aside, it cannot be read: %s", self._path, error)
            self._path.replace(self._path.with_suffix(".unread"))
            self.saved, self.current = [], ""

    def _save(self) -> None:
        rows = [asdict(each) for each in self.saved]
        text = json.dumps({"format": FORMAT, "current": self.current, "servers": rows}, indent=1)
        near = self._path.with_suffix(".part")
        near.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL
        with os.fdopen(os.open(near, flags, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
        near.replace(self._path)


def _whole(each: Saved) -> bool:
    try:
        return bool(each.key)
    except WireError as error:
        log.warning("left out of the servers: %r: %s", each.name, error)
        return False
