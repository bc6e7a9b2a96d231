"""The command line's side of fitting: ``optimise``.

Owns its arguments, where views are found in a folder, and what is printed. Must not know how
anything is fitted.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import cli_meter
from .cli_options import add_fields
from .errors import BackendUnavailable, BadFile
from .settings import changed, describe
from .splats.optimise_settings import GENERATED_VIEWS, Optimised, OptimiseSettings

if TYPE_CHECKING:
    from .types import View


def add_optimise(commands: Any) -> None:
    """Mount the command."""
    parser = commands.add_parser("optimise", help="fit splats to pictures whose cameras are known")
    parser.set_defaults(command=_optimise)
    parser.add_argument("splats", type=Path, help="where to begin: .ply, .spz, .splat or .glb")
    parser.add_argument(
        "views", type=Path, metavar="FOLDER", help="cameras.json, and the pictures that it names"
    )
    parser.add_argument("-o", "--output", type=Path, required=True, metavar="FILE")
    parser.add_argument(
        "--generated", action="store_true",
        help="the pictures were made by a network: trust and colours by view",
    )  # fmt: skip
    parser.add_argument("--checkpoint", type=Path, metavar="FILE", help="to go on from")
    parser.add_argument("--curve", type=Path, metavar="FILE.png", help="draw the loss here")
    add_fields(parser.add_argument_group("the fit"), OptimiseSettings)


def _optimise(arguments: argparse.Namespace) -> int:
    from .formats import splats

    splats.writer_for(arguments.output)
    given = vars(arguments)
    names = [row["name"] for row in describe(OptimiseSettings)]
    changes = {name: given[name] for name in names if name in given}
    settings = changed(GENERATED_VIEWS if arguments.generated else OptimiseSettings(), changes)
    cloud = splats.read(arguments.splats).cloud
    views = read_views(arguments.views)
    print(f"{arguments.splats}: {len(cloud)} splats; {arguments.views}: {len(views)} views")
    try:
        from .splats.optimise import optimise
    except ModuleNotFoundError as error:
        raise BackendUnavailable(
            f"a package that fits is not installed: {error.name}",
            "run: pip install 'glimpse3d[optimise]'",
        ) from error
    result = optimise(cloud, views, settings, cli_meter.shown(), checkpoint=arguments.checkpoint)
    _save(result, arguments)
    first, best = result.history.samples[0], result.best
    why = ", as nothing got better" if result.stopped_early else ""
    print(f"  {first.psnr:.2f} dB to {best.psnr:.2f} dB in {len(result.history.losses)} steps{why}")
    print(f"  drawn by {result.backend}; {len(result.held_out)} views kept to judge by")
    print(f"{arguments.output}: {len(result.cloud)} splats")
    return 0


def _save(result: Optimised, arguments: argparse.Namespace) -> None:
    from . import pictures
    from .export.folder import output_errors
    from .formats import splats
    from .splats import loss_curve

    with output_errors(arguments.output):
        arguments.output.parent.mkdir(parents=True, exist_ok=True)
        splats.write(result.cloud, arguments.output)
    if arguments.curve:
        with output_errors(arguments.curve):
            pictures.write_png(loss_curve.draw(result.history), arguments.curve)


def read_views(folder: Path) -> list[View]:
    """The views and turntable frames of ``cameras.json`` whose pictures lie in the folder.

    Raises:
        BadFile: no ``cameras.json``, or no picture beside it.
        BadImage: a picture cannot be read.
        InvalidData: a picture is not of its camera's size.
    """
    from . import pictures
    from .formats import cameras
    from .types import View

    file = cameras.read(folder / cameras.NAME)
    named = [(cameras.view_name(index), camera) for index, camera in enumerate(file.views)]
    named += [(f"turntable/{i:04d}.png", camera) for i, camera in enumerate(file.turntable, 1)]
    found = [
        View(pictures.read(folder / name), camera)
        for name, camera in named
        if (folder / name).is_file()
    ]
    if not found:
        raise BadFile(
            f"{folder} holds none of the pictures that its {cameras.NAME} names",
            f"put them beside it: {cameras.view_name(0)}, or turntable/0001.png, alpha as mask",
        )
    return found
