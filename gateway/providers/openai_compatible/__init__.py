"""OpenAI's chat completions as an upstream speaks them; other dialects of the same kind build on it."""

from gateway.providers.openai_compatible.provider import OpenAICompatible

__all__ = ["OpenAICompatible"]
