"""How long the add-on holds Blender up: while a result arrives, at cancel, and drawing its panels.

In an environment with bpy, the first two (the extension's ZIP as tests take it):

    GLIMPSE3D_TEST_ZIP=dist/glimpse3d-...-linux_x64.zip python benchmarks/addon_panel.py

In a Blender with a window, the third; it installs the ZIP, draws, tells and quits:

    blender --factory-startup --python benchmarks/addon_panel.py -- ZIP [CONNECTION STRING]

Times are processor time of the main thread, which other programs on the machine do not change much;
that of cancel is by the clock. Writes ``benchmarks/results/addon_panel.csv`` without a window.
"""

from __future__ import annotations

import csv
import os
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import bpy
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))
NAME = "bl_ext.user_default.glimpse3d"
MEGABYTES, CANCELS, DRAWINGS = 200, 5, 60
# What is asked for: milliseconds of a tick, of an answer to cancel, and of a panel.
TICK, CANCEL, PANEL = 16.0, 1000.0, 2.0


def installed(zip_path: str) -> Any:
    """The add-on's package, from the ZIP."""
    bpy.ops.extensions.package_install_files(
        filepath=zip_path, repo="user_default", enable_on_install=True, overwrite=True
    )
    bpy.context.preferences.system.use_online_access = True
    return sys.modules[NAME]


def arriving(package: Any, folder: Path) -> list[float]:
    """Milliseconds of every tick while so many megabytes arrive."""
    from tests.blender.serving import Addon, Server
    from tests.blender.test_flow_life import PLANT, project

    ui = Addon(package)
    first = Server(folder)
    where = ui.connection.read(first.string)
    first.stop()
    with project("-c", PLANT, str(folder), str(MEGABYTES)) as child:
        identity = str(child.communicate(timeout=120)[0]).split()[-1]
    place = ui.history.Place(where.server_public.hex(), "127.0.0.1")
    job = ui.history.Job(identity, "big", {}, place, time.time(), "downloading", "downloading")
    ui.session.book.history.create(job, b"picture")
    ui.restart()
    server = Server(folder)
    try:
        ui.connect(server.string)
        ui.busy.clear()
        ui.ends(ui.jobs[0])
    finally:
        server.stop()
        ui.forget()
    return [1000 * each for each in ui.busy]


def cancelling(package: Any, folder: Path) -> list[float]:
    """Milliseconds by the clock from pressing cancel to the server's answer, while it computes."""
    from tests.blender.serving import Addon, Server, patient

    ui = Addon(package)
    server = Server(folder)
    took = []
    try:
        ui.connect(server.string)
        for _ in range(CANCELS):
            picture = bpy.data.images.new("disc", 64, 64, alpha=True)
            picture.pixels.foreach_set(([0.0] * 4 + [0.8, 0.4, 0.2, 1.0]) * (64 * 32))
            job = ui.generate(picture, patient(seconds=60))
            ui.until(lambda job=job: job.state == "running" and job.fraction > 0.02)  # type: ignore[misc]
            pressed = time.monotonic()
            bpy.ops.glimpse3d.cancel(job=job.id)
            ui.ends(job)
            assert job.state == "cancelled"
            took.append(1000 * (time.monotonic() - pressed))
    finally:
        server.stop()
        ui.forget()
    return took


def without_window() -> None:
    """Measure what needs none, and keep it."""
    package = installed(os.environ["GLIMPSE3D_TEST_ZIP"])
    with tempfile.TemporaryDirectory() as folder:
        ticks = np.array(arriving(package, Path(folder) / "arriving"))
        cancels = np.array(cancelling(package, Path(folder) / "cancelling"))
    version = ".".join(map(str, bpy.app.version))
    rows = [
        (f"a tick while {MEGABYTES} MB arrive", version, len(ticks), np.median(ticks),
         np.quantile(ticks, 0.99), ticks.max(), TICK),
        ("cancel answered, by the clock", version, len(cancels), np.median(cancels),
         np.quantile(cancels, 0.99), cancels.max(), CANCEL),
    ]  # fmt: skip
    path = ROOT / "benchmarks" / "results" / "addon_panel.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("what", "blender", "count", "median_ms", "p99_ms", "longest_ms", "asked"))
        writer.writerows(
            [*row[:3], *(round(float(value), 2) for value in row[3:6]), row[6]] for row in rows
        )
    print(path.read_text("utf-8"))


class Drawing:
    """Times every drawing of our panels by Blender itself."""

    def __init__(self) -> None:
        self.took: dict[str, list[float]] = {}

    def watch(self) -> None:
        """From now on."""
        for name in dir(bpy.types):
            if name.startswith("GLIMPSE3D_PT_"):
                kind = getattr(bpy.types, name)
                kind.draw = self._timed(name, kind.draw)

    def _timed(self, name: str, draw: Any) -> Any:
        def timed(panel: Any, context: Any) -> None:
            start = time.thread_time()
            draw(panel, context)
            self.took.setdefault(name, []).append(1000 * (time.thread_time() - start))

        return timed

    def tell(self) -> None:
        """One line a panel."""
        for name, values in sorted(self.took.items()):
            median, longest = np.median(values), max(values)
            print(
                f"DRAWN {name}: {len(values)} times, median {median:.2f} ms, longest {longest:.2f}"
            )


def with_window(arguments: list[str]) -> None:
    """Open both editors with our tab, draw them again and again, tell, and quit."""
    drawing, left = Drawing(), [DRAWINGS]

    def prepare() -> None:
        installed(arguments[0])
        window = bpy.context.window_manager.windows[0]
        below = next(each for each in window.screen.areas if each.type == "DOPESHEET_EDITOR")
        below.type = "IMAGE_EDITOR"
        for area in window.screen.areas:
            if area.type in ("VIEW_3D", "IMAGE_EDITOR"):
                area.spaces.active.show_region_ui = True
        if len(arguments) > 1:
            bpy.ops.glimpse3d.paste_connection(text=arguments[1])
        bpy.context.scene.glimpse3d.source = bpy.data.images.new("picture", 1024, 1024, alpha=True)

    def step() -> float | None:
        left[0] -= 1
        if left[0] == DRAWINGS - 1:
            prepare()
            return 3.0
        for area in bpy.context.window_manager.windows[0].screen.areas:
            for region in area.regions:
                if region.type == "UI" and area.type in ("VIEW_3D", "IMAGE_EDITOR"):
                    if left[0] == DRAWINGS - 2:
                        region.active_panel_category = "Glimpse3D"
                    region.tag_redraw()
        if left[0] == DRAWINGS - 5:
            drawing.watch()
        if left[0] > 0:
            return 0.05
        drawing.tell()
        bpy.ops.wm.quit_blender()
        return None

    bpy.app.timers.register(step, first_interval=1.0, persistent=True)


if bpy.app.background:
    without_window()
    sys.stdout.flush()
    os._exit(0)  # 4.2 crashes and 4.5 hangs at the end while a timer is registered
else:
    with_window(sys.argv[sys.argv.index("--") + 1 :])
