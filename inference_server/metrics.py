"""The server in numbers, for Prometheus: plain text over HTTP, to this machine alone.

Owns the page and its little web server. Must not know jobs: it is handed what to tell. The page is
written by the loop that serves clients and read by another thread, so that a slow reader waits
for itself alone.

Source: Prometheus text exposition format 0.0.4.
"""

from __future__ import annotations

import http.server
import threading
from collections.abc import Mapping
from typing import Any

from glimpse3d.errors import Glimpse3DError

HOST = "127.0.0.1"
_WORKER_STATES = ("none", "starting", "idle", "busy")
# Name, kind, help, and the field of ``state`` that it tells.
_NUMBERS = (
    ("uptime_seconds", "gauge", "Since the server started.", "uptime"),
    ("queue_wait_seconds", "gauge", "How long the oldest queued job has waited.", "waited"),
    ("disk_free_bytes", "gauge", "Free on the disk of the results.", "disk_free"),
    ("memory_bytes", "gauge", "Held by the server, its workers not counted.", "memory"),
    ("worker_memory_bytes", "gauge", "Held by all workers together.", "worker_memory"),
    ("refused_total", "counter", "Connections whose key was not on the list.", "refused"),
)


def page(state: Mapping[str, Any]) -> str:
    """The text for a ``state`` as the protocol has it."""
    lines = ["# HELP glimpse3d_jobs Jobs by state.", "# TYPE glimpse3d_jobs gauge"]
    for name in ("queued", "running", "finished"):
        lines.append(f'glimpse3d_jobs{{state="{name}"}} {state[name]}')
    numbers = {**state, "worker_memory": sum(each["memory"] for each in state["workers"])}
    states = [each["state"] for each in state["workers"]]
    lines += ["# HELP glimpse3d_worker Workers by state.", "# TYPE glimpse3d_worker gauge"]
    for name in _WORKER_STATES:
        lines.append(f'glimpse3d_worker{{state="{name}"}} {states.count(name)}')
    for name, kind, about, field in _NUMBERS:
        lines += [f"# HELP glimpse3d_{name} {about}", f"# TYPE glimpse3d_{name} {kind}"]
        lines.append(f"glimpse3d_{name} {numbers[field]:.10g}")
    return "\n".join(lines) + "\n"


class Metrics:
    """Answers ``GET /metrics`` until it is closed.

    Attributes:
        port: where.

    Args:
        port: 0 takes any free one.

    Raises:
        Glimpse3DError: the port is taken.
    """

    def __init__(self, port: int) -> None:
        self._page = b""
        try:
            self._server = http.server.ThreadingHTTPServer((HOST, port), self._handler())
        except OSError as error:
            raise Glimpse3DError(
                "output_failed", f"cannot listen at {HOST} port {port}: {error.strerror}",
                "another program may use it; choose another with --metrics",
            ) from error  # fmt: skip
        self.port = int(self._server.server_address[1])
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()

    def tell(self, state: Mapping[str, Any]) -> None:
        """What to answer from now on."""
        self._page = page(state).encode()

    def close(self) -> None:
        """Let go of the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def _handler(self) -> type[http.server.BaseHTTPRequestHandler]:
        metrics = self

        class Handler(http.server.BaseHTTPRequestHandler):
            timeout = 10  # seconds that a silent reader may hold its thread

            def do_GET(self) -> None:
                found = self.path == "/metrics"
                body = metrics._page if found else b"see /metrics\n"
                self.send_response(200 if found else 404)
                self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, format: str, *arguments: Any) -> None:
                """Readers come every few seconds; that is no news."""

        return Handler
