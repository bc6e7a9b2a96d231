"""States and errors in the user's words, and the button that helps.

Owns sentences and the table of buttons. Must not know how anything is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

from ..history import Job
from ..session import Session


class Button(NamedTuple):
    """An operator that helps, and what stands on it."""

    operator: str
    text: str


PASTE = Button("glimpse3d.paste_connection", "Paste Connection String")
_AGAIN = Button("glimpse3d.connect", "Try Now")
_ONLINE = Button("glimpse3d.show_online_access", "Open Preferences")
_RETRY = Button("glimpse3d.retry_job", "Try Again")
_FETCH = Button("glimpse3d.retry_job", "Download Again")

# What helps when there is no connection.
CONNECTION_BUTTONS = {
    "bad_connection_string": PASTE,
    "no_answer": _AGAIN,
    "not_a_server": _AGAIN,
    "nothing_listening": _AGAIN,
    "offline": _ONLINE,
    "refused_key": PASTE,
    "unknown_host": _AGAIN,
    "wrong_server": PASTE,
}
# What helps when a job failed.
JOB_BUTTONS = {
    "bad_hash": _RETRY,
    "bad_result": _FETCH,
    "busy": _RETRY,
    "disk_full": _RETRY,
    "internal": _RETRY,
    "missing_input": _RETRY,
    "not_found": _RETRY,
    "output_failed": _RETRY,
    "out_of_memory": Button("glimpse3d.retry_job", "Try Again as Draft"),
    "worker_lost": _RETRY,
}


def sentence(text: str) -> str:
    """A clause as a sentence for a panel: Blender's end without a stop."""
    return text[:1].upper() + text[1:].rstrip(".")


def connection(here: Session) -> str:
    """How the connection stands, in one line."""
    place = "the local server" if here.is_local else here.address
    if here.state == "ready":
        return f"Connected to {place}"
    if here.state == "connecting":
        return f"Connecting to {place}"
    if here.state == "down":
        return f"Connection to {place} lost" if here.was_ready else f"No connection to {place}"
    return "Blender is offline" if here.state == "offline" else "Not connected"


def job(each: Job) -> str:
    """How a job stands, in a few words."""
    if each.cancelling and not each.is_final:
        return "Cancelling"
    if each.state == "queued" and each.ahead:
        return f"Queued, {each.ahead} before it"
    if each.state == "running":
        return _doing(each)
    if each.state == "done" and not each.imported:
        return "Ready, not imported" if each.problem else "Ready: press Import"
    return _STATES[each.state]


def job_buttons(each: Job) -> dict[str, Button]:
    """What helps this job; one that is a draft already cannot be made smaller."""
    buttons = dict(JOB_BUTTONS)
    if each.settings.get("preset") == "draft":
        del buttons["out_of_memory"]
    return buttons


def _doing(each: Job) -> str:
    words = f"{each.stage} {each.note}".strip().replace("_", " ")
    return f"{each.fraction:.0%} {words}".strip()


_STATES = {
    "draft": "Not sent yet",
    "queued": "Queued",
    "uploading": "Sending the picture",
    "downloading": "Fetching the result",
    "importing": "Ready: press Import",  # seen only while something keeps it from being imported
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
    "interrupted": "Waiting for the server",
}
ICONS = {
    "draft": "TIME",
    "queued": "TIME",
    "uploading": "EXPORT",
    "running": "SORTTIME",
    "downloading": "IMPORT",
    "importing": "IMPORT",
    "done": "CHECKMARK",
    "failed": "ERROR",
    "cancelled": "CANCEL",
    "interrupted": "UNLINKED",
}
