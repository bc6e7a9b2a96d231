"""What the user can do with splats in the scene, without any server; each is one undo step.

Owns those operators. Must not know how splats are stored, displayed or calculated with.
Annotations must be live objects here: no ``from __future__ import annotations``.
"""

# ruff: noqa: D415, RUF012  Blender ends a tooltip itself, and owns these class attributes

from collections.abc import Iterator
from typing import TYPE_CHECKING

import bpy
from bpy.app.translations import pgettext_rpt as _

from .._vendor.glimpse3d import cloud_edits
from .._vendor.glimpse3d.errors import Glimpse3DError, InvalidData
from .._vendor.glimpse3d.types import GaussianCloud
from ..scene import splat_data, splat_display, splat_edits, splat_surface, splats
from .acting import DONE, Outcome, refuse
from .splat_properties import SHAPES


def chosen_splats(context: bpy.types.Context) -> list[bpy.types.Object]:
    """The selected splat objects, the active one first."""
    active = context.active_object
    chosen = [each for each in context.selected_objects if splat_data.is_splats(each)]
    return sorted(chosen, key=lambda each: each != active)


def select_only(context: bpy.types.Context, things: list[bpy.types.Object]) -> None:
    """Select these objects and no others; the last becomes active."""
    for each in context.selected_objects:
        each.select_set(False)
    for each in things:
        each.select_set(True)
        context.view_layer.objects.active = each


class InObjectMode:
    """An operator that reports what it cannot do, and wants Object Mode."""

    if TYPE_CHECKING:  # from bpy.types.Operator, which stands behind this class

        def report(self, kind: set[str], text: str) -> None:
            """Show it to the user."""

        @classmethod
        def poll_message_set(cls, message: str) -> None:
            """Say why it is greyed out."""

    bl_options = {"REGISTER", "UNDO"}

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Only Object Mode can undo it in one step."""
        cls.poll_message_set(_("Leave the present mode for Object Mode first"))
        return context.mode == "OBJECT"

    def act(self, context: bpy.types.Context) -> str:
        """Do it, and say what was done.

        Raises:
            Glimpse3DError: reported.
        """
        raise NotImplementedError

    def execute(self, context: bpy.types.Context) -> Outcome:
        """Act, and report."""
        try:
            told = self.act(context)
        except Glimpse3DError as error:
            return refuse(self, error)
        self.report({"INFO"}, told)
        return DONE


class OnSplats(InObjectMode):
    """An operator on all selected splat objects, one after the other, in ``edited``."""

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs selected splats."""
        if not super().poll(context):
            return False
        cls.poll_message_set(_("Select an object made of splats first"))
        return bool(chosen_splats(context))

    def edited(self, thing: bpy.types.Object, cloud: GaussianCloud) -> GaussianCloud:
        """The object's new splats, in its own space."""
        raise NotImplementedError

    def act(self, context: bpy.types.Context) -> str:
        """Edit each; all are calculated before the first is changed."""
        told = []
        results = []
        for thing in chosen_splats(context):
            cloud = splat_data.read_cloud(thing.data)
            results.append((thing, cloud, self.edited(thing, cloud)))
        for thing, cloud, result in results:
            splat_edits.replace(thing, result)
            text = _("{name}: {kept} of {count} splats kept")
            told.append(text.format(name=thing.name, kept=len(result), count=len(cloud)))
        return "; ".join(told)


class ApplyTransform(OnSplats, bpy.types.Operator):
    """Make location, rotation and scale part of the splats; shape and colour are turned along"""

    bl_idname = "glimpse3d.splat_apply_transform"
    bl_label = "Apply Transform to Splats"

    def act(self, context: bpy.types.Context) -> str:
        """What they look like in the world does not change, children stay where they are."""
        chosen = chosen_splats(context)
        splat_edits.apply_transforms(chosen)
        if len(chosen) == 1:
            return _("Transform applied to {name}").format(name=chosen[0].name)
        return _("Transform applied to {count} objects").format(count=len(chosen))


class Crop(OnSplats, bpy.types.Operator):
    """Remove all splats whose middle lies outside of a box, a sphere or a collection's boxes"""

    bl_idname = "glimpse3d.splat_crop"
    bl_label = "Crop Splats"

    shape: bpy.props.EnumProperty(items=SHAPES, name="Crop To", description="What to crop to")
    bounds: bpy.props.StringProperty(
        name="Bounds", options={"SKIP_SAVE"},
        description="Name of the object or the collection; what the panel says if empty",
    )  # fmt: skip
    invert: bpy.props.BoolProperty(
        name="Remove Inside", description="Remove what lies inside and keep the rest"
    )

    def act(self, context: bpy.types.Context) -> str:
        """Without bounds, take what the panel says."""
        if not self.bounds:
            choices = context.scene.glimpse3d_splats
            self.shape = choices.shape
            chosen = choices.collection if self.shape == "COLLECTION" else choices.bounds
            self.bounds = chosen.name if chosen is not None else ""
        return super().act(context)

    def edited(self, thing: bpy.types.Object, cloud: GaussianCloud) -> GaussianCloud:
        """Keep one side."""
        return splat_edits.cropped(thing, cloud, self.shape, self._bounds(), self.invert)

    def _bounds(self) -> list[bpy.types.Object]:
        if self.shape == "COLLECTION":
            collection = bpy.data.collections.get(self.bounds)
            found = list(collection.all_objects) if collection is not None else []
        else:
            found = [bpy.data.objects[self.bounds]] if self.bounds in bpy.data.objects else []
        if not found:
            raise InvalidData("there is nothing to crop to", "choose an object or a collection")
        return found


MEASURES = (
    ("OPACITY", "Opacity", "How much light a splat stops in its middle, 0 to 1"),
    ("SIZE", "Size", "The longest standard deviation, metres"),
    ("COLOR", "Colour", "How far the colour is from the chosen one, 0 to 1"),
)
ACTIONS = (
    ("SELECT", "Select", "Select them, to be seen and edited in Edit Mode"),
    ("REMOVE", "Remove", "Remove them"),
)


class Select(OnSplats, bpy.types.Operator):
    """Select or remove splats by opacity, size or colour; selected ones show in Edit Mode"""

    bl_idname = "glimpse3d.splat_select"
    bl_label = "Select Splats"

    by: bpy.props.EnumProperty(items=MEASURES, name="By", description="What to look at")
    low: bpy.props.FloatProperty(
        name="From", description="The least value that is taken", min=0.0, default=0.0, precision=4
    )
    high: bpy.props.FloatProperty(
        name="To", description="The largest value that is taken", min=0.0, default=0.1, precision=4
    )
    color: bpy.props.FloatVectorProperty(
        name="Colour", description="Compared with the colour without what depends on the view",
        subtype="COLOR_GAMMA", min=0.0, max=1.0, default=(1.0, 1.0, 1.0),
    )  # fmt: skip
    action: bpy.props.EnumProperty(items=ACTIONS, name="Action", description="What to do with them")

    def draw(self, context: bpy.types.Context) -> None:
        """The colour only where it is asked for."""
        layout = self.layout
        layout.use_property_split = True
        for name in ("by", "low", "high", *(("color",) if self.by == "COLOR" else ()), "action"):
            layout.prop(self, name)

    def _measure(self) -> splat_edits.Measure:
        return splat_edits.Measure(self.by, self.low, self.high, tuple(self.color))

    def act(self, context: bpy.types.Context) -> str:
        """Select, or remove as every other edit does."""
        if self.action == "REMOVE":
            return super().act(context)
        total = splat_edits.select(chosen_splats(context), self._measure())
        return _("{count} splats selected: see them in Edit Mode").format(count=total)

    def edited(self, thing: bpy.types.Object, cloud: GaussianCloud) -> GaussianCloud:
        """Without them."""
        return cloud_edits.pick(cloud, ~self._measure().taken(cloud))


class Sanitise(OnSplats, bpy.types.Operator):
    """Remove splats that are too faint to be seen, far from all others, or as large as the scene"""

    bl_idname = "glimpse3d.splat_sanitise"
    bl_label = "Sanitise Splats"

    reach: bpy.props.FloatProperty(
        name="Reach", min=1.1, soft_max=20.0, default=5.0,
        description="How far out a splat may be, in units of the radius that holds nine tenths",
    )  # fmt: skip

    def edited(self, thing: bpy.types.Object, cloud: GaussianCloud) -> GaussianCloud:
        """And tell what was found."""
        kept, removed = cloud_edits.clean(cloud, self.reach)
        for count, text in (
            (removed.faint, _("{name}: {count} too faint to be seen")),
            (removed.far, _("{name}: {count} far from all others")),
            (removed.huge, _("{name}: {count} far larger than all others")),
        ):
            if count:
                self.report({"INFO"}, text.format(name=thing.name, count=count))
        return kept


class Decimate(OnSplats, bpy.types.Operator):
    """Unite neighbouring splats into fewer ones that look alike"""

    bl_idname = "glimpse3d.splat_decimate"
    bl_label = "Decimate Splats"

    ratio: bpy.props.FloatProperty(
        name="Ratio", description="How many splats stay", subtype="FACTOR",
        min=0.001, max=1.0, default=0.5,
    )  # fmt: skip

    def edited(self, thing: bpy.types.Object, cloud: GaussianCloud) -> GaussianCloud:
        """At least one."""
        return cloud_edits.decimate(cloud, max(1, round(len(cloud) * self.ratio)))


class Merge(OnSplats, bpy.types.Operator):
    """Put the splats of all selected objects into the active one, where they stand"""

    bl_idname = "glimpse3d.splat_merge"
    bl_label = "Merge Splats"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs two."""
        if not super().poll(context):
            return False
        cls.poll_message_set(_("Select two objects made of splats, one of them active"))
        return len(chosen_splats(context)) > 1 and splat_data.is_splats(context.active_object)

    def act(self, context: bpy.types.Context) -> str:
        """The others are removed."""
        active, *others = chosen_splats(context)
        total = splat_edits.merge(active, others)
        return _("{count} splats in {name}").format(count=total, name=active.name)


class FromMesh(InObjectMode, bpy.types.Operator):
    """Cover the active mesh with splats in its own colours, as an object of its own"""

    bl_idname = "glimpse3d.splats_from_mesh"
    bl_label = "Splats from Mesh"

    count: bpy.props.IntProperty(
        name="Splats", description="At most so many", min=1, soft_max=1_000_000, default=30_000
    )

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs a mesh that is no splats."""
        if not super().poll(context):
            return False
        cls.poll_message_set(_("Make a mesh with faces the active object first"))
        thing = context.active_object
        return thing is not None and thing.type == "MESH" and not splat_data.is_splats(thing)

    def act(self, context: bpy.types.Context) -> str:
        """The mesh stays, hidden neither in the viewport nor in renders."""
        source = context.active_object
        cloud = splat_surface.cover(source, context.evaluated_depsgraph_get(), self.count)
        collection = next(iter(source.users_collection), context.collection)
        made = splats.add_cloud(cloud, collection, f"{source.name} splats")
        splats.prepare_cycles(context.scene)
        select_only(context, [made])
        return _("{count} splats cover {name}").format(count=len(cloud), name=source.name)


class Upgrade(OnSplats, bpy.types.Operator):
    """Show these splats as this release does, or natively where Blender can"""

    bl_idname = "glimpse3d.splat_upgrade"
    bl_label = "Upgrade Splats"

    @classmethod
    def poll(cls, context: bpy.types.Context) -> bool:
        """Needs splats of an older release."""
        if not super().poll(context):
            return False
        cls.poll_message_set(_("These splats are up to date"))
        return not all(map(splat_display.is_current, chosen_splats(context)))

    def act(self, context: bpy.types.Context) -> str:
        """Each that needs it; a native one is a new object in the old one's place."""
        old = [each for each in chosen_splats(context) if not splat_display.is_current(each)]
        select_only(context, [splats.upgrade(each) for each in old])
        if len(old) == 1:
            return _("{name} upgraded").format(name=context.active_object.name)
        return _("{count} objects upgraded").format(count=len(old))


class RawColors(OnSplats, bpy.types.Operator):
    """Render as splat viewers do: the view transform becomes Raw, and other objects look wrong"""

    bl_idname = "glimpse3d.splat_raw_colors"
    bl_label = "Raw Splat Colours"

    on: bpy.props.BoolProperty(name="On", description="Raw, or linear as usual", default=True)

    def act(self, context: bpy.types.Context) -> str:
        """Both the scene and the splats."""
        for thing in chosen_splats(context):
            splat_display.set_raw(thing, self.on)
        view, choices = context.scene.view_settings, context.scene.glimpse3d_splats
        if view.view_transform != "Raw":
            choices.usual_view = view.view_transform
        view.view_transform = "Raw" if self.on else choices.usual_view
        return _("View transform: {name}").format(name=view.view_transform)


def edits() -> Iterator[str]:
    """What a menu offers for selected splats."""
    kinds = ApplyTransform, Crop, Select, Sanitise, Decimate, Merge
    yield from (each.bl_idname for each in kinds)


CLASSES = (
    ApplyTransform, Crop, Select, Sanitise, Decimate, Merge, FromMesh, Upgrade, RawColors,
)  # fmt: skip
