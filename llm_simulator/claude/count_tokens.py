"""Simulates `/v1/messages/count_tokens`: the same checks as for a message, and the number of its tokens as the answer."""

from __future__ import annotations

from dataclasses import replace

from llm_simulator.claude import ClaudeVendor
from llm_simulator.conversation import Reply
from llm_simulator.tokens import PromptCache
from llm_simulator.vendor import Body, IncomingRequest, ParsedRequest, VendorError

_ONLY_OF_MESSAGES = ("max_tokens", "stream", "temperature", "stop_sequences", "metadata")


class ClaudeTokenCounter(ClaudeVendor):
    """Counts a prompt without answering it."""

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        body = incoming.body
        if isinstance(body, dict):
            for name in _ONLY_OF_MESSAGES:
                if name in body:
                    raise VendorError(f"{name}: Extra inputs are not permitted")
            incoming = replace(incoming, body={**body, "max_tokens": 64_000})
        return super().read(incoming, cache=PromptCache(clock=lambda: 0.0))

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        return {"input_tokens": call.tokens.total}
