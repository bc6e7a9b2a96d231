"""The comparison of ``benchmarks/server.py``: one file over FastAPI and uvicorn with TLS.

``python benchmarks/https_server.py FILE CERTIFICATE`` prints its port and serves until it is
killed. Its packages (fastapi, uvicorn) are installed for the benchmark alone; Glimpse3D never
imports them. Must not know Glimpse3D.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI
from fastapi.responses import FileResponse


def main() -> None:
    path, certificate = sys.argv[1:]
    app = FastAPI()
    app.get("/file", response_class=FileResponse)(lambda: FileResponse(path))
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, ssl_certfile=certificate, log_level="warning", access_log=False)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
