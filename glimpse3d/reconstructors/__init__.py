"""Reconstructors: one cut-out to a textured mesh. Each is a file or two; none imports another's."""
