"""``blip2``: what a picture shows, in a few words, by BLIP-2 (arXiv 2301.12597).

Owns its settings, the template that leaves only the object, and holds the network while it is
loaded. Must not know other captions. Light: torch and transformers are imported by ``load``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from .. import models, pixel_values, reader_weights
from ..errors import BadFile, InvalidSettings
from ..pixel_values import Normalisation
from ..settings import check, option

if TYPE_CHECKING:
    from ..progress import Progress
    from ..types import Image


# What captions say of the picture instead of the object. Make-It-3D drops a part of these.
_OPENINGS = re.compile(
    r"^(?:there (?:is|are)|this is|it is|it's|here is)\s+"
    r"|^(?:an? |the )?(?:close[- ]?up|photo(?:graph)?|picture|image|(?:3d )?render(?:ing)?|"
    r"view|shot)\s+(?:shot\s+)?(?:of|showing)\s+",
    re.IGNORECASE,
)
_GROUNDS = re.compile(
    r"[,\s]+(?:(?:is|are|that is|standing|sitting|lying|isolated|set)\s+)*"
    r"(?:on|against|in front of|with)\s+(?:an?|the)?\s*(?:\w+\s+){0,2}?(?:background|backdrop)s?\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Blip2Settings:
    """What may be asked of ``blip2``."""

    fixed: str = option("", "take these words for every picture, and load no network")
    template: str = option("{object}", "the caption; {object} is what the picture shows")
    prompt: str = option("a photo of", "words that the network goes on from; may be empty")
    longest: int = option(24, "words at most, counted as the network cuts them", low=1, high=200)
    weights: str = option("Salesforce/blip2-opt-2.7b", "folder with the weights, or owner/name")
    revision: str = option("", "of owner/name; empty is the one that is pinned")
    device: str = option("auto", "where it runs", choices=("auto", "cpu", "cuda"))
    precision: str = option(
        "auto", "of the network; auto is half on a GPU and float32 elsewhere",
        choices=("auto", "float32", "bfloat16", "float16"),
    )  # fmt: skip

    def __post_init__(self) -> None:
        check(self)
        if self.template.count("{object}") != 1:
            hint = "such as 'a studio photo of {object}'"
            raise InvalidSettings("template", f"{self.template!r} names no {{object}}", hint)
        if self.fixed != self.fixed.strip():
            raise InvalidSettings("fixed", "begins or ends with a blank", "leave the blank out")


@dataclass(frozen=True, slots=True)
class Rules:
    """How a model's pictures are prepared; ``size`` is (height, width)."""

    size: tuple[int, int]
    normalisation: Normalisation


class Blip2:
    """Asks BLIP-2 what there is to see."""

    Settings = Blip2Settings
    PRESETS: ClassVar[Mapping[str, Mapping[str, Any]]] = {}
    MODEL = models.BLIP2
    TITLE = "BLIP-2"
    WHEN = (
        "words for text-guided stages; 15 GB of weights, a large GPU. Or words of your own: fixed"
    )

    def __init__(self) -> None:
        self._network: Any = None
        self._tokenizer: Any = None
        self._rules: Rules | None = None
        self._loaded: tuple[str, ...] = ()

    @property
    def loaded(self) -> bool:
        """Whether a network is held."""
        return self._network is not None

    @staticmethod
    def check_ready(settings: Blip2Settings) -> None:
        """See ``stages.WithWeights``."""
        if not settings.fixed:
            reader_weights.found("BLIP-2", settings, reader_weights.TOKENIZER)

    def load(self, settings: Blip2Settings, progress: Progress) -> None:
        """Read the weights; nothing where the caption is fixed.

        Raises:
            BackendUnavailable: a package or the GPU that was asked for is missing.
            WeightsMissing: they are not on this machine; nothing is fetched from here.
            BadFile: they are damaged, or another model's.
            OutOfMemory: they do not fit.
        """
        if settings.fixed:
            return
        folder = reader_weights.found("BLIP-2", settings, reader_weights.TOKENIZER)
        progress(0.0, "importing PyTorch")
        from .. import device as devices
        from .. import pretrained

        device = devices.choose(settings.device)
        dtype = devices.precision(settings.precision, device)
        wanted = (settings.weights, settings.revision, str(device), str(dtype))
        if wanted == self._loaded:
            return
        self.unload()
        progress(0.3, "reading the weights")
        rules, words = read_rules(folder), pretrained.tokenizer(folder)
        network = pretrained.read("Blip2ForConditionalGeneration", folder, device, dtype)
        _check_words(folder, words, network)
        self._network, self._tokenizer, self._rules = network, words, rules
        self._loaded = wanted
        progress(1.0)

    def unload(self) -> None:
        """Forget the network, and give its memory back to the system."""
        if self._network is None:
            return
        from .. import device as devices

        device, self._network, self._tokenizer = self._network.device, None, None
        self._rules, self._loaded = None, ()
        devices.give_back(device)

    def __call__(self, image: Image, settings: Blip2Settings, progress: Progress) -> str:
        """A caption that names the object alone; see ``stages.Captioner``.

        Raises:
            OutOfMemory: the machine or the GPU ran out of memory.
        """
        if settings.fixed:
            return settings.template.replace("{object}", settings.fixed)
        from .. import device as devices
        from ..progress import Progress

        self.load(settings, Progress())  # has happened, unless somebody calls without it
        progress(0.1, "reading the picture")
        with devices.memory_errors("choose precision=bfloat16, or device=cpu"):
            said = self._say(image, settings)
        progress(1.0)
        return settings.template.replace("{object}", object_of(said) or "an object")

    def _say(self, image: Image, settings: Blip2Settings) -> str:
        """What the network says after the prompt, word for word."""
        import torch

        assert self._rules is not None
        network, words = self._network, self._tokenizer
        given = pixel_values.normalised(
            pixel_values.over_white(image), self._rules.size, self._rules.normalisation
        )
        begin = [network.config.text_config.bos_token_id]
        start = words(settings.prompt).input_ids if settings.prompt else begin
        picture = [network.config.image_token_index] * network.config.num_query_tokens
        with torch.inference_mode():
            asked = torch.tensor([picture + start], device=network.device)
            found = network.generate(
                pixel_values=torch.from_numpy(given).to(network.device, network.dtype),
                input_ids=asked, attention_mask=torch.ones_like(asked),
                max_new_tokens=settings.longest, num_beams=1, do_sample=False,
            )  # fmt: skip
        said: str = words.decode(found[0], skip_special_tokens=True)
        return said.strip().removeprefix(settings.prompt).strip()


def object_of(said: str) -> str:
    """What is left of a caption when it speaks of the object alone.

    >>> object_of("there is a close up of a red vase on a white background")
    'a red vase'
    """
    text = " ".join(said.split("\n")[0].split()).strip(" .,;:")
    while (shorter := _OPENINGS.sub("", text)) != text:
        text = shorter
    return _GROUNDS.sub("", text).strip(" .,;:")


def read_rules(folder: Path) -> Rules:
    """From the file beside the weights; what it leaves out is the library's default.

    Raises:
        BadFile: it asks for what is not done here.
    """
    told = pixel_values.read_preprocessor(folder)
    how = told.normalisation(pixel_values.BICUBIC, pixel_values.CLIP_MEAN, pixel_values.CLIP_STD)
    return Rules(told.sides((384, 384)), how)


def _check_words(folder: Path, words: Any, network: Any) -> None:
    """The picture's place in the text has a word of its own, which older files lack."""
    marker = getattr(network.config, "image_token_index", None)
    if marker is None:
        raise BadFile(
            f"{folder} is of an older BLIP-2: its configuration has no image_token_index",
            "take the pinned revision, or a newer one",
        )
    if len(words) > network.get_input_embeddings().num_embeddings:
        raise BadFile(f"{folder}: the tokenizer knows more words than the network")
