"""A server that means no good, inside Blender's own process, with the add-on's own protocol.

It answers as it is told to, request by request; what is left to it, it answers as a good one.
"""

import hashlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any

BOX = Path(__file__).with_name("box")
RUNNING: dict[str, Any] = {
    "kind": "generate", "name": "", "state": "running", "attempt": 1, "created": 1.0, "seq": 1,
    "fraction": 0.1, "stage": "mesh", "note": "", "ahead": 0, "cancelling": False,
}  # fmt: skip
Answer = tuple[str, dict[str, Any], bytes]


class Hostile:
    """What it says; change it while it runs.

    Attributes:
        string: leads to it.
        catalogue: of its welcome.
        job: changes to how every job stands.
        preview: that comes with every job.
        files: the result's, by name.
        listed: changes to what is said of a file, by its name.
        pushed: events that follow every answer about a job.
        silent: requests that get no answer.
    """

    def __init__(self, protocol: ModuleType) -> None:
        self.string = ""
        self.catalogue: dict[str, Any] = {}
        self.job: dict[str, Any] = {}
        self.preview = b""
        self.files = {path.name: path.read_bytes() for path in BOX.iterdir()}
        self.listed: dict[str, dict[str, Any]] = {}
        self.pushed: Callable[[dict[str, Any]], list[Answer]] = lambda job: []
        self.silent: set[str] = set()
        self._protocol = protocol
        self._seq = 1

    def frames(self, kind: str, request: bytes, body: dict[str, Any], blob: bytes) -> list[bytes]:
        """A message that nobody has checked."""
        number = self._protocol.MESSAGES[kind].number
        header = self._protocol.HEADER.pack(self._protocol.MAGIC, number, 0, request)
        frames = [header, self._protocol.pack(body)]
        return [*frames, blob] if blob else frames

    def answers(self, frames: list[bytes]) -> Iterator[list[bytes]]:
        """What goes back."""
        asked = self._protocol.decode(frames)
        if asked.kind in self.silent:
            return
        kind, body, blob = getattr(self, f"_{asked.kind}")(asked.body)
        yield self.frames(kind, asked.request, body, blob)
        if "state" in body:
            for pushed in self.pushed(body):
                yield self.frames(pushed[0], self._protocol.PUSH, pushed[1], pushed[2])

    def _hello(self, asked: dict[str, Any]) -> Answer:
        limits = {"body": 65536, "blob": 2**20, "upload": 2**26, "list": 200}
        about = {"protocol": 1, "minor": 1, "server": "0.1.0", "epoch": bytes(16), "features": [],
                 "kinds": ["generate", "cutout"], "limits": limits}  # fmt: skip
        return "welcome", about, self._protocol.pack(self.catalogue)

    def _ping(self, asked: dict[str, Any]) -> Answer:
        return "pong", {}, b""

    def _list(self, asked: dict[str, Any]) -> Answer:
        return "jobs", {"jobs": [], "next": 0}, b""

    def _have(self, asked: dict[str, Any]) -> Answer:
        return "held", {"sha256": asked["sha256"], "have": asked["size"], "complete": True}, b""

    def told(self, job: bytes) -> dict[str, Any]:
        """How a job stands, newer each time."""
        self._seq += 1
        return {"job": job, **RUNNING, "seq": self._seq, **self.job}

    def _submit(self, asked: dict[str, Any]) -> Answer:
        return "accepted", self.told(asked["job"]), b""

    def _get(self, asked: dict[str, Any]) -> Answer:
        body = self.told(asked["job"])
        if body["state"] == "succeeded":
            body["files"] = [
                {"name": name, "size": len(data), "sha256": hashlib.sha256(data).digest()}
                | self.listed.get(name, {})
                for name, data in self.files.items()
            ]
        return "job", body, self.preview

    _cancel = _get

    def _delete(self, asked: dict[str, Any]) -> Answer:
        return "deleted", {"job": asked["job"]}, b""

    def _fetch(self, asked: dict[str, Any]) -> Answer:
        start, data = asked["offset"], self.files.get(asked["name"], b"")
        body = {name: asked[name] for name in ("job", "name", "offset")}
        return "piece", body, data[start : start + asked["count"]]


@contextmanager
def served(addon: ModuleType) -> Iterator[Hostile]:
    """It, while it runs."""
    import zmq
    from zmq.utils import z85

    inside = f"{addon.__name__}._vendor.inference_server"
    connection = import_module(f"{inside}.connection")
    hostile = Hostile(import_module(f"{inside}.protocol"))
    public, secret = zmq.curve_keypair()
    context = zmq.Context()
    router = context.socket(zmq.ROUTER)
    for option, value in (
        (zmq.CURVE_SERVER, 1), (zmq.CURVE_SECRETKEY, secret), (zmq.LINGER, 0), (zmq.SNDHWM, 0),
    ):  # fmt: skip
        router.setsockopt(option, value)
    port = router.bind_to_random_port("tcp://127.0.0.1")
    stop = threading.Event()

    def serve() -> None:
        while not stop.is_set():
            if router.poll(20):
                route, *frames = router.recv_multipart()
                for each in hostile.answers(frames):
                    router.send_multipart([route, *each])

    serving = threading.Thread(target=serve)
    serving.start()
    _, theirs = zmq.curve_keypair()
    where = connection.Connection("127.0.0.1", port, z85.decode(public), z85.decode(theirs))
    hostile.string = connection.write(where)
    try:
        yield hostile
    finally:
        stop.set()
        serving.join()
        router.close()
        context.term()
