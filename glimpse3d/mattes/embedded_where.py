"""Which thing in the picture is meant, by the small network.

Owns how a picture is shown to the network. Must not know colour models, settings or full-size
pictures. Heavy: loaded by ``embedded`` only.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np

from .. import embedded_weights


class Where:
    """The network, ready to be asked."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._side = int(session.get_inputs()[0].shape[-1])  # pixels

    @classmethod
    def shipped(cls) -> Where:
        """The one inside the package.

        Raises:
            BackendUnavailable, WeightsMissing, BadFile: see ``embedded_weights.session``.
        """
        return cls(embedded_weights.session("cutout", "--matte grabcut"))

    def __call__(self, rgb: np.ndarray) -> np.ndarray:
        """The log-odds that a pixel is the subject's, the mean of two looks, one mirrored.

        Args:
            rgb: (h, w, 3) uint8; shown as a square, whatever its shape.

        Returns:
            (h, w) float32.
        """
        square = cv2.resize(rgb, (self._side, self._side), interpolation=cv2.INTER_AREA)
        picture = square.astype(np.float32).transpose(2, 0, 1)[None] / 255
        both = np.concatenate([picture, picture[..., ::-1]])
        answer = self._session.run(["subject"], {"picture": both})[0]
        odds = (answer[0] + answer[1, :, ::-1]) / 2
        return np.asarray(cv2.resize(odds, rgb.shape[1::-1], interpolation=cv2.INTER_LINEAR))
