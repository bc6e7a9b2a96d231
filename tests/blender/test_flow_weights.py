"""Weights in Blender: the panel asks, the server fetches by the hub's library, Generate goes on."""

import json
import threading
from collections.abc import Iterator
from pathlib import Path

import bpy
import pytest

from tests import tiny_model
from tests.blender.serving import QUICK, Addon, Server
from tests.blender.test_flow_panels import drawn
from tests.hub_server import Hub, serving

PANEL = "GLIMPSE3D_PT_view_generate"
# All but the method, which the panel's own choice names.
REST = json.dumps({name: value for name, value in QUICK.items() if name != "reconstructor"})


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with the tiny model, for servers that are started from here on."""
    for name in ("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with serving() as hub:
        hub.files = tiny_model.served()
        monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
        yield hub


@pytest.fixture
def server(hub: Hub, tmp_path: Path) -> Iterator[Server]:
    running = Server(tmp_path / "data")
    yield running
    running.stop()


def test_the_panel_asks_and_after_a_yes_generate_goes_on(
    ui: Addon, hub: Hub, server: Server, disc: bpy.types.Image
) -> None:
    ui.connect(server.string)
    assert "Fetch" not in drawn(PANEL)
    bpy.ops.glimpse3d.choose_method(name="tiny")
    assert bpy.context.scene.glimpse3d.reconstructor == "tiny"
    for text in (drawn(PANEL), drawn("GLIMPSE3D_PT_image_generate", "IMAGE_EDITOR")):
        assert "Tiny TripoSR needs its weights first, once" in text
        assert "4.3 MB from" in text and tiny_model.REPO in text and "licence MIT" in text
        assert "kept on the server at 127.0.0.1" in text and "[Fetch Weights (4.3 MB)]" in text

    job = ui.generate(disc, REST)
    ui.ends(job)
    assert (job.state, job.problem.code) == ("failed", "weights_missing")
    text = drawn(PANEL)
    assert "Goes on by itself once the weights are there" in text and text.count("[Fetch") == 1
    assert hub.requests == []  # the question was not answered yet

    hub.pause = 0.1
    assert bpy.ops.glimpse3d.fetch_weights(backend="tiny") == {"FINISHED"}
    texts: set[str] = set()
    ui.until(lambda: texts.add(drawn(PANEL)) or ui.session.weights.fetch is None)
    assert any("Fetching the weights of Tiny TripoSR" in text and "[Cancel]" not in text
               and " MB of 4 MB" in text for text in texts)  # fmt: skip
    ui.until(lambda: job.imported)
    assert "disc" in bpy.data.collections and "Fetch" not in drawn(PANEL)


def test_cancel_keeps_what_came_and_the_button_says_how_much_is_left(
    ui: Addon, hub: Hub, server: Server
) -> None:
    hub.cuts, hub.cut_after, hub.stall = 9, 1_500_000, threading.Event()
    ui.connect(server.string)
    bpy.ops.glimpse3d.choose_method(name="tiny")
    bpy.ops.glimpse3d.fetch_weights(backend="tiny")
    ui.until(lambda: ui.session.weights.fetch.fraction > 0.2)
    bpy.ops.glimpse3d.choose_method(name="inflate")
    assert "Fetching the weights of Tiny TripoSR" in drawn(PANEL)  # a download is never hidden
    bpy.ops.glimpse3d.choose_method(name="tiny")
    bpy.ops.glimpse3d.cancel_fetch()
    assert "Cancelling" in drawn(PANEL)
    ui.until(lambda: ui.session.weights.fetch is None)
    ui.until(lambda: "[Go On Fetching (" in drawn(PANEL))
    left = ui.session.weights.wanted("tiny").left
    assert f"the rest of {tiny_model.SIZE / 1e6:.1f} MB" in drawn(PANEL)
    hub.cuts = 0
    bpy.ops.glimpse3d.fetch_weights(backend="tiny")
    ui.until(lambda: ui.session.weights.wanted("tiny") is None)
    assert 0 < hub.transfers()[-1].start <= tiny_model.SIZE - left


def test_offline_nothing_can_be_fetched(ui: Addon, hub: Hub, server: Server) -> None:
    ui.connect(server.string)
    bpy.context.preferences.system.use_online_access = False
    assert not bpy.ops.glimpse3d.fetch_weights.poll()
    ui.pulse.tick()
    assert ui.session.state == "offline" and "Fetch" not in drawn(PANEL)
    assert hub.requests == []


def test_what_a_server_lacks_is_said_in_place_of_the_question(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    rows = ui.session.client.welcome.catalogue["weights"]
    next(row for row in rows if row["backend"] == "tiny")["lacks"] = "needs torch (pip install it)"
    bpy.ops.glimpse3d.choose_method(name="tiny")
    text = drawn(PANEL)
    assert "Tiny TripoSR cannot run on this server yet" in text and "Needs torch" in text
    assert "[Fetch" not in text
