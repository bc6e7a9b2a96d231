"""Caption backends, one a file: each says what a picture shows."""
