"""Gaussian splats: made from a mesh, drawn from any camera."""
