"""States and errors in the user's words, and the button that helps.

Owns sentences and the table of buttons. Must not know how anything is drawn.
"""

from __future__ import annotations

from typing import NamedTuple

from ..history import Job
from ..scene.cutout import SMALL
from ..session import Session
from ..weights import Fetch, Want


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
    "stalled": _RETRY,
    "weights_missing": _RETRY,
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


def size(count: int) -> str:
    """Bytes as people say them, decimal as drives and downloads are."""
    return f"{count / 1e9:.1f} GB" if count >= 10**8 else f"{count / 1e6:.1f} MB"


def about_weights(want: Want, here: Session) -> str:
    """What would be fetched, from where, how large, under which licence, and where to."""
    place = "this machine" if here.is_local else f"the server at {here.address}"
    part = "" if want.left == want.bytes else f"the rest of {size(want.bytes)}, "
    source = want.source.removeprefix("https://")
    return f"{size(want.left)}, {part}from {source}, licence {want.licence}, kept on {place}"


def fetching(fetch: Fetch) -> str:
    """How a download stands, in a few words."""
    if fetch.cancelling:
        return "Cancelling"
    if not fetch.running:
        return f"Queued, {fetch.ahead} before it" if fetch.ahead else "Queued"
    return f"{fetch.fraction:.0%} {fetch.note}".strip()


def small(width: int, height: int) -> str | None:
    """What to say of a picture in which little can be seen; None if it is large enough."""
    if not width or not height or min(width, height) >= SMALL:
        return None
    return f"Only {width} x {height} pixels: details will be missing"


def touched(edges: tuple[str, ...]) -> str:
    """What to say of a subject that reaches the picture's edges."""
    places = " and ".join([", ".join(edges[:-1]), edges[-1]] if edges[1:] else edges)
    return f"The subject touches the {places} edge: what is cut off will be missing"


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit} ago"
    return "just now"


def left(seconds: float) -> str:
    """How long it will go on, as roughly as it is known."""
    if seconds >= 90:
        return f"about {seconds / 60:.0f} min left"
    return f"about {max(round(seconds / 5) * 5, 5)} s left"


def waits_for_weights(each: Job) -> bool:
    """The server refused it for want of weights."""
    return each.problem is not None and each.problem.code == "weights_missing"


def job(each: Job, now: float | None = None) -> str:
    """How a job stands, in a few words; with the time that is left, if ``now`` is given."""
    if each.cancelling and not each.is_final:
        return "Cancelling"
    if each.state == "queued" and each.ahead:
        return f"Queued, {each.ahead} before it"
    if each.state == "running":
        return _doing(each, now)
    if each.state == "failed" and waits_for_weights(each):
        return "Weights are missing"
    if each.state == "done" and not each.imported:
        return "Ready, not imported" if each.problem else "Ready: press Import"
    return _STATES[each.state]


def asked(each: Job) -> str:
    """What was asked for, in a few words."""
    said = [str(each.settings.get("preset", "")).capitalize()]
    said += [str(each.settings[name]) for name in ("reconstructor",) if name in each.settings]
    if "seed" in each.settings:
        said.append(f"seed {each.settings['seed']}")
    said.append(f"at {each.server.address}")
    return ", ".join(word for word in said if word)


def job_buttons(each: Job) -> dict[str, Button]:
    """What helps this job; one that is a draft already cannot be made smaller."""
    buttons = dict(JOB_BUTTONS)
    if each.settings.get("preset") == "draft":
        del buttons["out_of_memory"]
    return buttons


def _doing(each: Job, now: float | None) -> str:
    seconds = each.seconds_left(now) if now is not None else None
    doing = f"{each.fraction:.0%} {each.stage}".strip().replace("_", " ")
    return doing if seconds is None else f"{doing}, {left(seconds)}"


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
