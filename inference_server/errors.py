"""Why a request was refused, as one type with stable codes.

Owns the table of codes that may reach a client. Must not know messages or sockets. Standard
library only; the same file travels in the add-on, which has no glimpse3d, so that the core's codes
stand here once more.
"""

from __future__ import annotations

# The codes of glimpse3d.errors, which a server passes on.
CORE_CODES = {
    "backend_unavailable": "a backend's package or hardware is missing on the server",
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
# What the wire adds.
WIRE_CODES = {
    "bad_hash": "the bytes that arrived are not those that were announced",
    "bad_message": "a message breaks the protocol",
    "busy": "the server cannot take this now; try again after retry_after seconds",
    "conflict": "the id is taken by another request, or the job's state forbids it",
    "missing_input": "the job names a file that has not been uploaded",
    "not_found": "there is no such job, file or upload",
    "not_ready": "the job has no result yet",
    "not_supported": "this server cannot do that yet",
    "refused_key": "the server does not know this invitation, or no longer",
    "stalled": "the job made no progress for longer than the server waits, too often",
    "too_large": "a file is larger than the server's limit",
    "version": "client and server speak no common version",
    "worker_lost": "the process that computed the job died too often",
}
# What a client finds out by itself; never sent.
CLIENT_CODES = {
    "bad_connection_string": "the connection string is damaged or not one",
    "bad_result": "a downloaded file is not what the server announced",
    "closed": "this client was closed",
    "no_answer": "the server is connected but does not answer",
    "not_a_server": "what listens there is no Glimpse3D server",
    "nothing_listening": "nothing listens at that address",
    "unknown_host": "the name of the server's machine is not known",
    "wrong_server": "what listens there is not the server that the string was made for",
}
CODES = {**CORE_CODES, **WIRE_CODES, **CLIENT_CODES}


class WireError(Exception):
    """A refusal with a code, a sentence and a hint.

    Args:
        code: a key of ``CODES``.
        message: one sentence, what happened.
        hint: one sentence, what to do; may be empty.
    """

    def __init__(self, code: str, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.hint = hint
        self.request = bytes(8)  # whose request it answers, if that could be read
        self.retry_after = 0.0  # seconds after which ``busy`` may be over

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message
