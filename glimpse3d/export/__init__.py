"""A result as files: meshes, video, contact sheet, and the folder that holds them all."""
