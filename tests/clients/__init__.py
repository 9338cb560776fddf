"""Tries coding agents and agent frameworks, as they are published, against the demo: `make clients`."""
