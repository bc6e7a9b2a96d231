"""What the names that a server sends mean: codes of errors, stages of its work, edges of pictures.

Owns these tables of sentences. Must not know who shows them. They stand where a server's own
sentence, which is English, would tell a user too little.
"""

from __future__ import annotations

# What an error is about, for those whom its own sentence, in English, does not tell it.
MEANINGS = {
    "backend_unavailable": "Something that this method needs is missing on the server",
    "bad_connection_string": "This is no connection string",
    "bad_file": "A file is damaged, or of a kind that cannot be read",
    "bad_hash": "What arrived is not what was sent",
    "bad_image": "A picture cannot be read, or is none",
    "bad_message": "Server and extension do not understand each other",
    "bad_result": "The result that arrived is damaged",
    "busy": "The server has too much to do",
    "closed": "The extension is being switched off",
    "conflict": "The job went on elsewhere",
    "disk_full": "The disk is full",
    "internal": "Something failed that should not",
    "invalid_data": "That cannot be done with what is chosen",
    "invalid_settings": "A setting is unknown or out of its range",
    "missing_input": "The server does not have the picture any more",
    "no_answer": "The server does not answer",
    "no_foreground": "No subject was found in the picture",
    "not_a_server": "What answers there is no Glimpse3D server",
    "not_found": "The server does not know that job any more",
    "not_ready": "There is no result yet",
    "not_supported": "This server cannot do that yet",
    "nothing_listening": "Nothing answers at that address",
    "offline": "Blender is offline",
    "out_of_memory": "The server's memory ran out",
    "output_failed": "Something could not be written",
    "refused_key": "The server does not know this key, or not any more",
    "stalled": "The job did not go on for too long",
    "too_large": "A file is larger than the server allows",
    "unknown_backend": "The server has no such method",
    "unknown_host": "No machine has that name",
    "version": "Server and extension are of releases too far apart",
    "weights_missing": "The method's weights are not on the server",
    "worker_lost": "The process that computed the job died too often",
    "wrong_server": "Another server answers there",
}
# Edges of a picture.
EDGES = {"left": "left", "right": "right", "top": "top", "bottom": "bottom"}
# What a server is doing, by the names of its stages.
STAGES = {
    "camera": "Placing the camera",
    "clean": "Cleaning",
    "colour": "Colouring",
    "depth": "Reading depth",
    "detail": "Adding detail",
    "encode": "Looking at the picture",
    "extract": "Making the surface",
    "files": "Writing files",
    "generate": "Making the object",
    "matte": "Cutting out",
    "planes": "Looking at the picture",
    "preview": "Drawing the preview",
    "reconstructor": "Making the shape",
    "splats": "Making splats",
    "spread": "Spreading splats",
    "surface": "Making the surface",
    "texture": "Painting the surface",
    "turntable": "Filming the turntable",
    "write": "Writing files",
}
