"""Keeps a conversation with its model, and prices leaving it."""
