"""What a frame must look like. Knows nothing else of the project."""
