"""Routing strategies: from a request's context and the models' estimates to a ranking."""
