"""Where jobs are computed: on this machine (``local``), or on a cluster (``ray``).

Owns nothing but the name; ``interface`` says what an executor must do. Must not know the store,
sockets or requests' owners.
"""
