"""What a backend of each stage must be able to do.

Owns the Protocols only. Must not know any backend. A backend's own file stays light: packages
that take long to import are imported by ``load`` or in a file beside it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol, runtime_checkable

from .models import Model
from .progress import Progress
from .types import Depth, Image, Prompt, Reconstruction


@dataclass(frozen=True, slots=True)
class Detail:
    """How fine a reconstruction should be; what a preset decides for every reconstructor.

    Attributes:
        faces: triangles at most; the surface is simplified before it is textured. 0 keeps all.
        texture_size: longest side of the texture in pixels, at most.
    """

    faces: int
    texture_size: int


class Backend(Protocol):
    """What every backend has.

    Attributes:
        Settings: a frozen dataclass; each field has a default, limits and help
            (see ``settings.option``). Interfaces are drawn from it.
        PRESETS: preset name -> the fields of ``Settings`` that it changes.
        TITLE: a few words for lists and menus.
        WHEN: one line on when to choose it.
    """

    Settings: ClassVar[type]
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]]
    TITLE: ClassVar[str]
    WHEN: ClassVar[str]

    def load(self, settings: Any, progress: Progress) -> None:
        """Make ready to run: import packages, read or fetch weights. A second call is cheap.

        Raises:
            BackendUnavailable: a package or hardware is missing.
            WeightsMissing: weights are neither here nor to be fetched.
        """

    def unload(self) -> None:
        """Give back what ``load`` took."""


@runtime_checkable
class WithWeights(Protocol):
    """What a backend has, too, whose weights do not come with its package.

    Attributes:
        MODEL: whose weights its settings name unless they are changed; one of ``models.KNOWN``.
    """

    MODEL: ClassVar[Model]

    @staticmethod
    def check_ready(settings: Any) -> None:
        """Refuse what ``load`` would refuse, as far as a look at the disk tells. Cheap.

        Raises:
            BackendUnavailable: a package is missing.
            WeightsMissing: weights are not here.
            BadFile: they were cut short.
        """


@runtime_checkable
class Matte(Backend, Protocol):
    """Tells the subject from the background."""

    def why_not(self, image: Image, settings: Any) -> str:
        """Why ``auto`` should pass this one by; empty if it can run now without fetching."""

    def __call__(self, image: Image, prompt: Prompt, settings: Any, progress: Progress) -> Image:
        """The picture with its background's alpha at 0; same size, colours kept.

        Raises:
            NoForeground: nothing was found.
        """


@runtime_checkable
class Reconstructor(Backend, Protocol):
    """Turns one cut-out into a textured mesh."""

    def __call__(
        self, cutout: Image, settings: Any, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """The object in the house frame, and the camera that took ``cutout``.

        Raises:
            NoForeground: the cut-out is empty.
        """


@runtime_checkable
class DepthReconstructor(Backend, Protocol):
    """A reconstructor that builds on depth, which the pipeline has estimated before."""

    def from_depth(
        self, cutout: Image, depth: Depth, settings: Any, detail: Detail, progress: Progress
    ) -> Reconstruction:
        """As ``Reconstructor.__call__``; the depth is of the picture that was cut out.

        Raises:
            NoForeground: the cut-out is empty.
            InvalidData: the depth does not fit the picture, or says nothing of the subject.
        """


@runtime_checkable
class DepthEstimator(Backend, Protocol):
    """Tells how far away each pixel is."""

    def __call__(self, image: Image, settings: Any, progress: Progress) -> Depth:
        """A depth of the picture's size; its kind says what the numbers mean.

        Raises:
            InvalidData: the picture is too small, or the depth is the same everywhere.
        """


@runtime_checkable
class Captioner(Backend, Protocol):
    """Says what a picture shows."""

    def __call__(self, image: Image, settings: Any, progress: Progress) -> str:
        """A few words on one line."""
