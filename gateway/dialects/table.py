"""The table of inbound dialects: what the server's routes are made from."""

from collections.abc import Mapping

from gateway.dialects.base import Dialect
from gateway.dialects.chat_completions import ChatCompletions
from gateway.dialects.completions import Completions
from gateway.dialects.messages import Messages
from gateway.dialects.responses import Responses

CHAT_COMPLETIONS = ChatCompletions()
MESSAGES = Messages()
RESPONSES = Responses()
DIALECTS: Mapping[str, Dialect] = {
    dialect.name: dialect for dialect in (CHAT_COMPLETIONS, Completions(), MESSAGES, RESPONSES)
}


def dialect_of(path: str) -> Dialect:
    """The dialect of a route and of what lies below it; chat completions where no dialect claims the path."""
    path = path if path.startswith("/v1/") else f"/v1{path}"
    for dialect in DIALECTS.values():
        if path == dialect.path or path.startswith(f"{dialect.path}/"):
            return dialect
    return CHAT_COMPLETIONS
