"""The inference server, and the wire side that travels with every client.

Owns the list of the files that travel, and nothing else, so that importing one file of this
package costs that file alone. Must not know bpy, torch, or what a model is made of.
"""

# Copied into the Blender add-on: standard library, zmq and msgpack only, relative imports only.
WIRE_SIDE = (
    "errors.py",
    "protocol.py",
    "connection.py",
    "events.py",
    "link.py",
    "exchange.py",
    "lanes.py",
    "durable.py",
    "transfers.py",
    "results.py",
    "following.py",
    "client.py",
    "doctor.py",
)
