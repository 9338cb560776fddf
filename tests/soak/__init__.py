"""What takes minutes: kills, crowds, thousands of streams. `make soak` runs it and prints its figures; `make test` does not."""
