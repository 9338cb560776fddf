"""Inbound dialects: pure functions between a client's JSON and our requests, answers and chunks."""
