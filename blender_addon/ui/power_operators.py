"""What the user can do about the local server's powers: look for a GPU, add a part, take one out.

Owns those operators. Must not know how anything is installed. Annotations must be live objects
here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..power import Extras
from ..session import Session
from . import words
from .acting import OnSession, Outcome

BUSY = ("installing", "starting")


class _OnPower(OnSession):
    if TYPE_CHECKING:  # from bpy.types.Operator, which stands behind this class

        @classmethod
        def poll_message_set(cls, text: str) -> None:
            """Say why not."""

    part: bpy.props.StringProperty(
        name="Part", description="What is meant", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a local server that stands still, and a Blender that may be online."""
        here = pulse.session()
        if pulse.online_gate() is not None:
            cls.poll_message_set(_("Online access is off in Blender"))
            return False
        cls.poll_message_set(_("Start the local server first, and wait until it stands"))
        if here is None or here.launcher.state in BUSY:
            return False
        return here.launcher.places.standing is not None

    def wanted(self, here: Session) -> Extras:
        """What shall stand afterwards."""
        raise NotImplementedError

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Change it; the panel shows how that goes."""
        if not self.poll(context):
            hint = "start it, and wait until it stands"
            raise Glimpse3DError("invalid_data", "the local server cannot be changed now", hint)
        if (extras := self.wanted(here)) != here.launcher.extras:
            here.change_local(extras)


class PowerAdd(_OnPower, bpy.types.Operator):
    """Add this to the local server; what works now stays until the new one works"""

    bl_idname = "glimpse3d.power_add"
    bl_label = "Add to the Local Server"
    bl_options = {"INTERNAL"}

    def wanted(self, here: Session) -> Extras:
        """With this part, and the build of PyTorch that fits this machine."""
        return here.launcher.extras.added(self.part, pulse.fitting_build())

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Before much is fetched, one question."""
        return context.window_manager.invoke_props_dialog(
            self, width=420, title="Add to the Local Server", confirm_text="Add"
        )

    def draw(self, context: bpy.types.Context) -> None:
        """The question: what is fetched, from where, and what it takes."""
        here, column = pulse.session(), self.layout.column()
        if here is None:
            return
        extras = self.wanted(here)
        for line in words.before_adding(here.launcher, extras):
            column.label(text=line, translate=False)
        column.label(text="The local server stops meanwhile, and goes on by itself")


class PowerRemove(_OnPower, bpy.types.Operator):
    """Take this out of the local server again; what needs it goes, too"""

    bl_idname = "glimpse3d.power_remove"
    bl_label = "Remove from the Local Server"
    bl_options = {"INTERNAL"}

    def wanted(self, here: Session) -> Extras:
        """Without this part."""
        return here.launcher.extras.removed(self.part)

    def invoke(self, context: bpy.types.Context, event: bpy.types.Event) -> Outcome:
        """Ask first."""
        return context.window_manager.invoke_confirm(
            self, event, title="Remove from the Local Server", confirm_text="Remove",
            message="The local server is made anew without it; weights stay where they are",
        )  # fmt: skip


class PowerCancel(OnSession, bpy.types.Operator):
    """Stop changing the local server; it is what it was before"""

    bl_idname = "glimpse3d.power_cancel"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Stop it."""
        here.local.cancel_change()


class LookForGpus(OnSession, bpy.types.Operator):
    """Ask this machine's NVIDIA driver anew which GPUs there are"""

    bl_idname = "glimpse3d.look_for_gpus"
    bl_label = "Look for GPUs"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Ask; the panel shows what was found."""
        here.local.look_for_gpus()


CLASSES = (PowerAdd, PowerRemove, PowerCancel, LookForGpus)
