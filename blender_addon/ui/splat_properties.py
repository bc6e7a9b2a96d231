"""What the panel lets a user choose for splats.

Owns the properties on scenes for that. Annotations must be live objects here: no
``from __future__ import annotations``.
"""

import bpy

SHAPES = (
    ("BOX", "Box", "The box of an object, turned and scaled with it; a cube for an empty"),
    ("SPHERE", "Sphere", "The ball, or ellipsoid, within the box of an object"),
    ("COLLECTION", "Collection", "The boxes of all objects of a collection"),
)


class SplatChoices(bpy.types.PropertyGroup):
    """Kept in the file, with each scene."""

    shape: bpy.props.EnumProperty(items=SHAPES, name="Crop To", description="What to crop to")
    bounds: bpy.props.PointerProperty(
        type=bpy.types.Object, name="Bounds", description="The object that says where to crop"
    )
    collection: bpy.props.PointerProperty(
        type=bpy.types.Collection, name="Bounds",
        description="The collection whose objects say where to crop",
    )  # fmt: skip
    usual_view: bpy.props.StringProperty(
        name="Usual View Transform", description="What is set again after Raw", default="Standard"
    )


CLASSES = (SplatChoices,)
