"""OpenAI's Responses: parsing of requests with references to earlier responses, output items and the events of a stream."""

from gateway.dialects.responses.answer import visible_items
from gateway.dialects.responses.dialect import Responses
from gateway.dialects.responses.earlier import NOTHING_EARLIER, EarlierItems, References, references, response_of
from gateway.dialects.responses.parameters import ENCRYPTED
from gateway.dialects.responses.request import ResponsesRequest, parse_body

__all__ = [
    "ENCRYPTED",
    "NOTHING_EARLIER",
    "EarlierItems",
    "References",
    "Responses",
    "ResponsesRequest",
    "parse_body",
    "references",
    "response_of",
    "visible_items",
]
