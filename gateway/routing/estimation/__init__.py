"""Per-model predictions of quality and cost for a request, learned online from outcomes."""
