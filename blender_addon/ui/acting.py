"""What all operators share: the session, one report when something is refused, fresh panels.

Owns that frame. Must not know any single operator. Annotations must be live objects here: no
``from __future__ import annotations``.
"""

from typing import TYPE_CHECKING, Protocol

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from .._vendor.inference_server.errors import WireError
from ..history import Coded, Job
from ..jobs import from_disk
from ..session import Session
from .words import told

Outcome = set[str]
DONE, NOT_DONE = {"FINISHED"}, {"CANCELLED"}


class Reporting(Protocol):
    """What can report: an operator."""

    def report(self, kind: set[str], text: str) -> None:
        """Show it to the user."""


class Polled(Protocol):
    """What can say why it cannot be pressed: an operator's class."""

    @classmethod
    def poll_message_set(cls, message: str) -> None:
        """Blender shows it in the tooltip."""


def refuse(operator: Reporting, problem: Coded, about: str = "") -> Outcome:
    """One report, with its hint; nothing happened.

    Args:
        operator: what reports.
        problem: what went wrong.
        about: what it went wrong with, such as one of several files.
    """
    first, *rest = told(problem)
    text = "; ".join([first, *(each[:1].lower() + each[1:] for each in rest)])
    operator.report({"ERROR"}, f"{about}: {text}" if about else text)
    return NOT_DONE


def needs_server(operator: type[Polled]) -> bool:
    """For ``poll``: a server is connected; says so if none is."""
    here = pulse.session()
    if here is not None and here.state == "ready":
        return True
    operator.poll_message_set(_("Connect to a server first"))
    return False


def chosen_job(context: bpy.types.Context, identity: str = "") -> Job | None:
    """The job of that id, or without one the job that is chosen in the list."""
    here = pulse.session()
    if here is None:
        return None
    if identity:
        return here.book.get(identity)
    state = context.window_manager.glimpse3d
    return here.book.get(state.jobs[state.active].name) if state.active < len(state.jobs) else None


class OnSession:
    """An operator that asks something of the session, in ``act``."""

    if TYPE_CHECKING:  # from bpy.types.Operator, which stands behind this class

        def report(self, kind: set[str], text: str) -> None:
            """Show it to the user."""

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Do it.

        Raises:
            WireError, Glimpse3DError, OSError: reported.
        """
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Act, and report what went wrong."""
        here, trouble = pulse.session(), pulse.trouble()
        if here is None:
            return refuse(self, trouble) if trouble else NOT_DONE
        try:
            self.act(context, here)
        except (WireError, Glimpse3DError) as error:
            return refuse(self, error)
        except OSError as error:
            return refuse(self, from_disk(error))
        finally:
            pulse.refresh()
        return DONE


class OnJob(OnSession):
    """An operator on one job, in ``act_on``."""

    job: bpy.props.StringProperty(
        name="Job", description="Its id; the one chosen in the list if empty",
        options={"HIDDEN", "SKIP_SAVE"},
    )  # fmt: skip

    def act_on(self, context: bpy.types.Context, here: Session, job: Job) -> None:
        """Do it to this job; raises as ``act`` does."""
        raise NotImplementedError

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Find the job."""
        job = chosen_job(context, self.job)
        if job is None:
            raise Glimpse3DError("invalid_data", "there is no such job", "choose one in the list")
        self.act_on(context, here, job)
