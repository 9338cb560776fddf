"""Claude models through Anthropic's own API."""

from gateway.providers.claude.provider import Claude

__all__ = ["Claude"]
