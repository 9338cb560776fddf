"""What to expect of each model on a request, learned from outcomes."""
