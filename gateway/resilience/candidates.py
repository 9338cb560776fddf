"""A model that may answer a request, at one of its provider's keys."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Candidate:
    """A model that may answer. `key` is the number of the provider's API key.

    `context_window` and `max_output` are in tokens, None when unknown.
    """

    provider: str
    model: str
    context_window: int | None = None
    key: int = field(default=1, compare=False)
    max_output: int | None = field(default=None, compare=False)

    @property
    def full_name(self) -> str:
        """The name clients use."""
        return f"{self.provider}/{self.model}"

    @property
    def deployment(self) -> str:
        """The provider with its key: `gemini` for the first key, `gemini#2` for the second."""
        return deployment(self.provider, self.key)


def deployment(provider: str, key: int) -> str:
    """Name of a provider with one of its keys; the first key adds no number."""
    return provider if key == 1 else f"{provider}#{key}"
