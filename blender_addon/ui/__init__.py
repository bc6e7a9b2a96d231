"""What the user sees and presses: drawing and dispatching, nothing more."""
