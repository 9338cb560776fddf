"""OpenAI's completions, the API before chat: a prompt becomes one user message, and its answer a text."""

from gateway.dialects.completions.dialect import Completions

__all__ = ["Completions"]
