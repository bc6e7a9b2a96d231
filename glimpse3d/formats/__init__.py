"""File formats that numpy alone can read and write; the Blender add-on carries a copy."""
