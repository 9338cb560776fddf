"""Knows what the newest prompts say: while an agent's tools work, each of its requests repeats the same human turn.

Prompts are kept as keyed hashes, never as text, and only in memory.
"""

from __future__ import annotations

from collections import OrderedDict
from hashlib import blake2b

from gateway.routing.prompt.features import PromptFeatures, extract

_CAPACITY = 1000
# Characters of the longest prompt that is worth a hash; reading a longer one takes little more.
_LONGEST = 32_768


class RecentPrompts:
    """Bounded in number. `secret` keys the hashes."""

    def __init__(self, *, secret: bytes, capacity: int = _CAPACITY) -> None:
        self._secret = secret[:64]
        self._capacity = capacity
        self._known: OrderedDict[bytes, PromptFeatures] = OrderedDict()

    def said_in(self, prompt: str) -> PromptFeatures:
        """What the prompt says, read anew only where it is not among the newest."""
        if len(prompt) > _LONGEST:
            return extract(prompt)
        key = blake2b(prompt.encode(errors="surrogatepass"), key=self._secret, digest_size=16).digest()
        said = self._known.pop(key, None) or extract(prompt)
        self._known[key] = said
        while len(self._known) > self._capacity:
            self._known.popitem(last=False)
        return said
