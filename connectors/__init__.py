"""Everything that touches the world outside this process."""
