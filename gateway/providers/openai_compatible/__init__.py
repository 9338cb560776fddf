"""Upstreams with OpenAI's chat completions API; the base of similar providers."""

from gateway.providers.openai_compatible.provider import OpenAICompatible

__all__ = ["OpenAICompatible"]
