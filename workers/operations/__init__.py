"""What script code waits for: one file an operation, run away from the engine's thread."""
