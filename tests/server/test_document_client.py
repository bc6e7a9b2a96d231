"""docs/protocol.md and the server say the same: a client written from it alone gets its result."""

import ast
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from glimpse3d.formats import manifest
from inference_server import protocol
from tests.server import document_client
from tests.server.document_client import DocumentClient, RefusalError
from tests.server.serving import ROOT, Server, picture

DOCUMENT = (ROOT / "docs" / "protocol.md").read_text("utf-8")
# 10 times as large as a piece, so that a picture arrives in some of them
SIDE = 512


@pytest.fixture
def client(server: Server) -> Iterator[DocumentClient]:
    made = DocumentClient(server.string)
    yield made
    made.close()


def test_it_knows_nothing_of_ours() -> None:
    tree = ast.parse(Path(document_client.__file__).read_text("utf-8"))
    names = {each.name.partition(".")[0] for node in ast.walk(tree)
             if isinstance(node, ast.Import) for each in node.names}  # fmt: skip
    names |= {node.module.partition(".")[0] for node in ast.walk(tree)
              if isinstance(node, ast.ImportFrom) and node.module}  # fmt: skip
    assert names <= {"base64", "hashlib", "msgpack", "os", "pathlib", "time", "typing", "zmq"}


def test_a_picture_becomes_a_result(client: DocumentClient, server: Server, tmp_path: Path) -> None:
    welcome, catalogue = client.hello()
    assert welcome["protocol"] == 1 and "generate" in welcome["kinds"]
    assert "draft" in catalogue["presets"]
    image = client.upload(picture(11, SIDE))
    job = os.urandom(16)
    settings = {"preset": "draft", "matte": "alpha", "turntable": {"frames": 2, "resolution": 64}}
    request = {"job": job, "kind": "generate", "image": image, "settings": settings}
    accepted, _ = client.ask(document_client.SUBMIT, request)
    assert accepted["state"] in ("queued", "running")
    assert client.ask(document_client.SUBMIT, request)[0]["job"] == job  # the same job again
    with pytest.raises(RefusalError, match="conflict"):
        client.ask(document_client.SUBMIT, {**request, "name": "another"})
    done = client.wait(job)
    assert done["state"] == "succeeded"
    largest = max(done["files"], key=lambda each: each["size"])
    assert largest["size"] > 2 * document_client.PIECE
    assert not client.fetch(job, largest, tmp_path, most=1)
    later = DocumentClient(server.string)  # as a program does that was killed in between
    for about in sorted(done["files"], key=lambda each: each["name"] == "manifest.json"):
        assert later.fetch(job, about, tmp_path)
    later.close()
    listed = manifest.read(tmp_path / manifest.NAME).files
    assert {path.name for path in tmp_path.iterdir()} == {*listed, manifest.NAME}


def test_an_upload_goes_on_where_it_stopped(client: DocumentClient) -> None:
    content = os.urandom(3 * document_client.PIECE)
    body = {"sha256": hashlib.sha256(content).digest(), "size": len(content)}
    first = content[: document_client.PIECE]
    held, _ = client.ask(document_client.PUT, {**body, "offset": 0}, first)
    assert held["have"] == len(first) and not held["complete"]
    held, _ = client.ask(document_client.PUT, {**body, "offset": 2 * len(first)}, first)
    assert held["have"] == len(first)  # what does not continue what is there changes nothing
    assert client.upload(content) == body["sha256"]
    assert client.ask(document_client.HAVE, body)[0]["complete"]


@pytest.mark.parametrize("name", list(protocol.MESSAGES))
def test_the_document_has_every_message_and_field(name: str) -> None:
    kind = protocol.MESSAGES[name]
    assert re.search(rf"\b{kind.number} (\| )?`{name}`|\| {kind.number} \|.*`{name}`", DOCUMENT)
    for field in kind.body:
        assert f"`{field}`" in DOCUMENT, field
