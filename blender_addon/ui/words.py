"""States and errors in the user's words, and the button that helps.

Owns sentences and the table of buttons. Must not know how anything is drawn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from bpy.app.translations import pgettext_iface as _

from .._vendor.inference_server.doctor import Verdict
from ..history import Coded, Job
from ..launcher import Launcher
from ..power import Extras, Gpus
from ..scene.cutout import SMALL
from ..session import Session
from ..weights import Fetch, Want
from .meanings import EDGES, MEANINGS, STAGES


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
    "no_foreground": Button("glimpse3d.draw_box", "Draw Box"),
    "not_found": _RETRY,
    "output_failed": _RETRY,
    "out_of_memory": Button("glimpse3d.retry_job", "Try Again as Draft"),
    "stalled": _RETRY,
    "weights_missing": _RETRY,
    "worker_lost": _RETRY,
}


# What no button of ours can help, and why.
WITHOUT_BUTTON = {
    "backend_unavailable": "something has to be installed on the server, or another method chosen",
    "bad_file": "the file itself has to be another one",
    "bad_image": "another picture has to be chosen, and the panel's own field does that",
    "bad_message": "one of the two programs is at fault: a report helps, not a button",
    "closed": "the extension is being switched off",
    "conflict": "the job went on elsewhere; the list shows how",
    "invalid_data": "something has to be chosen first, and the sentence says what",
    "invalid_settings": "a value has to be changed, and the sentence says which",
    "not_ready": "the result comes by itself",
    "not_supported": "the server has to be renewed, by whoever runs it",
    "too_large": "a smaller file has to be chosen",
    "unknown_backend": "another method has to be chosen, and the panel's own menu does that",
    "version": "the extension or the server has to be renewed",
}
# The doctor's steps.
STEPS = {
    "string": "Connection string",
    "name": "Name of the machine",
    "port": "Port",
    "server": "Server",
    "key": "Key",
    "version": "Protocol",
    "worker": "Computing process",
    "model": "Models",
}


def told(problem: Coded) -> list[str]:
    """What went wrong and what to do, in the user's language as far as it is known there.

    Sentences that carry names or numbers, and those of servers, are in no table: before one comes
    what its code means, if that is known in the language.
    """
    whole = sentence(problem.message)
    meaning = MEANINGS.get(problem.code, "")
    lines = [] if _(whole) != whole or _(meaning) == meaning else [_(meaning)]
    return [*lines, *(_(sentence(each)) for each in (problem.message, problem.hint) if each)]


def sentence(text: str) -> str:
    """A clause as a sentence for a panel: Blender's end without a stop; a file keeps its name."""
    first = text.partition(" ")[0].rstrip(".,:;")
    is_name = any(each in first for each in "./\\_:")
    return (text[:1] if is_name else text[:1].upper()) + text[1:].rstrip(".")


def connection(here: Session) -> str:
    """How the connection stands, in one line."""
    place = _("the local server") if here.is_local else here.address
    if here.state == "ready":
        return _("Connected to {place}").format(place=place)
    if here.state == "connecting":
        return _("Connecting to {place}").format(place=place)
    if here.state == "down" and here.was_ready:
        return _("Connection to {place} lost").format(place=place)
    if here.state == "down":
        return _("No connection to {place}").format(place=place)
    return _("Blender is offline") if here.state == "offline" else _("Not connected")


def fetched_once(megabytes: int) -> str:
    """What an installation fetches, and from where."""
    text = _("Once, about {size} MB are fetched from the Python Package Index")
    return text.format(size=megabytes)


def installing(fraction: float) -> str:
    """How far an installation is."""
    return _("Installing, {part}").format(part=f"{fraction:.0%}")


def gpus(found: Gpus) -> str:
    """The GPUs of this machine, and which driver was seen, by what."""
    text = _("{name}, {size} GB, driver {driver}, CUDA {cuda}, seen by {by}").format(
        name=found.names[0], size=round(found.memory_mb / 1024), driver=found.driver or "?",
        cuda=f"{found.cuda // 1000}.{found.cuda % 1000 // 10}", by=found.seen_by,
    )  # fmt: skip
    if len(found.names) > 1:
        text += " " + _("(the first of {count})").format(count=len(found.names))
    return text


def no_gpu(found: Gpus) -> str:
    """That there is none, and whether there is a driver at all."""
    if found.driver:
        return _("Driver {driver} sees no NVIDIA GPU").format(driver=found.driver)
    return _("No NVIDIA GPU and no driver of one was found; the processor will compute")


def verdicts(found: Sequence[Verdict]) -> list[tuple[str, bool]]:
    """One line a step of the doctor's, and whether all is well there; the models are one step."""
    lines = [
        (f"{_(STEPS[each.step])}: {sentence(each.sentence)}", each.well)
        for each in found
        if each.step != "model" or not each.well
    ]
    models = [each.sentence for each in found if each.step == "model" and each.well]
    if models:
        lines.append((f"{_(STEPS['model'])}: {models[-1]}", True))
    if names := ", ".join(each.partition(":")[0] for each in models[:-1]):
        text = _("These want weights or packages first: {names}").format(names=names)
        lines.append((text, True))
    return lines


def torch(extras: Extras) -> str:
    """PyTorch, and which build stands."""
    return f"PyTorch ({_(extras.build.title)})" if extras.build is not None else "PyTorch"


def add(count: int) -> str:
    """What is on the button that adds a part: what would be fetched."""
    return _("Add ({size})").format(size=size(count))


def size(count: int) -> str:
    """Bytes as people say them, decimal as drives and downloads are."""
    if count < 10**5:
        return f"{count / 1e3:.0f} kB"
    return f"{count / 1e9:.1f} GB" if count >= 10**8 else f"{count / 1e6:.1f} MB"


def before_adding(launcher: Launcher, extras: Extras) -> list[str]:
    """What a change of the local server fetches, from where, and what room it wants."""
    more = extras.megabytes() - launcher.extras.megabytes()
    lines = [_("About {size} are fetched, once").format(size=size(more * 10**6))]
    if extras.build is not None:
        where = extras.build.index.removeprefix("https://") or _("the Python Package Index")
        titled = _(extras.build.title)
        lines.append(_("PyTorch ({build}) comes from {where}").format(build=titled, where=where))
    room = size(launcher.places.disk_mb(extras) * 10**6)
    lines.append(_("While both stand, {size} of the disk are needed").format(size=room))
    return lines


def frees(amount: str) -> str:
    """What the question before removing everything says."""
    return _("This frees {size} and cannot be undone").format(size=amount)


def remove(count: int) -> str:
    """What is on the button that removes everything."""
    return _("Remove Everything ({size})").format(size=size(count))


def about_weights(want: Want, here: Session) -> str:
    """What would be fetched, from where, how large, under which licence, and where to."""
    place = _("the server at {address}").format(address=here.address)
    if here.is_local:
        place = _("this machine")
    text = _("{size} from {source}, licence {licence}, kept on {place}")
    if want.left != want.bytes:
        text = _("{size}, the rest of {whole}, from {source}, licence {licence}, kept on {place}")
    source = want.source.removeprefix("https://")
    return text.format(
        size=size(want.left), whole=size(want.bytes), source=source, licence=want.licence,
        place=place,
    )  # fmt: skip


def fetching(fetch: Fetch) -> str:
    """How a download stands, in a few words."""
    if fetch.cancelling:
        return _("Cancelling")
    if not fetch.running:
        return queued(fetch.ahead)
    return f"{fetch.fraction:.0%} {fetch.note}".strip()


def small(width: int, height: int) -> str | None:
    """What to say of a picture in which little can be seen; None if it is large enough."""
    if not width or not height or min(width, height) >= SMALL:
        return None
    text = _("Only {width} x {height} pixels: details will be missing")
    return text.format(width=width, height=height)


def queued(ahead: int) -> str:
    """It waits for others."""
    return _("Queued, {count} before it").format(count=ahead) if ahead else _("Queued")


def touched(edges: tuple[str, ...]) -> str:
    """What to say of a subject that reaches the picture's edges."""
    text = _("The subject touches the {edges} edge: what is cut off will be missing")
    return text.format(edges=", ".join(_(EDGES[each]) for each in edges))


def age(seconds: float) -> str:
    """How long ago, in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return _("{count} {unit} ago").format(count=round(seconds / size), unit=unit)
    return _("just now")


def left(seconds: float) -> str:
    """How long it will go on, as roughly as it is known."""
    if seconds >= 90:
        return _("about {minutes} min left").format(minutes=round(seconds / 60))
    return _("about {seconds} s left").format(seconds=max(round(seconds / 5) * 5, 5))


def waits_for_weights(each: Job) -> bool:
    """The server refused it for want of weights."""
    return each.problem is not None and each.problem.code == "weights_missing"


def job(each: Job, now: float | None = None) -> str:
    """How a job stands, in a few words; with the time that is left, if ``now`` is given."""
    if each.cancelling and not each.is_final:
        return _("Cancelling")
    if each.state == "queued":
        return queued(each.ahead)
    if each.state == "running":
        return _doing(each, now)
    if each.state == "failed" and waits_for_weights(each):
        return _("Weights are missing")
    if each.state == "done" and not each.imported:
        return _("Ready, not imported" if each.problem else "Ready: press Import")
    return _(_STATES[each.state])


def asked(each: Job) -> str:
    """What was asked for, in a few words."""
    said = [_(str(each.settings.get("preset", "")).capitalize())]
    said += [str(each.settings[name]) for name in ("reconstructor",) if name in each.settings]
    if "seed" in each.settings:
        said.append(_("seed {number}").format(number=each.settings["seed"]))
    said.append(_("at {address}").format(address=each.server.address))
    return ", ".join(word for word in said if word)


def job_buttons(each: Job) -> dict[str, Button]:
    """What helps this job; one that is a draft already cannot be made smaller."""
    buttons = dict(JOB_BUTTONS)
    if each.settings.get("preset") == "draft":
        del buttons["out_of_memory"]
    return buttons


def _doing(each: Job, now: float | None) -> str:
    seconds = each.seconds_left(now) if now is not None else None
    stage = _(STAGES.get(each.stage, sentence(each.stage.replace("_", " "))))
    doing = f"{each.fraction:.0%} {stage}".strip()
    return doing if seconds is None else f"{doing}, {left(seconds)}"


_STATES = {
    "draft": "Not sent yet",
    "queued": "Queued",
    "uploading": "Sending the picture",
    "downloading": "Fetching the result",
    "importing": "Ready: not imported yet",  # seen only while something holds it up
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
