"""Shapes from seeds, one family a file; see ``families``."""
