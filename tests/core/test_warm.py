"""Models stay loaded up to a budget, and the one that was used longest ago goes first."""

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest

from glimpse3d import pipeline, plugins, warm
from glimpse3d.cuda_errors import lost_context
from glimpse3d.progress import Progress
from glimpse3d.settings import Settings
from glimpse3d.stages import Detail
from glimpse3d.types import Image, Reconstruction

MEGABYTE = 10**6
HELD = 80 * MEGABYTE
linux = pytest.mark.skipif(sys.platform != "linux", reason="sizes are read from /proc")


class Heavy:
    """Holds 80 MB from its load to its unload."""

    PRESETS: ClassVar[dict[str, dict[str, Any]]] = {}
    TITLE = WHEN = "in tests"

    def __init__(self) -> None:
        self.held: np.ndarray | None = None

    from glimpse3d.mattes.alpha import Alpha

    Settings = Alpha.Settings

    def load(self, settings: Any, progress: Progress) -> None:
        if self.held is None:
            self.held = np.full(HELD, 7, np.uint8)

    def unload(self) -> None:
        self.held = None


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096


@pytest.fixture
def heavy(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Heavy]]:
    made = {name: Heavy() for name in ("first", "second", "third")}
    backends = {("reconstructor", name): backend for name, backend in made.items()}
    monkeypatch.setattr(plugins, "_made", backends)
    monkeypatch.setattr(warm, "_held", {})
    yield made


def use(made: dict[str, Heavy], name: str) -> None:
    with warm.loading("reconstructor", name):
        made[name].load(None, Progress())


@linux
def test_the_least_recently_used_goes_first_and_its_memory_with_it(heavy: dict[str, Heavy]) -> None:
    for name in heavy:
        use(heavy, name)
    sizes = warm.sizes()
    assert [name for _, name in sizes] == ["first", "second", "third"]
    assert all(abs(size - HELD) < 0.15 * HELD for size in sizes.values())
    use(heavy, "first")  # it is here, and now the one that was used last
    assert abs(warm.sizes()["reconstructor", "first"] - HELD) < 0.15 * HELD
    before = resident()
    assert warm.trim(int(2.3 * HELD)) == [("reconstructor", "second")]
    assert before - resident() > 0.9 * HELD
    assert heavy["second"].held is None and heavy["first"].held is not None
    assert warm.trim(int(2.3 * HELD)) == []
    use(heavy, "second")
    assert warm.trim(int(1.3 * HELD)) == [("reconstructor", "third"), ("reconstructor", "first")]
    assert warm.trim(0) == [("reconstructor", "second")] and warm.sizes() == {}


@linux
def test_another_model_in_the_same_backend_has_its_own_size(heavy: dict[str, Heavy]) -> None:
    use(heavy, "first")
    with warm.loading("reconstructor", "first"):
        heavy["first"].unload()
        heavy["first"].held = np.full(2 * HELD, 7, np.uint8)
    assert abs(warm.sizes()["reconstructor", "first"] - 2 * HELD) < 0.2 * HELD


def test_what_was_unloaded_for_want_of_memory_counts_no_more(heavy: dict[str, Heavy]) -> None:
    use(heavy, "first")
    use(heavy, "second")
    assert warm.unload_others("reconstructor", "second")
    assert list(warm.sizes()) == [("reconstructor", "second")] and heavy["first"].held is None


def test_the_pipeline_tells_what_it_uses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Maker(Heavy):
        def __call__(
            self, cutout: Image, settings: Any, detail: Detail, progress: Progress
        ) -> Reconstruction:
            raise ArithmeticError

    monkeypatch.setattr(warm, "_held", {})
    monkeypatch.setattr(plugins, "_made", {})
    monkeypatch.setitem(plugins.BUILTIN["reconstructor"], "maker", f"{__name__}:Maker")
    monkeypatch.setattr(sys.modules[__name__], "Maker", Maker, raising=False)
    rgba = np.zeros((32, 32, 4), np.uint8)
    rgba[8:24, 8:24] = 200
    with pytest.raises(ArithmeticError):
        pipeline.run(Image(rgba), Settings(preset="draft", matte="alpha", reconstructor="maker"))
    assert [name for _, name in warm.sizes()] == ["alpha", "maker"]


def test_a_lost_context_is_known_by_cudas_own_words_wherever_they_stand() -> None:
    try:
        try:
            raise RuntimeError("CUDA error: misaligned address\nCUDA kernel errors might be ...")
        except RuntimeError as inner:
            raise ValueError("the depth is not finite") from inner
    except ValueError as outer:
        assert lost_context(outer) == "misaligned address"
    for harmless in (
        RuntimeError("CUDA error: out of memory"),
        ValueError("misaligned address"),
        KeyError("an illegal memory access was encountered"),
    ):
        assert lost_context(harmless) == ""
