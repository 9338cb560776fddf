"""What a request is, as numbers, needs and a pattern: read once, from the newest human turn."""
