"""Points as a PCD file (version 0.7 of the Point Cloud Library), in plain text.

Owns that layout. Must not know what the points are, nor their frame.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..errors import InvalidData
from .folder import output_errors


def write_pcd(
    path: Path, points: np.ndarray, colors: np.ndarray, normals: np.ndarray | None = None
) -> None:
    """Write coloured points.

    Args:
        path: of the ``.pcd``.
        points: (N, 3), any unit.
        colors: (N, 3) uint8 sRGB.
        normals: (N, 3) unit, or None.

    Raises:
        InvalidData: arrays that do not fit each other, or nothing to write.
        OutputFailed, DiskFull: it cannot be written.
    """
    count = len(points)
    given = [points, colors] if normals is None else [points, colors, normals]
    if not count or any(each.shape != (count, 3) for each in given):
        raise InvalidData("points, colours and normals have to be (N, 3), N at least 1")
    red, green, blue = colors.astype(np.uint32).T
    columns = [*points.T, red << 16 | green << 8 | blue]
    fields, kinds, forms = ["x", "y", "z", "rgb"], ["F", "F", "F", "U"], ["%.6g"] * 3 + ["%d"]
    if normals is not None:
        columns += list(normals.T)
        fields += ["normal_x", "normal_y", "normal_z"]
        kinds, forms = kinds + ["F"] * 3, forms + ["%.5f"] * 3
    header = [
        "# .PCD v0.7 - Point Cloud Data file format",
        "VERSION 0.7",
        f"FIELDS {' '.join(fields)}",
        f"SIZE {' '.join('4' for _ in fields)}",
        f"TYPE {' '.join(kinds)}",
        f"COUNT {' '.join('1' for _ in fields)}",
        f"WIDTH {count}",
        "HEIGHT 1",
        "VIEWPOINT 0 0 0 1 0 0 0",
        f"POINTS {count}",
        "DATA ascii",
    ]
    with output_errors(path), path.open("w", encoding="ascii", newline="\n") as file:
        file.write("\n".join(header) + "\n")
        np.savetxt(file, np.column_stack(columns), fmt=" ".join(forms), newline="\n")
