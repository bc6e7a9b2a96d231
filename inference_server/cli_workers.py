"""What ``serve`` may be told about its workers, and the executor that follows from it.

Owns those arguments. Must not know the queue or the wire.
"""

from __future__ import annotations

import argparse
import logging

from glimpse3d.errors import Glimpse3DError

from . import devices
from .dispatch import Patience
from .executors.interface import Executor, WorkerOptions
from .executors.local import LocalExecutor

DRAIN_SECONDS = 60.0
EXECUTORS = ("local", "ray")


def add(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the options about workers."""
    group = parser.add_argument_group("workers")
    group.add_argument(
        "--workers", type=_count, default=0, metavar="N",
        help="processes that compute (default: one for each NVIDIA GPU, or one on the CPU)",
    )  # fmt: skip
    group.add_argument(
        "--worker-memory", type=_gigabytes, default=0, metavar="GIB",
        help="main memory that each may take; Linux alone (default: no limit)",
    )  # fmt: skip
    group.add_argument(
        "--keep-models", type=_gigabytes, default=0, metavar="GIB",
        help="models that each keeps loaded between jobs (default: half of what there is)",
    )  # fmt: skip
    group.add_argument(
        "--stall", type=_seconds, default=Patience().stall, metavar="SECONDS",
        help="a job that reports nothing for so long is ended and tried again"
        " (default: %(default)g)",
    )  # fmt: skip
    group.add_argument(
        "--drain", type=_seconds, default=DRAIN_SECONDS, metavar="SECONDS",
        help="after SIGTERM, time for jobs that run; then they wait for the next start"
        " (default: %(default)g)",
    )  # fmt: skip
    group.add_argument(
        "--executor", choices=EXECUTORS, default="local",
        help="where jobs are computed: here, or on a Ray cluster (default: local)",
    )  # fmt: skip
    group.add_argument(
        "--address", default="", metavar="HOST:PORT", help="of the Ray cluster's head"
    )


def executor(arguments: argparse.Namespace) -> Executor:
    """The executor that was asked for.

    Raises:
        Glimpse3DError: the arguments do not fit together, or a package is missing.
    """
    options = WorkerOptions(
        memory=arguments.worker_memory,
        keep=arguments.keep_models,
        level=logging.getLogger().getEffectiveLevel(),
    )
    if arguments.executor == "ray":
        from .executors.ray import RayExecutor

        return RayExecutor(arguments.address, arguments.workers, options)
    if arguments.address:
        raise Glimpse3DError(
            "invalid_settings", "--address is of a Ray cluster", "add --executor ray"
        )
    return LocalExecutor(devices.places(arguments.workers, devices.gpus()), options)


def patience(arguments: argparse.Namespace) -> Patience:
    """How long jobs may say nothing."""
    return Patience(stall=arguments.stall)


def _count(text: str) -> int:
    number = int(text)
    if not 1 <= number <= 1024:
        raise argparse.ArgumentTypeError(f"{number} is not a number of workers; 1 to 1024")
    return number


def _seconds(text: str) -> float:
    number = float(text)
    if not 0 <= number <= 86_400:
        raise argparse.ArgumentTypeError(f"{text} is not a number of seconds up to a day")
    return number


def _gigabytes(text: str) -> int:
    number = float(text)
    if not 0 < number < 2**20:
        raise argparse.ArgumentTypeError(f"{text} is not a number of GiB")
    return int(number * 2**30)
