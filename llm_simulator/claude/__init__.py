"""The simulated Anthropic Messages API."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from llm_simulator.claude import betas, errors, messages, responses, tools, validation
from llm_simulator.claude.parse import parse_request
from llm_simulator.claude.schema import REQUEST
from llm_simulator.conversation import Reply
from llm_simulator.models import CLAUDE
from llm_simulator.tokens import PromptCache
from llm_simulator.validators import Problem
from llm_simulator.vendor import Body, Event, IncomingRequest, ParsedRequest, VendorError, is_valid_key


class ClaudeVendor:
    """Simulates `/v1/messages`."""

    name: ClassVar[str] = "claude"
    line_end: ClassVar[str] = "\n"

    def authenticate(self, incoming: IncomingRequest, *, key: str | None) -> None:
        sent = key_of(incoming)
        if not sent:
            raise VendorError("x-api-key header is required", status=401, kind="authentication_error")
        if not is_valid_key(sent, wanted=key):
            raise VendorError("invalid x-api-key", status=401, kind="authentication_error")
        version = incoming.headers.get("anthropic-version")
        if version is None:
            raise VendorError("anthropic-version: header is required")
        if version not in validation.VERSIONS:
            raise VendorError(f'anthropic-version: "{version}" is not a valid version')
        if not incoming.headers.get("content-type", "").startswith("application/json"):
            raise VendorError("content-type: must be application/json")

    def read(self, incoming: IncomingRequest, *, cache: PromptCache) -> ParsedRequest:
        body = incoming.body
        if not isinstance(body, dict):
            raise VendorError("The request body is not valid JSON: expected an object")
        model = CLAUDE.get(body["model"]) if isinstance(body.get("model"), str) else None
        if model is None and isinstance(body.get("model"), str):
            raise VendorError(f"model: {body['model']}", status=404, kind="not_found_error")
        try:
            body = betas.without_beta_members(body, incoming.headers.get("anthropic-beta", ""))
            validation.check_retired_fields(body, version=incoming.headers.get("anthropic-version", ""))
            read = REQUEST(body, ())
            assert model is not None, "the shape requires a model"  # noqa: S101 - narrows the type
            validation.check_parameters(read, model)
            tools.check_tools(read, model)
            messages.check_turns(read, model)
        except Problem as problem:
            raise errors.vendor_error(problem) from None
        return parse_request(read, model, cache=cache, key=key_of(incoming))

    def body(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> Body:
        return responses.message(call, replies[0])

    def events(self, call: ParsedRequest, replies: list[Reply], *, now: float) -> list[Event]:
        return responses.events(call, replies[0])

    def error(self, vendor_error: VendorError) -> Body:
        return errors.body(vendor_error)

    def error_event(self, vendor_error: VendorError) -> Event:
        return Event(name="error", data=errors.body(vendor_error))

    def failure(self, name: str, status: int) -> VendorError:
        return errors.failure(name, status)

    def ids(self, number: int) -> Mapping[str, str]:
        return {
            "request-id": f"req_sim{number:020d}",
            "anthropic-organization-id": "00000000-0000-4000-8000-000000000000",
        }


def key_of(incoming: IncomingRequest) -> str:
    """The key from `x-api-key`, or from the bearer token that SDKs of version 2 send."""
    scheme, _, token = incoming.headers.get("authorization", "").partition(" ")
    return incoming.headers.get("x-api-key") or (token if scheme.lower() == "bearer" else "")
