from collections.abc import Callable

import numpy as np
import pytest

from glimpse3d.errors import InvalidData
from glimpse3d.types import Camera, GaussianCloud, Image, Mesh, Prompt, View

TINY = Image(np.zeros((2, 2, 4), np.uint8))


def cloud(count: int, coefficients: int = 1) -> GaussianCloud:
    return GaussianCloud(
        np.zeros((count, 3)),
        np.ones((count, 3)),
        np.tile([1.0, 0, 0, 0], (count, 1)),
        np.ones(count),
        np.zeros((count, coefficients, 3)),
    )


def test_arrays_come_out_typed_contiguous_and_read_only() -> None:
    vertices = np.asfortranarray(np.random.default_rng(0).normal(size=(5, 3)))
    mesh = Mesh(vertices, [[0, 1, 2]])
    assert mesh.vertices.dtype == np.float32 and mesh.faces.dtype == np.uint32
    assert mesh.vertices.flags.c_contiguous
    with pytest.raises(ValueError, match="read-only"):
        mesh.vertices[0] = 1
    assert vertices.flags.writeable  # the caller's own array stays as it was


def test_sh_degrees() -> None:
    assert [cloud(2, k).sh_degree for k in (1, 4, 9, 16)] == [0, 1, 2, 3]
    assert len(cloud(0)) == 0


WRONG: dict[str, Callable[[], object]] = {
    "three channels": lambda: Image(np.zeros((4, 4, 3), np.uint8)),
    "no pixels": lambda: Image(np.zeros((0, 4, 4), np.uint8)),
    "missing vertex": lambda: Mesh(np.zeros((3, 3)), [[0, 1, 3]]),
    "not a number": lambda: Mesh(np.full((3, 3), np.nan), [[0, 1, 2]]),
    "too few uvs": lambda: Mesh(np.zeros((3, 3)), [[0, 1, 2]], uvs=np.zeros((2, 2))),
    "texture without uvs": lambda: Mesh(np.zeros((3, 3)), [[0, 1, 2]], texture=TINY),
    "five coefficients": lambda: cloud(3, 5),
    "scaled pose": lambda: Camera(np.eye(4) * 2, np.eye(3), 4, 4),
    "empty box": lambda: Prompt(box=(5, 5, 5, 9)),
    "other size": lambda: View(TINY, Camera(np.eye(4), np.eye(3), 4, 4)),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_does_not_fit_is_refused(case: str) -> None:
    with pytest.raises(InvalidData):
        WRONG[case]()
