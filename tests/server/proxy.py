"""A TCP proxy that behaves like a bad network, or like a far one."""

import contextlib
import queue
import random
import socket
import threading
import time
from types import TracebackType

FAR_BYTES = 256  # pieces of at most 64 KiB under way in one direction


class Proxy:
    """Forwards to ``port``, and every so many bytes from the server does harm.

    Args:
        port: of the server, on 127.0.0.1.
        harm: ``flip`` a bit, ``cut`` the connection, ``stall`` for ever, or ``none``.
        every: bytes between two harms.
        times: harms in all.
        upwards: harm what the client sends instead.
        delay: seconds that everything takes, each way.
        lifetime: seconds after which a connection is cut, half more or less; 0 is never.
    """

    def __init__(
        self, port: int, harm: str = "none", every: int = 0, times: int = 0, *,
        upwards: bool = False, delay: float = 0.0, lifetime: float = 0.0,
    ) -> None:  # fmt: skip
        self._target = port
        self._harm = harm
        self._every = every
        self.left = times
        self.cuts = 0
        self.passed = {"up": 0, "down": 0}  # bytes
        self._upwards = upwards
        self._delay = delay
        self._lifetime = lifetime
        self._random = random.Random(0)
        self._count = 0
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self._listener.getsockname()[1])
        self._open = True
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> "Proxy":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:  # fmt: skip
        self._open = False
        for each in [self._listener, *self._sockets]:
            each.close()

    def _accept(self) -> None:
        while self._open:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:  # the server is down, as its client shall see
                client.close()
                continue
            self._sockets += [client, server]
            for line in ((client, server, "up"), (server, client, "down")):
                self._start(*line)
            if self._lifetime:
                seconds = self._lifetime * self._random.uniform(0.5, 1.5)
                timer = threading.Timer(seconds, self._cut, (client, server))
                timer.daemon = True
                timer.start()

    def _cut(self, *ends: socket.socket) -> None:
        self.cuts += 1
        self._shut(*ends)

    def _start(self, source: socket.socket, target: socket.socket, way: str) -> None:
        if self._delay:
            later: queue.Queue[tuple[float, bytes]] = queue.Queue(FAR_BYTES)
            threading.Thread(target=self._send_later, args=(later, target), daemon=True).start()
        else:
            later = queue.Queue(0)
        threading.Thread(target=self._pass, args=(source, target, way, later), daemon=True).start()

    def _pass(
        self, source: socket.socket, target: socket.socket, way: str,
        later: "queue.Queue[tuple[float, bytes]]",
    ) -> None:  # fmt: skip
        try:
            while data := source.recv(65536):
                self.passed[way] += len(data)
                if self._upwards == (way == "up"):
                    data = self._hurt(data)
                if self._delay:
                    later.put((time.monotonic() + self._delay, data))
                else:
                    target.sendall(data)
        except OSError:
            pass  # cut, by them or by us
        later.put((0.0, b""))
        self._shut(source, target)

    def _send_later(self, later: "queue.Queue[tuple[float, bytes]]", target: socket.socket) -> None:
        while (item := later.get())[1]:
            time.sleep(max(0.0, item[0] - time.monotonic()))
            with contextlib.suppress(OSError):  # the other thread sees it, too
                target.sendall(item[1])

    def _shut(self, *ends: socket.socket) -> None:
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _hurt(self, data: bytes) -> bytes:
        self._count += len(data)
        if self._count < self._every or self.left == 0:
            return data
        self._count, self.left = 0, self.left - 1
        if self._harm == "cut":
            raise OSError("cut")
        if self._harm == "stall":
            time.sleep(3600)
        if self._harm == "flip":
            middle = len(data) // 2
            return data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :]
        return data
