"""The commands that read one picture: ``cutout``, ``caption`` and ``depth``.

Owns their arguments and the files they write: a picture or words, and beside it a JSON of what
ran. Must not know any backend by name beyond the defaults. Imports what computes only when it
computes.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from . import __version__, cli_meter, cli_models, plugins
from .cli_options import add_backends, box_from
from .errors import OutputFailed, WeightsMissing
from .formats import plain_json
from .settings import STANDARD, Settings, preset, to_dict

if TYPE_CHECKING:
    from .progress import Progress
    from .types import Choice, Image, Prompt

_DEFAULTS = {"matte": "auto", "depth": STANDARD.depth, "caption": "blip2"}


def add_readers(commands: Any, server: Callable[[], ModuleType]) -> None:
    """Mount the three commands.

    Args:
        commands: of the parser.
        server: gives the server's side of the command line, or refuses.
    """
    cutout = _add(commands, "cutout", "matte", "cut the subject out of a picture", ".png")
    cutout.add_argument("--box", metavar="L,T,R,B", help="left,top,right,bottom in pixels")
    cutout.add_argument(
        "--mask", type=Path, metavar="PICTURE",
        help="white subject, black background, grey undecided",
    )  # fmt: skip
    cutout.add_argument(
        "--server", metavar="STRING", help="let the server of this connection string compute it"
    )
    cutout.set_defaults(command=_cutout, server_commands=server)
    caption = _add(
        commands, "caption", "caption", "say in a few words what a picture shows", ".txt"
    )
    caption.set_defaults(command=_caption)
    depth = _add(commands, "depth", "depth", "estimate how far away each pixel is", ".png")
    depth.set_defaults(command=_depth)


def _add(commands: Any, name: str, stage: str, help: str, suffix: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = commands.add_parser(name, help=help)
    parser.add_argument("picture", type=Path, metavar="PICTURE")
    parser.add_argument(
        "-o", "--output", type=Path, metavar="FILE",
        help=f"what to write (default: NAME.{name}{suffix} here); a .json of what ran lies beside",
    )  # fmt: skip
    automatic = ["auto"] if stage in plugins.AUTOMATIC else []
    names = [*automatic, *plugins.names(stage)]
    parser.add_argument(
        "--backend", choices=names, default=_DEFAULTS[stage],
        help=f"what does it (default: {_DEFAULTS[stage]})",
    )  # fmt: skip
    cli_models.add_yes(parser)
    add_backends(parser, stage)
    parser.set_defaults(suffix=suffix, stage=stage, reader=name)
    return parser


@dataclass(frozen=True, slots=True)
class _Read:
    """What a reader made: the file's bytes, and what the JSON tells of them."""

    content: bytes
    about: Mapping[str, Any]


def _cutout(arguments: argparse.Namespace) -> int:
    return _cutout_there(arguments) if arguments.server else _cutout_here(arguments)


def _cutout_there(arguments: argparse.Namespace) -> int:
    """The same two files, computed by a server, which gets the picture's own bytes."""
    from . import pictures

    def read(image: Image, settings: Settings, progress: Progress) -> tuple[Choice, _Read]:
        remote, mask = arguments.server_commands(), arguments.mask
        if mask:
            pictures.read_mask(mask, image)
        box = box_from(arguments.box) if arguments.box else None
        order = remote.Order(
            arguments.picture.name,
            arguments.picture.read_bytes(),
            mask.read_bytes() if mask else None,
            box,
            to_dict(settings),
        )
        with tempfile.TemporaryDirectory(prefix="glimpse3d-") as near:

            def ask() -> None:
                remote.cut_out(order, arguments.server, Path(near), cli_meter.shown())

            asked = [(arguments.stage, arguments.backend)]
            cli_models.done_there(ask, remote, arguments, asked)
            content = (Path(near) / "cutout.png").read_bytes()
            record = plain_json.decode((Path(near) / "record.json").read_bytes(), 2**20)
        choice = _choice(plain_json.member(record, "matte", dict))
        about = {
            "prompt": {"box": list(box) if box else None, "mask": mask.name if mask else None},
            "kept": plain_json.member(record, "kept", float),
        }
        return choice, _Read(content, about)

    return _run(arguments, read)


def _choice(told: Mapping[str, Any]) -> Choice:
    from .types import Choice

    asked, ran, why = (plain_json.member(told, name, str) for name in ("asked", "ran", "why"))
    return Choice(asked, ran, why)


def _cutout_here(arguments: argparse.Namespace) -> int:
    from . import pictures
    from .pipeline import check_prompt, cut_out
    from .types import Prompt

    def read(image: Image, settings: Settings, progress: Progress) -> tuple[Choice, _Read]:
        mask = pictures.read_mask(arguments.mask, image) if arguments.mask else None
        prompt = Prompt(box_from(arguments.box) if arguments.box else None, mask)
        check_prompt(image, prompt)
        found, choice = cut_out(image, settings, prompt, progress)
        kept = float((found.rgba[..., 3] >= 128).mean())
        about = {"prompt": _prompt(prompt, arguments.mask), "kept": round(kept, 6)}
        return choice, _Read(pictures.write_png(found), about)

    return _run(arguments, read)


def _prompt(prompt: Prompt, mask: Path | None) -> dict[str, Any]:
    return {"box": list(prompt.box) if prompt.box else None, "mask": mask.name if mask else None}


def _caption(arguments: argparse.Namespace) -> int:
    from .types import Choice

    def read(image: Image, settings: Settings, progress: Progress) -> tuple[Choice, _Read]:
        caption, own = _loaded("caption", arguments.backend, settings, progress)
        said = caption(image, own, progress)
        choice = Choice(arguments.backend, arguments.backend)
        return choice, _Read(f"{said}\n".encode(), {"caption": said})

    return _run(arguments, read)


def _depth(arguments: argparse.Namespace) -> int:
    from .depth import conversion, png
    from .types import Choice

    def read(image: Image, settings: Settings, progress: Progress) -> tuple[Choice, _Read]:
        estimator, own = _loaded("depth", arguments.backend, settings, progress)
        found = estimator(image, own, progress)
        conversion.check_fits(found, image)
        how, known = png.encoding(found), found.values[found.valid]
        about = {
            "kind": found.kind.value,
            "least": float(known.min()), "most": float(known.max()),
            "offset": how.offset, "step": how.step,
            "pixel": "0 is unknown, else value = offset + step * pixel",
        }  # fmt: skip
        choice = Choice(arguments.backend, arguments.backend)
        return choice, _Read(png.write(found), about)

    return _run(arguments, read)


def _loaded(stage: str, name: str, settings: Settings, progress: Progress) -> tuple[Any, Any]:
    own = plugins.settings_for(stage, name, settings.preset, settings.options.get(name, {}))
    backend = plugins.backend(stage, name)
    with progress.stage(stage, 0.2, f"loading {name}") as part:
        backend.load(own, part)
    return backend, own


def _run(
    arguments: argparse.Namespace,
    read: Callable[[Image, Settings, Progress], tuple[Choice, _Read]],
) -> int:
    from . import pictures

    target, beside = _targets(arguments)
    image = pictures.read(arguments.picture)
    settings = _settings(arguments)
    started = time.perf_counter()
    try:
        choice, made = read(image, settings, cli_meter.shown())
    except WeightsMissing as error:
        cli_models.fetch_after_asking(error, arguments.yes)
        started = time.perf_counter()
        choice, made = read(image, settings, cli_meter.shown())
    seconds = time.perf_counter() - started
    record = _record(arguments, image, settings, choice)
    record |= {"seconds": round(seconds, 3), "output": target.name, **made.about}
    _write(target, made.content)
    _write(beside, (json.dumps(record, indent=2, ensure_ascii=False) + "\n").encode())
    cli_meter.clear()
    print(f"{choice.ran}: {target}" + (f"  ({choice.why})" if choice.why else ""))
    if "caption" in made.about:
        print(made.about["caption"])
    return 0


def _targets(arguments: argparse.Namespace) -> tuple[Path, Path]:
    """Where the output and its JSON go.

    Raises:
        OutputFailed: one of them would replace the picture, each other, or somebody else's file.
    """
    default = Path(f"{arguments.picture.stem}.{arguments.reader}{arguments.suffix}")
    target: Path = arguments.output or default
    beside = target.with_suffix(".json")
    taken = {
        each.resolve() for each in (arguments.picture, getattr(arguments, "mask", None)) if each
    }
    if target == beside or {target.resolve(), beside.resolve()} & taken:
        raise OutputFailed(
            f"{target} would replace what it is made from",
            f"name a file ending in {arguments.suffix}",
        )
    if target.is_dir():
        raise OutputFailed(f"{target} is a folder, not a file", "choose another name")
    if beside.exists() and not _is_record(beside):
        raise OutputFailed(
            f"{beside} is there already, and no record of Glimpse3D", "choose another name"
        )
    return target, beside


def _is_record(path: Path) -> bool:
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and str(found.get("generator", "")).startswith("glimpse3d ")


def _settings(arguments: argparse.Namespace) -> Settings:
    """As ``generate`` would have them, from the flags that were given."""
    options: dict[str, dict[str, Any]] = {}
    for key, value in vars(arguments).items():
        if ":" in key:
            backend, _, field = key.partition(":")
            options.setdefault(backend, {})[field] = value
    chosen = {} if arguments.stage not in plugins.RECIPE else {arguments.stage: arguments.backend}
    return preset(STANDARD.preset, **chosen, options=options)


def _record(
    arguments: argparse.Namespace, image: Image, settings: Settings, choice: Choice
) -> dict[str, Any]:
    from .export.folder import sha256_of

    own = plugins.settings_for(
        arguments.stage, choice.ran, settings.preset, settings.options.get(choice.ran, {})
    )
    return {
        "generator": f"glimpse3d {__version__}",
        "command": arguments.reader,
        "input": {
            "name": arguments.picture.name, "sha256": sha256_of(arguments.picture),
            "width": image.width, "height": image.height,
        },
        "backend": {
            "stage": arguments.stage, "asked": choice.asked, "ran": choice.ran, "why": choice.why,
        },
        "settings": to_dict(own),
        "weights": _weights(own),
    }  # fmt: skip


def _weights(own: Any) -> dict[str, str] | None:
    """Which repository and commit a backend's weights are of; None if it has none on the hub."""
    from . import models

    about = to_dict(own)
    source, revision = about.get("weights", ""), about.get("revision")
    if revision is None or about.get("fixed"):
        return None
    known = models.pinned(source, revision)
    return {"source": source, "revision": known.revision if known else revision}


def _write(target: Path, content: bytes) -> None:
    from .export.folder import atomic_file

    with atomic_file(target) as new:
        new.write_bytes(content)
