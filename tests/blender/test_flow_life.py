"""The add-on's own life in Blender: it holds nobody up, and leaves nothing behind."""

import logging
import sys
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from tests.blender.serving import Addon, Server, patient, project

log = logging.getLogger(__name__)
MEGABYTES = 96
# Of processor time all ticks are asked, of wall time three quarters: others take some of that, and
# on a busy machine most.
LONGEST, LONGEST_BY_CLOCK = 0.05, 0.25  # seconds
# A finished job with one big file, as a server that is stopped would have left it.
PLANT = """
import sys
from pathlib import Path
from tests.server.test_transfers import JOB, plant
plant(Path(sys.argv[1]), int(sys.argv[2]) * 2**20)
print(JOB.hex())
"""


def planted(data: Path) -> str:
    """The id of a job with a result of many megabytes."""
    with project("-c", PLANT, str(data), str(MEGABYTES)) as child:
        return str(child.communicate(timeout=60)[0]).split()[-1]


def test_a_big_result_does_not_hold_blender_up(ui: Addon, tmp_path: Path) -> None:
    first = Server(tmp_path / "data")
    where = ui.connection.read(first.string)
    first.stop()
    identity = planted(tmp_path / "data")
    place = ui.history.Place(where.server_public.hex(), "127.0.0.1")
    job = ui.history.Job(identity, "big", {}, place, time.time(), "downloading", "downloading")
    ui.session.book.history.create(job, b"picture")
    ui.restart()
    server = Server(tmp_path / "data")
    try:
        ui.held.clear()
        ui.connect(server.string)
        (job,) = ui.jobs
        ui.ends(job)
    finally:
        server.stop()
    path = ui.session.book.history.result(identity) / "splats.ply"
    assert path.stat().st_size == MEGABYTES * 2**20
    told("downloading", ui)
    assert max(ui.busy) < LONGEST
    assert np.quantile(ui.held, 0.75) < LONGEST_BY_CLOCK


def told(what: str, ui: Addon) -> None:
    wall, busy = np.array(ui.held) * 1000, np.array(ui.busy) * 1000
    words = "%s: %d ticks, wall ms median %.2f, 98 %% %.1f, longest %.1f; busy longest %.1f"
    facts = (np.median(wall), np.quantile(wall, 0.98), wall.max(), busy.max())
    log.info(words, what, len(wall), *facts)


def test_waiting_does_not_hold_blender_up(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    rng = np.random.default_rng(0)
    image = bpy.data.images.new("noise", 1500, 1500, alpha=True)
    image.pixels.foreach_set(rng.random(4 * 1500 * 1500, np.float32))
    job = ui.generate(image, patient(seconds=2.0))
    ui.held.clear()
    ui.busy.clear()
    ui.ends(job)
    assert job.imported
    told("uploading and waiting", ui)
    assert max(ui.busy) < LONGEST
    assert np.quantile(ui.held, 0.75) < LONGEST_BY_CLOCK


def test_a_server_that_is_not_there_does_not_hold_blender_up(ui: Addon, server: Server) -> None:
    ui.connect(server.string)
    server.stop()
    ui.held.clear()
    ui.busy.clear()
    until = time.monotonic() + 3
    ui.until(lambda: time.monotonic() > until)
    told("nobody there", ui)
    assert max(ui.busy) < LONGEST
    assert np.quantile(ui.held, 0.75) < LONGEST_BY_CLOCK


def ours(addon_name: str) -> dict[str, Any]:
    """Everything of ours that Blender holds."""
    types = [getattr(bpy.types, name) for name in dir(bpy.types)]
    handlers = [
        each for name in dir(bpy.app.handlers)
        if isinstance(listed := getattr(bpy.app.handlers, name), list) for each in listed
    ]  # fmt: skip
    modules = {name: module for name, module in sys.modules.items() if name.startswith(addon_name)}
    pulse = modules.get(f"{addon_name}.pulse")
    return {
        "classes": {each.__name__ for each in types if module(each).startswith(addon_name)},
        "handlers": len([each for each in handlers if module(each).startswith(addon_name)]),
        "timer": pulse is not None and bpy.app.timers.is_registered(pulse.tick),
        "scene": any(hasattr(bpy.types.Scene, f"glimpse3d{part}") for part in ("", "_splats")),
        "manager": hasattr(bpy.types.WindowManager, "glimpse3d"),
        "operators": set(dir(bpy.ops.glimpse3d)),
        "sockets": sockets(),
    }


def module(thing: object) -> str:
    return str(getattr(thing, "__module__", ""))


def sockets() -> int:
    """Linux: file descriptors of this process that are sockets."""
    if sys.platform != "linux":
        return 0
    found = 0
    for link in Path("/proc/self/fd").iterdir():
        try:
            found += "socket:" in str(link.readlink())
        except OSError:
            continue
    return found


def test_ten_times_off_and_on_leaves_nothing(ui: Addon, server: Server, addon_name: str) -> None:
    import addon_utils

    ui.connect(server.string)
    on = ours(addon_name)
    assert on["timer"] and on["classes"] and on["operators"] and on["handlers"] == 10
    for _ in range(10):
        assert ui.session.client is not None
        client = ui.session.client
        addon_utils.disable(addon_name)
        off = ours(addon_name)
        assert not off["classes"] and not off["operators"] and off["handlers"] == 0
        assert not off["timer"] and not off["scene"] and not off["manager"]
        assert client.problem is not None and client.problem.code == "closed"
        addon_utils.enable(addon_name)
        ui = Addon(sys.modules[addon_name])
        ui.connect(server.string)
    again = ours(addon_name)
    assert {**again, "sockets": 0} == {**on, "sockets": 0}
    assert again["sockets"] <= on["sockets"] + 1
    ui.forget()
