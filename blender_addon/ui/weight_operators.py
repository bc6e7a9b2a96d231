"""What the user can do about methods and their weights: choose one, fetch, stop fetching.

Owns those operators and the menu of methods. Must not know sockets. Annotations must be live
objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

import bpy
from bpy.app.translations import pgettext_iface as _

from .. import pulse
from .._vendor.glimpse3d.errors import Glimpse3DError
from ..session import Session
from . import words
from .acting import DONE, OnSession, Outcome


class ChooseMethod(bpy.types.Operator):
    """Make objects with this method"""

    bl_idname = "glimpse3d.choose_method"
    bl_label = "Method"
    bl_options = {"INTERNAL", "UNDO"}

    name: bpy.props.StringProperty(
        name="Name", description="The server's name for it", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def description(
        cls, context: bpy.types.Context, properties: bpy.types.OperatorProperties
    ) -> str:
        """When to choose it, in the server's words; Blender shows them as they are given."""
        here = pulse.session()
        methods = here.weights.methods if here is not None else []
        found = next((each.when for each in methods if each.name == properties.name), "")
        return _(words.sentence(found))

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Note it; nothing is fetched by that."""
        context.scene.glimpse3d.reconstructor = self.name
        pulse.redraw()
        return DONE


class GLIMPSE3D_MT_methods(bpy.types.Menu):  # noqa: N801  Blender wants such names
    """The methods that the server offers."""

    bl_label = "Method"

    def draw(self, context: bpy.types.Context) -> None:
        """One line each."""
        here = pulse.session()
        for each in here.weights.methods if here is not None else []:
            self.layout.operator("glimpse3d.choose_method", text=each.title).name = each.name


class FetchWeights(OnSession, bpy.types.Operator):
    """Have the server fetch what this method needs; jobs that wait for it go on by themselves"""

    bl_idname = "glimpse3d.fetch_weights"
    bl_label = "Fetch Weights"
    bl_options = {"INTERNAL"}

    backend: bpy.props.StringProperty(
        name="Method", description="For which method", options={"HIDDEN", "SKIP_SAVE"}
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a server, and a Blender that may be online: a local server fetches for it."""
        here = pulse.session()
        cls.poll_message_set(_("Connect to a server first"))
        return here is not None and here.state == "ready" and pulse.online_gate() is None

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Begin, or go on where an earlier fetch stopped."""
        if here.weights.wanted(self.backend) is None:
            raise Glimpse3DError("invalid_data", "nothing has to be fetched", "press Generate")
        here.weights.begin(self.backend)


class CancelFetch(OnSession, bpy.types.Operator):
    """Stop fetching; what came is kept, and fetching can go on later"""

    bl_idname = "glimpse3d.cancel_fetch"
    bl_label = "Cancel"
    bl_options = {"INTERNAL"}

    def act(self, context: bpy.types.Context, here: Session) -> None:
        """Stop it."""
        here.weights.cancel()


CLASSES = (ChooseMethod, GLIMPSE3D_MT_methods, FetchWeights, CancelFetch)
