"""OpenRouter's simulated chat completions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llm_simulator.conversation import Reply
from llm_simulator.openrouter import errors, responses, validation
from llm_simulator.openrouter.parse import parse_request
from llm_simulator.openrouter.schema import REQUEST
from llm_simulator.tokens import PromptCache
from llm_simulator.validators import Problem
from llm_simulator.vendor import Body, Event, IncomingRequest, ParsedRequest, VendorError, is_valid_key


class OpenRouterVendor:
    """Simulates `/api/v1/chat/completions`."""

    name: ClassVar[str] = "openrouter"
    line_end: ClassVar[str] = "\n"

    def authenticate(self, incoming: IncomingRequest, *, key: str | None) -> None:
        scheme, _, sent = incoming.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not sent:
            raise VendorError("No auth credentials found", status=401)
        if not is_valid_key(sent, wanted=key):
            raise VendorError("User not found.", status=401)

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        if not isinstance(incoming.body, dict):
            raise VendorError("Invalid JSON")
        try:
            body = REQUEST(incoming.body, ())
            validation.check_request(body)
        except Problem as problem:
            raise errors.vendor_error(problem) from None
        model = validation.served_model(body)
        return parse_request(body, model, cache=cache, key=incoming.headers.get("authorization", ""))

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        return responses.completion(call, replies, now=now)

    def events(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> list[Event]:
        return responses.events(call, replies, now=now)

    def error(self, vendor_error: VendorError) -> Body:
        return errors.body(vendor_error)

    def error_event(self, vendor_error: VendorError) -> Event:
        return errors.event(vendor_error)

    def failure(self, name: str, status: int) -> VendorError:
        return errors.failure(name, status)

    def ids(self, number: int) -> Mapping[str, str]:
        return {"x-generation-id": f"gen-sim-{number}"}
