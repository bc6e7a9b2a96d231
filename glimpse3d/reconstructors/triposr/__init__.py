"""TripoSR: one picture to a triplane, and a density and colour at every point of it.

``backend`` holds the settings and is light; ``network.TripoSR`` is the model itself, for programs
that want to ask it directly. The model is of Tochilkin et al. 2024, "TripoSR: Fast 3D Object
Reconstruction from a Single Image" (arXiv 2403.02151); its weights are stabilityai/TripoSR.
"""

# A folder with the model holds the first, and one of the others; the first that is there is read.
CONFIG = "config.yaml"
WEIGHTS = ("model.safetensors", "model.ckpt")
# Whose marching cubes take the surface.
CUBES = ("own", "torchmcubes")
TORCHMCUBES_HINT = "pip install git+https://github.com/tatsy/torchmcubes.git, or choose cubes=own"
