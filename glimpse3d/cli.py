"""The command line: generate, rerun, readers, splat files, models, and the server's.

Owns arguments (the server's are mounted when asked for), what is printed, and exit codes: 0 done,
1 a defect of ours, 2 refused with a sentence and a hint, 130 stopped by ctrl-C. Imports what
computes only when it computes.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

from . import __version__, cli_meter, cli_models, cli_optimise, cli_readers, cli_splats, plugins
from .cli_options import add_settings, box_from, settings_from
from .errors import BackendUnavailable, Glimpse3DError, InvalidSettings, WeightsMissing, unexpected
from .progress import Progress

if TYPE_CHECKING:
    from .settings import Settings
    from .types import Image, Prompt, Result

log = logging.getLogger(__name__)

DONE, DEFECT, REFUSED, STOPPED = 0, 1, 2, 130
# What these need is an extra: their options are added when one of them is asked for.
_SERVER_COMMANDS = {
    "serve": "run the inference server for Blender and others",
    "invite": "let one client more use this machine's server",
    "invites": "list who may use this machine's server",
    "revoke": "take an invitation back",
    "backup": "copy a server's jobs, results and keys while it runs",
    "doctor": "find out why a server cannot be used",
}


def main(argv: list[str] | None = None) -> int:
    """Run one command and return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    try:
        arguments = _parser(words).parse_args(words)
        logging.basicConfig(
            level=logging.INFO if arguments.verbose else logging.WARNING,
            format="%(levelname)s %(name)s: %(message)s",
        )
        code: int = arguments.command(arguments)
    except Glimpse3DError as error:
        code = _refuse(error)
    except KeyboardInterrupt:
        code = _stopped()
    except BrokenPipeError:  # the reader of our output went away, as in `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = DONE
    except Exception as error:
        if _was_interrupted(error):
            return _stopped()
        _refuse(unexpected(error))
        code = DEFECT
    return code


def _parser(words: Sequence[str] = ()) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="glimpse3d", description="One picture in, a 3D object out."
    )
    parser.add_argument("--version", action="version", version=f"glimpse3d {__version__}")
    parser.add_argument("--verbose", action="store_true", help="log what happens, with tracebacks")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")

    generate = commands.add_parser("generate", help="make a 3D object of each picture")
    generate.set_defaults(command=_generate)
    generate.add_argument("pictures", nargs="+", type=Path, metavar="PICTURE")
    generate.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER",
        help="where the files go (default: out/NAME); with several pictures FOLDER/NAME for each",
    )  # fmt: skip
    generate.add_argument("--zip", action="store_true", help="also write FOLDER.zip")
    where = generate.add_argument_group("where the subject is")
    where.add_argument("--box", metavar="L,T,R,B", help="left,top,right,bottom in pixels")
    where.add_argument(
        "--mask",
        type=Path,
        metavar="PICTURE",
        help="white subject, black background, grey undecided",
    )
    generate.add_argument(
        "--server", metavar="STRING", help="let the server of this connection string compute it"
    )
    cli_models.add_yes(generate)
    add_settings(generate)

    rerun = commands.add_parser("rerun", help="do again what a manifest.json tells")
    rerun.set_defaults(command=_rerun)
    rerun.add_argument("manifest", type=Path)
    rerun.add_argument(
        "-o", "--output", type=Path, metavar="FOLDER", help="where the files go (default: in place)"
    )
    rerun.add_argument("--zip", action="store_true", help="also write FOLDER.zip")
    cli_models.add_yes(rerun)

    cli_readers.add_readers(commands, _server_commands)
    backends = commands.add_parser("backends", help="list what can run in each stage")
    backends.set_defaults(command=_backends)

    cli_models.add_models(commands)
    wanted = next((word for word in words if not word.startswith("-")), "")
    for name, about in _SERVER_COMMANDS.items():
        own = commands.add_parser(name, help=about)
        if name == wanted:
            _server_commands().COMMANDS[name](own)
    cli_splats.add_splats(commands, _server_commands)
    cli_optimise.add_optimise(commands)
    return parser


def _server_commands() -> ModuleType:
    """The server's side of the command line; its packages are an extra."""
    try:
        from inference_server import cli
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"the server's packages are not installed: {error.name}",
            "run: pip install 'glimpse3d[server]'",
        ) from error
    return cli


def _generate(arguments: argparse.Namespace) -> int:
    settings = settings_from(arguments)
    pictures: list[Path] = arguments.pictures
    if len(pictures) == 1:
        folder = arguments.output or Path("out") / pictures[0].stem
        _make(pictures[0], folder, settings, arguments)
        return DONE
    if arguments.box or arguments.mask:
        raise InvalidSettings("box", "a box or a mask belongs to one picture", "give one picture")
    failed = []
    for picture, name in zip(pictures, _folder_names(pictures), strict=True):
        try:
            _make(picture, (arguments.output or Path("out")) / name, settings, arguments)
        except WeightsMissing:  # the other pictures would fail of it, too
            raise
        except Glimpse3DError as error:
            failed.append(picture)
            _refuse(error, f"{picture}: ")
        except Exception as error:  # one picture's defect does not stop the rest
            failed.append(picture)
            _refuse(unexpected(error), f"{picture}: ")
    if failed:
        made = len(pictures) - len(failed)
        _complain(f"{made} of {len(pictures)} pictures done; failed: {', '.join(map(str, failed))}")
    return REFUSED if failed else DONE


def _folder_names(pictures: list[Path]) -> list[str]:
    """One name a picture: its stem, numbered where two are alike."""
    names: list[str] = []
    for picture in pictures:
        name, count = picture.stem, 2
        while name.casefold() in (each.casefold() for each in names):
            name, count = f"{picture.stem}-{count}", count + 1
        names.append(name)
    return names


def _make(picture: Path, folder: Path, settings: Settings, arguments: argparse.Namespace) -> None:
    from . import pictures
    from .export import bundle
    from .types import Prompt

    bundle.check_target(folder)
    if arguments.server:
        _make_remotely(picture, folder, settings, arguments)
        return
    image = pictures.read(picture)
    mask = pictures.read_mask(arguments.mask, image) if arguments.mask else None
    prompt = Prompt(box_from(arguments.box) if arguments.box else None, mask)
    print(f"{picture}: {image.width} x {image.height} pixels")
    _run_and_save(image, settings, prompt, folder, arguments)


def _make_remotely(
    picture: Path, folder: Path, settings: Settings, arguments: argparse.Namespace
) -> None:
    """The same files, computed by a server, which gets the picture's own bytes."""
    from . import pictures
    from .settings import to_dict

    remote = _server_commands()
    image = pictures.read(picture)
    mask = arguments.mask
    if mask:
        pictures.read_mask(mask, image)
    order = remote.Order(
        picture.name,
        picture.read_bytes(),
        mask.read_bytes() if mask else None,
        box_from(arguments.box) if arguments.box else None,
        to_dict(settings),
    )
    print(f"{picture}: {image.width} x {image.height} pixels")

    def ask() -> list[Path]:
        written: list[Path] = remote.generate(order, arguments.server, folder, cli_meter.shown())
        return written

    written = cli_models.done_there(ask, remote, arguments, plugins.asked_for(settings))
    _finish(folder, written, arguments.zip)


def _rerun(arguments: argparse.Namespace) -> int:
    from .export import bundle

    before = bundle.load_request(arguments.manifest)
    folder = arguments.output or arguments.manifest.parent
    bundle.check_target(folder)
    _run_and_save(before.image, before.settings, before.prompt, folder, arguments)
    return DONE


def _run_and_save(
    image: Image, settings: Settings, prompt: Prompt, folder: Path, arguments: argparse.Namespace
) -> None:
    from . import pipeline
    from .export import bundle

    def run(progress: Progress) -> Result:
        with progress.stage("generate", 0.6) as part:
            return pipeline.run(image, settings, part, prompt)

    progress = cli_meter.shown()
    try:
        result = run(progress)
    except WeightsMissing as error:
        cli_models.fetch_after_asking(error, arguments.yes)
        progress = cli_meter.shown()
        result = run(progress)
    with progress.stage("write", 0.4) as part:
        written = bundle.save(result, folder, part)
    _finish(folder, written, arguments.zip)


def _finish(folder: Path, written: list[Path], zipped: bool) -> None:
    """Make the ZIP if it is wanted, and tell what stands in the folder."""
    from .export import bundle
    from .formats import manifest

    if zipped:
        written.append(bundle.zip_folder(folder, folder.with_name(folder.name + ".zip")))
    about = manifest.read(folder / manifest.NAME)
    for stage, seconds in about.timings.items():
        choice = about.choices.get(stage)
        ran = f"{choice.ran:10}" if choice else " " * 10
        why = f"  ({choice.why})" if choice and choice.why else ""
        print(f"  {stage:14} {ran} {seconds.wall_seconds:6.1f} s{why}")
    for warning in about.warnings:
        print(f"  {warning}")
    print(f"  {about.object.faces} triangles, {about.object.gaussians} splats")
    print(f"{folder.resolve()}{os.sep}")
    for path in written:
        print(f"  {path.name:16} {path.stat().st_size / 1024:8.0f} kB")


def _backends(arguments: argparse.Namespace) -> int:
    for stage in plugins.BUILTIN:
        print(stage)
        for name in plugins.names(stage):
            kind = plugins.find(stage, name)
            print(f"  {name:12} {kind.TITLE}\n  {'':12} {kind.WHEN}")
    return DONE


def _refuse(error: Glimpse3DError, prefix: str = "") -> int:
    log.info("refused", exc_info=error)
    _complain(f"{prefix}{error.message}")
    if error.hint:
        _complain(f"  hint: {error.hint}")
    return REFUSED


def _was_interrupted(error: BaseException) -> bool:
    """Whether ctrl-C is behind it: inside a compiled function it comes out as ``SystemError``."""
    while error.__cause__ or error.__context__:
        error = error.__cause__ or error.__context__  # type: ignore[assignment]
    return isinstance(error, KeyboardInterrupt)


def _stopped() -> int:
    _complain("stopped; no result was left half-written")
    return STOPPED


def _complain(text: str) -> None:
    if sys.stderr.isatty():
        text = f"\r{text:79}"
    print(text, file=sys.stderr)
