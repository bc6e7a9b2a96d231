"""A hub on this machine: repositories over HTTP in the way of the Hugging Face hub.

Small files are answered at once, large ones by a redirect to another host, which serves ranges.
What goes wrong with a real one can be asked for: cut connections, ignored ranges, other bytes.
"""

import hashlib
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

LARGE = 1 << 16  # bytes; from there on a file lies on the other host
BLOCK = 1 << 18  # bytes that a slow line carries at once


class Request(NamedTuple):
    """What was asked; ``start`` is the first byte asked for."""

    method: str
    path: str
    start: int
    authorization: str


@dataclass
class Hub:
    """What is served, and what was asked for.

    Attributes:
        files: ``owner/name/revision/path`` -> content.
        cuts: how many transfers still break off, each after ``cut_after`` bytes.
        pause: seconds before each block of a large file.
        stall: once the cut is reached, keep the line open and silent instead.
    """

    url: str = ""
    files: dict[str, bytes] = field(default_factory=dict)
    requests: list[Request] = field(default_factory=list)
    cuts: int = 0
    cut_after: int = 0
    pause: float = 0.0
    stall: threading.Event | None = None
    ranges: bool = True

    def transfers(self) -> list[Request]:
        """The requests that moved a large file."""
        return [each for each in self.requests if each.method == "GET" and "/cdn/" in each.path]


@contextmanager
def serving() -> Iterator[Hub]:
    """Serve an empty hub on a free port of this machine."""
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, format: str, *args: object) -> None:
            pass

        def do_HEAD(self) -> None:
            self.answer()

        def do_GET(self) -> None:
            self.answer()

        def answer(self) -> None:
            asked = self.headers.get("Range", "bytes=0-")
            start = int(asked.removeprefix("bytes=").partition("-")[0])
            token = self.headers.get("Authorization", "")
            hub.requests.append(Request(self.command, self.path, start, token))
            if self.path.startswith("/cdn/"):
                by_hash = {hashlib.sha256(each).hexdigest(): each for each in hub.files.values()}
                self.send_content(by_hash[self.path.removeprefix("/cdn/")], start)
                return
            repository, _, rest = self.path.lstrip("/").partition("/resolve/")
            self.answer_file(repository, rest.partition("/")[0], f"{repository}/{rest}")

        def answer_file(self, repository: str, revision: str, key: str) -> None:
            if key not in hub.files:
                known = any(each.startswith(f"{repository}/") for each in hub.files)
                self.send_response(404)
                self.send_header("X-Error-Code", "EntryNotFound" if known else "RepoNotFound")
                self.send_header("X-Error-Message", "there is no such thing")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            content = hub.files[key]
            if len(content) < LARGE:
                self.send_content(content, 0, {"X-Repo-Commit": revision})
                return
            digest = hashlib.sha256(content).hexdigest()
            self.send_response(302)
            self.send_header(
                "Location", f"{hub.url.replace('127.0.0.1', 'localhost')}/cdn/{digest}"
            )
            self.send_header("X-Repo-Commit", revision)
            self.send_header("X-Linked-Etag", f'"{digest}"')
            self.send_header("X-Linked-Size", str(len(content)))
            self.send_header("Content-Length", "0")
            self.end_headers()

        def send_content(
            self, content: bytes, start: int, more: dict[str, str] | None = None
        ) -> None:
            start = start if hub.ranges else 0
            git = hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
            self.send_response(206 if start else 200)
            for name, value in (more or {}).items():
                self.send_header(name, value)
            if start:
                total = len(content)
                self.send_header("Content-Range", f"bytes {start}-{total - 1}/{total}")
            self.send_header("ETag", f'"{git}"')
            self.send_header("Content-Length", str(len(content) - start))
            self.end_headers()
            if self.command == "GET":
                self.send_body(content[start:])

        def send_body(self, body: bytes) -> None:
            if len(body) < LARGE or hub.cuts == 0:
                self.send_blocks(body)
                return
            hub.cuts -= 1
            self.wfile.write(body[: hub.cut_after])
            self.wfile.flush()
            if hub.stall is not None:
                hub.stall.wait(60)
            self.close_connection = True

        def send_blocks(self, body: bytes) -> None:
            for start in range(0, len(body), BLOCK):
                time.sleep(hub.pause if len(body) >= LARGE else 0)
                self.wfile.write(body[start : start + BLOCK])

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield hub
    finally:
        if hub.stall is not None:
            hub.stall.set()
        server.shutdown()
        thread.join()
        server.server_close()
