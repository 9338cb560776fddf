"""Errors about the translated request name the client's members."""

from __future__ import annotations

import pytest

from gateway.dialects.responses.client_paths import ClientPaths
from gateway.errors import InvalidRequest

PATHS = ClientPaths(["instructions", "input[2]"], ["tools[0].tools[1]"])


@pytest.mark.parametrize(
    ("param", "path"),
    [
        ("messages[1].content[0].image_url.url", "input[2]"),
        ("messages[0]", "instructions"),
        ("messages", "input"),
        ("messages[7]", "messages[7]"),
        ("tools[0].function.parameters", "tools[0].tools[1].parameters"),
        ("max_tokens", "max_output_tokens"),
        ("response_format.json_schema.schema", "text.format.schema"),
        ("temperature", "temperature"),
    ],
)
def test_path_of_the_client(param: str, path: str) -> None:
    """Messages are items, tools are flat, and some members have other names."""
    assert PATHS.of(param) == path


def test_error_is_renamed_in_its_message_too() -> None:
    """The message names the same member as `param`."""
    error = InvalidRequest("Invalid 'messages[1].content'.", param="messages[1].content")
    assert PATHS.renamed(error) == ("Invalid 'input[2]'.", "input[2]")
    assert PATHS.renamed(InvalidRequest("No.")) == ("No.", None)
