"""Depth: backends that read it from a picture, one a file; and what is computed with it."""
