"""The simulated Gemini API: `generateContent` and `streamGenerateContent` of v1beta."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llm_simulator.conversation import Reply
from llm_simulator.gemini import errors, messages, responses, tools, validation
from llm_simulator.gemini.parse import parse_request
from llm_simulator.gemini.schema import REQUEST
from llm_simulator.models import GEMINI
from llm_simulator.tokens import PromptCache
from llm_simulator.validators import Problem
from llm_simulator.vendor import Body, Event, IncomingRequest, ParsedRequest, VendorError, is_valid_key


class GeminiVendor:
    """Simulates `/v1beta/models/{model}:generateContent`."""

    name: ClassVar[str] = "gemini"
    line_end: ClassVar[str] = "\r\n"

    def authenticate(self, incoming: IncomingRequest, *, key: str | None) -> None:
        sent = incoming.headers.get("x-goog-api-key", "")
        if "key" in incoming.query or not sent:
            raise VendorError(errors.UNREGISTERED, status=403, kind="PERMISSION_DENIED")
        if not is_valid_key(sent, wanted=key):
            raise errors.bad_key()

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        model = GEMINI.get(incoming.url_model)
        if model is None:
            method = "streamGenerateContent" if incoming.streamed_url else "generateContent"
            raise errors.not_found(incoming.url_model, method)
        if not isinstance(incoming.body, dict):
            raise VendorError("Invalid JSON payload received. Expected an object.", kind="INVALID_ARGUMENT")
        unknown = incoming.query.keys() - {"alt"}
        if unknown:
            raise errors.unknown_query(min(unknown))
        try:
            body = REQUEST(incoming.body, ())
            validation.check_config(body, model)
            tools.check_tools(body, model)
            messages.check_contents(body, model)
        except Problem as problem:
            raise errors.vendor_error(problem) from None
        as_array = incoming.streamed_url and incoming.query.get("alt") != "sse"
        key = incoming.headers.get("x-goog-api-key", "")
        return parse_request(body, model, stream=incoming.streamed_url, as_array=as_array, cache=cache, key=key)

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        return responses.response(call, replies)

    def events(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> list[Event]:
        return responses.events(call, replies)

    def error(self, vendor_error: VendorError) -> Body:
        return errors.body(vendor_error)

    def error_event(self, vendor_error: VendorError) -> Event:
        return Event(data=errors.body(vendor_error))

    def failure(self, name: str, status: int) -> VendorError:
        return errors.failure(name, status)

    def ids(self, number: int) -> Mapping[str, str]:
        return {"server-timing": "gfet4t7; dur=0"}
