"""A TCP proxy that behaves like a bad network."""

import contextlib
import socket
import threading
import time
from types import TracebackType


class Proxy:
    """Forwards to ``port``, and every so many bytes from the server does harm.

    Args:
        port: of the server, on 127.0.0.1.
        harm: ``flip`` a bit, ``cut`` the connection, ``stall`` for ever, or ``none``.
        every: bytes between two harms.
        times: harms in all.
    """

    def __init__(self, port: int, harm: str, every: int, times: int) -> None:
        self._target = port
        self._harm = harm
        self._every = every
        self.left = times
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
                server = socket.create_connection(("127.0.0.1", self._target))
            except OSError:
                return
            self._sockets += [client, server]
            threading.Thread(target=self._pass, args=(client, server, False), daemon=True).start()
            threading.Thread(target=self._pass, args=(server, client, True), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, harmful: bool) -> None:
        try:
            while data := source.recv(65536):
                if harmful:
                    data = self._hurt(data)
                target.sendall(data)
        except OSError:
            pass  # cut, by them or by us
        for each in (source, target):
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
