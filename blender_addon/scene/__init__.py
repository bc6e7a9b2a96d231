"""What stands in the Blender scene: pictures read from it, results built into it."""

# The custom property on every object of a result that says which part it is.
PART = "glimpse3d_part"
