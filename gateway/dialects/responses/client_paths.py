"""Names members of the client's body in errors about the translated request, which providers raise."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from gateway.errors import GatewayError

_INDEXED = re.compile(r"(?P<list>messages|tools)\[(?P<index>[0-9]+)\](?P<rest>.*)")
_RENAMED = {
    "max_completion_tokens": "max_output_tokens",
    "max_tokens": "max_output_tokens",
    "messages": "input",
    "reasoning_effort": "reasoning.effort",
    "response_format": "text.format",
}


class ClientPaths(NamedTuple):
    """The paths in the client's body of the messages and tools, in their order."""

    messages: Sequence[str] = ()
    tools: Sequence[str] = ()

    def of(self, param: str) -> str:
        """The path in the client's body. Of a message only its item is named, because what is inside has another shape."""
        match = _INDEXED.fullmatch(param)
        if match is None:
            name, dot, rest = param.partition(".")
            return f"{_RENAMED.get(name, name)}{dot}{rest.removeprefix('json_schema.')}"
        known = self.messages if match["list"] == "messages" else self.tools
        index = int(match["index"])
        if index >= len(known):
            return param
        return known[index] if match["list"] == "messages" else known[index] + match["rest"].replace(".function", "", 1)

    def renamed(self, error: GatewayError) -> tuple[str, str | None]:
        """The message and the param of an error, with the client's path."""
        if error.param is None:
            return error.message, None
        param = self.of(error.param)
        return error.message.replace(error.param, param), param


SAME_PATHS = ClientPaths()
