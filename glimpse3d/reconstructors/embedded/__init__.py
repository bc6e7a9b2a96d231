"""The embedded default: a small network of our own, shipped inside the package."""
