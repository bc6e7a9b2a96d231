"""Cut-out backends, one a file; they never import each other."""
