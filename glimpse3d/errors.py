"""Every way Glimpse3D refuses, as types with stable codes.

Owns the table of codes that the command line, the wire and the Blender panel share.
Must not know who raises an error or who shows it.
"""

# ruff: noqa: N818  the names say what went wrong; all of them are errors

from __future__ import annotations

import logging
import os

log = logging.getLogger(__name__)

CODES: dict[str, str] = {
    "backend_unavailable": "a backend's package or hardware is missing on this machine",
    "bad_file": "a mesh, splat, camera or manifest file is malformed",
    "bad_image": "a picture cannot be read, or is not one",
    "disk_full": "the disk or the quota has no room for the result",
    "internal": "a defect of Glimpse3D itself",
    "invalid_data": "an array has the wrong shape, type or values",
    "invalid_settings": "a setting is unknown or out of range",
    "no_foreground": "no subject was found in the picture",
    "out_of_memory": "the machine or the GPU ran out of memory",
    "output_failed": "the result could not be written where it was asked for",
    "unknown_backend": "no backend has that name",
    "weights_missing": "a model's weights are neither cached nor to be fetched",
}


class Glimpse3DError(Exception):
    """What went wrong and what to do about it.

    Handlers branch on the type or on ``code``, never on the text.

    Args:
        code: a key of ``CODES``; stable, travels on the wire.
        message: one sentence, what happened.
        hint: one sentence, what to do; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class _CodedError(Glimpse3DError):
    """An error whose type fixes its code."""

    CODE = "internal"

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(self.CODE, message, hint)


class BackendUnavailable(_CodedError):
    """A backend's package or hardware is missing on this machine."""

    CODE = "backend_unavailable"


class BadFile(_CodedError):
    """A mesh, splat, camera or manifest file is malformed."""

    CODE = "bad_file"


class BadImage(_CodedError):
    """A picture cannot be read, or is not one."""

    CODE = "bad_image"


class DiskFull(_CodedError):
    """The disk or the quota has no room for the result."""

    CODE = "disk_full"


class InvalidData(_CodedError):
    """An array has the wrong shape, type or values."""

    CODE = "invalid_data"


class InvalidSettings(_CodedError):
    """A setting is unknown or out of range; ``field`` names it."""

    CODE = "invalid_settings"

    def __init__(self, field: str, why: str, hint: str = "") -> None:
        super().__init__(f"{field}: {why}", hint)
        self.field = field
        self.why = why


class NoForeground(_CodedError):
    """No subject was found in the picture."""

    CODE = "no_foreground"


class OutOfMemory(_CodedError):
    """The machine or the GPU ran out of memory."""

    CODE = "out_of_memory"


class OutputFailed(_CodedError):
    """The result could not be written where it was asked for."""

    CODE = "output_failed"


class UnknownBackend(_CodedError):
    """No backend has that name."""

    CODE = "unknown_backend"


class WeightsMissing(_CodedError):
    """A model's weights are neither cached nor to be fetched.

    ``model`` is its name in ``models.KNOWN`` where fetching them would help, else empty.
    """

    CODE = "weights_missing"

    def __init__(self, message: str, hint: str = "", model: str = "") -> None:
        super().__init__(message, hint)
        self.model = model


class Cancelled(Exception):
    """The caller asked to stop, and the work stopped."""


def unexpected(error: Exception) -> Glimpse3DError:
    """A defect of ours as an error people can report: its id stands in the log as well."""
    identity = os.urandom(4).hex()
    log.error("internal error %s", identity, exc_info=error)
    return Glimpse3DError(
        "internal",
        f"Glimpse3D failed in a way it should not, error {identity}: {error!r}",
        "please report it together with the log",
    )
