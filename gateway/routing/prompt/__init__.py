"""Features of a request: the newest user text as numbers and a pattern, the abilities it needs, and its size."""
