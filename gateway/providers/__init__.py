"""The built-in providers, by the `kind` of the configuration."""

from gateway.providers.base import Provider
from gateway.providers.claude import Claude
from gateway.providers.gemini import Gemini
from gateway.providers.openai_compatible import OpenAICompatible
from gateway.providers.openrouter import OpenRouter

PROVIDERS: dict[str, type[Provider]] = {
    "gemini": Gemini,
    "claude": Claude,
    "openrouter": OpenRouter,
    "openai": OpenAICompatible,
}
