"""Tools: declarations, choice and names."""

from __future__ import annotations

from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.providers.gemini.tools import LEGAL_NAME, Tools, build_tools


def function(name: str, **members: Any) -> Any:
    return {"type": "function", "function": {"name": name, **members}}


def custom(name: str, **members: Any) -> Any:
    return {"type": "custom", "custom": {"name": name, **members}}


def read(*tools: Any, called: tuple[str, ...] = (), **body: Any) -> Tools:
    return build_tools({"tools": [*tools], **body}, called=called)


def mode(choice: Any) -> Any:
    return read(function("a"), function("2b"), custom("c"), tool_choice=choice).config.get("functionCallingConfig")


def test_function_schema_is_declared_untouched() -> None:
    """A function's schema goes over as JSON schema, untouched, also where properties are called like keywords."""
    schema = {
        "type": "object",
        "properties": {"type": {"const": 1}, "$ref": {"enum": [1]}},
        "$schema": "x",
        "required": ["nope"],
    }
    assert read(function("f", description="d", parameters=schema, strict=True)).declarations == [
        {"name": "f", "description": "d", "parametersJsonSchema": schema}
    ]


@pytest.mark.parametrize("parameters", [{"properties": {}}, {"type": ["object", "null"], "properties": {}}])
def test_tool_parameters_are_always_an_object(parameters: Any) -> None:
    """Parameters are those of an object, said or not."""
    assert read(function("f", parameters=parameters)).declarations[0]["parametersJsonSchema"] == {
        "type": "object",
        "properties": {},
    }


@pytest.mark.parametrize(
    "members", [{}, {"parameters": None, "description": None}, {"parameters": {}, "description": ""}]
)
def test_bare_function_is_declared_without_additions(members: Any) -> None:
    """What a function does not say is not made up."""
    assert read(function("f", **members)).declarations == [{"name": "f"}]


def test_custom_tool_becomes_a_function_of_one_string() -> None:
    """A custom tool is a function of one string that is told its grammar."""
    grammar = {"type": "grammar", "grammar": {"syntax": "regex", "definition": "a+"}}
    made = read(custom("x", description="d", format=grammar), custom("y"), custom("z", format={"type": "text"}))
    schema = {"type": "object", "properties": {"input": {"type": "string"}}, "required": ["input"]}
    told = "d\n\n`input` must match this regex grammar:\na+"
    assert made.declarations[0] == {"name": "x", "description": told, "parametersJsonSchema": schema}
    assert made.declarations[1:] == [{"name": name, "parametersJsonSchema": schema} for name in "yz"]
    assert made.custom == {"x", "y", "z"}


def test_illegal_tool_names_are_changed_and_lead_back() -> None:
    """A name that Gemini refuses gets a legal one of its own, which leads back; legal names stay."""
    made = read(function("2fa"), function("_2fa"), function("a b"), function("a.b"), called=("a-b", "a+b", "a*b", ""))
    assert made.upstream_names == {
        "_2fa": "_2fa",
        "a.b": "a.b",
        "a-b": "a-b",
        "2fa": "_2fa_1",
        "a b": "_a_b",
        "a+b": "_a_b_1",
        "a*b": "_a_b_2",
        "": "_",
    }
    assert made.renamed() == {"_2fa_1": "2fa", "_a_b": "a b", "_a_b_1": "a+b", "_a_b_2": "a*b", "_": ""}
    assert made.name("2fa") == "_2fa_1"
    assert made.name("never seen") == "never seen"


def test_long_tool_name_becomes_legal() -> None:
    """However long a name is, the one that is sent is legal."""
    made = read(called=("ü" * 300, "ö" * 300))
    assert all(LEGAL_NAME.fullmatch(name) for name in made.upstream_names.values())
    assert len(set(made.upstream_names.values())) == 2


@pytest.mark.parametrize(
    ("choice", "config"),
    [
        (None, None),
        ("auto", None),
        ("none", {"mode": "NONE"}),
        ("required", {"mode": "ANY"}),
        (function("a"), {"mode": "ANY", "allowedFunctionNames": ["a"]}),
        (function("2b"), {"mode": "ANY", "allowedFunctionNames": ["_2b"]}),
        (custom("c"), {"mode": "ANY", "allowedFunctionNames": ["c"]}),
        (
            {
                "type": "allowed_tools",
                "allowed_tools": {"mode": "required", "tools": [function("a"), custom("c"), function("a")]},
            },
            {"mode": "ANY", "allowedFunctionNames": ["a", "c"]},
        ),
    ],
)
def test_tool_choice_becomes_a_mode(choice: Any, config: Any) -> None:
    """Each tool_choice is a mode, narrowed by name where it names one."""
    assert mode(choice) == config


def test_allowed_tools_are_the_only_ones() -> None:
    """Where the model may choose among some tools only those are declared."""
    choice = {"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": [function("2b")]}}
    made = read(function("a"), function("2b"), tool_choice=choice)
    assert (made.declarations, made.config) == ([{"name": "_2b"}], {})


def test_empty_allowed_tools_sends_no_tools() -> None:
    """With none of the tools allowed nothing is said of tools."""
    made = read(function("2b"), tool_choice={"type": "allowed_tools", "allowed_tools": {"mode": "auto", "tools": []}})
    assert made == Tools(upstream_names={"2b": "_2b"})


@pytest.mark.parametrize("choice", ["required", "none", function("f")])
def test_tool_choice_without_tools_is_ignored(choice: Any) -> None:
    """A choice among no tools means nothing."""
    assert build_tools({"tool_choice": choice}, called=()) == Tools()


def test_only_tool_choice_none_forbids_calls() -> None:
    """`none` forbids calls, nothing else does."""
    assert read(function("a"), tool_choice="none").forbidden
    assert not read(function("a"), tool_choice="required").forbidden


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "web_search"}], "tools[0].type"),
        ([function("a"), "b"], "tools[1].type"),
        ([{"type": "function"}], "tools[0].function.name"),
        ([{"type": "custom", "custom": {}}], "tools[0].custom.name"),
        ([function("a"), function("a", description="another")], "tools[1].function.name"),
    ],
)
def test_unknown_or_ambiguous_tools_are_refused(tools: Any, param: str) -> None:
    """Tools that are none of OpenAI's two kinds, nameless or ambiguous are refused."""
    with pytest.raises(InvalidRequest) as caught:
        read(*tools)
    assert caught.value.param == param


def test_repeated_tool_is_declared_once() -> None:
    """The same tool twice is declared once, because Gemini refuses duplicates."""
    assert read(function("a"), function("a")).declarations == [{"name": "a"}]


@pytest.mark.parametrize(
    "choice",
    [
        "sometimes",
        function("x"),
        custom("a b"),
        {"type": "function"},
        3,
        {"type": "allowed_tools", "allowed_tools": {"tools": [function("x")]}},
    ],
)
def test_impossible_tool_choice_is_refused(choice: Any) -> None:
    """A choice that cannot be kept is refused."""
    with pytest.raises(InvalidRequest) as caught:
        mode(choice)
    assert caught.value.param == "tool_choice"
