"""Validates contents as Gemini does: empty parts, unpaired calls, missing thought signatures."""

from __future__ import annotations

from typing import Any

from llm_simulator.gemini import signatures
from llm_simulator.gemini.schema import DATA_FIELDS
from llm_simulator.gemini.tools import BAD_NAME, NAME
from llm_simulator.models import GeminiModel
from llm_simulator.validators import Path, Problem

MIME_TYPES_TEXT = """image/png image/jpeg image/webp image/heic image/heif application/pdf audio/wav audio/x-wav audio/mp3 audio/mpeg audio/aiff
    audio/aac audio/ogg audio/flac audio/m4a audio/webm video/mp4 video/mpeg video/mov video/quicktime video/avi video/x-flv video/mpg
    video/webm video/wmv video/3gpp text/plain text/html text/css text/markdown text/csv text/xml text/rtf text/javascript
    application/json application/x-javascript text/x-python application/x-python"""
MIME_TYPES = frozenset(MIME_TYPES_TEXT.split())
COUNTS_DIFFER = "Please ensure that the number of function response parts is equal to the number of function call parts of the function call turn."
CALL_ORDER = (
    "Please ensure that function call turn comes immediately after a user turn or after a function response turn."
)
RESPONSE_ORDER = "Please ensure that function response turn comes immediately after a function call turn."
MISSING_SIGNATURE = (
    "Function call is missing a thought_signature in functionCall parts. This is required for tools to work correctly, and missing "
    "thought_signature may lead to degraded model performance. Additional data, function call `default_api:{name}` , position "
    "{position}. Please refer to https://ai.google.dev/gemini-api/docs/thought-signatures for more details."
)


def refuse(message: str) -> Problem:
    return Problem((), "value", message)


def calls_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["functionCall"] for part in content["parts"] if "functionCall" in part]


def responses_of(content: dict[str, Any]) -> list[dict[str, Any]]:
    return [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]


def check_contents(body: dict[str, Any], model: GeminiModel) -> None:
    contents = body.get("contents", [])
    if not contents:
        raise Problem(("contents",), "value", "contents is not specified")
    if "systemInstruction" in body:
        check_system(body["systemInstruction"])
    for index, content in enumerate(contents):
        check_content(content, ("contents", index), last=index == len(contents) - 1)
    check_pairs(contents, model)
    check_signatures(contents, model)
    if contents[-1].get("role", "user") == "model":
        raise refuse("Please ensure that multiturn requests end with a user turn or a function response turn.")


def check_system(content: dict[str, Any]) -> None:
    if not content.get("parts"):
        raise Problem(("system_instruction", "parts"), "value", "contents.parts must not be empty.")
    for index, part in enumerate(content["parts"]):
        if not part.get("text"):
            data = "required oneof field 'data' must have one initialized field"
            raise Problem(("system_instruction", "parts", index, "data"), "value", data)


def check_content(content: dict[str, Any], path: Path, *, last: bool) -> None:
    if content.get("role", "user") not in ("user", "model"):
        raise refuse("Please use a valid role: user, model.")
    if not content.get("parts"):
        raise Problem((*path, "parts"), "value", "contents.parts must not be empty.")
    for index, part in enumerate(content["parts"]):
        check_part(part, (*path, "parts", index), role=content.get("role", "user"))


def check_part(part: dict[str, Any], path: Path, *, role: str) -> None:
    present = [name for name in DATA_FIELDS if name in part]
    if len(present) > 1:
        raise Problem((*path, "data"), "value", f"oneof field 'data' is already set. Cannot set '{present[1]}'")
    signed_end = role == "model" and part.get("text") == "" and "thoughtSignature" in part
    if not present or (part.get("text") == "" and not signed_end):
        raise Problem((*path, "data"), "value", "required oneof field 'data' must have one initialized field")
    if "thoughtSignature" in part and not signatures.valid(part["thoughtSignature"]):
        raise refuse("Corrupted thought signature.")
    if "inlineData" in part:
        check_blob(part["inlineData"], (*path, "inline_data"))
    if "fileData" in part and not part["fileData"].get("fileUri", "").startswith(("https://", "gs://")):
        raise Problem((*path, "file_data"), "value", "Invalid or unsupported file uri.")
    for kind, owner in (("functionCall", "model"), ("functionResponse", "user")):
        if kind in part and role != owner:
            raise refuse(f"{kind} parts must have the role {owner}.")
        if kind in part and not NAME.fullmatch(part[kind].get("name", "")):
            raise Problem((*path, kind, "name"), "value", BAD_NAME)
    if "functionResponse" in part and "response" not in part["functionResponse"]:
        raise Problem((*path, "function_response", "response"), "value", "Struct must be set.")


def check_blob(blob: dict[str, Any], path: Path) -> None:
    mime = blob.get("mimeType", "")
    if mime not in MIME_TYPES:
        raise refuse(f"Unsupported MIME type: {mime}")
    if not blob.get("data"):
        raise Problem((*path, "data"), "value", "must not be empty.")


def check_pairs(contents: list[dict[str, Any]], model: GeminiModel) -> None:
    """Check that the next turn has one response for each call."""
    for index, content in enumerate(contents):
        before = contents[index - 1] if index else None
        calls = calls_of(before) if before else []
        responses = responses_of(content)
        if calls_of(content) and (before is None or before.get("role", "user") != "user"):
            raise refuse(CALL_ORDER)
        if responses and not calls:
            raise refuse(RESPONSE_ORDER)
        if len(calls) != len(responses):
            raise refuse(COUNTS_DIFFER)
        if sorted(call["name"] for call in calls) != sorted(response["name"] for response in responses):
            raise refuse("Please ensure that each function response has the name of its function call.")
        if model.call_ids:
            check_ids(calls, responses)
    if calls_of(contents[-1]):
        raise refuse(COUNTS_DIFFER)


def check_ids(calls: list[dict[str, Any]], responses: list[dict[str, Any]]) -> None:
    names = {call.get("id"): call["name"] for call in calls}
    for response in responses:
        if not response.get("id") or names.get(response["id"]) != response["name"]:
            raise refuse(
                f"Function response for `{response['name']}` must have the id and the name of its function call, got id "
                f"`{response.get('id', '')}`."
            )
    if len({response["id"] for response in responses}) < len(calls):
        raise refuse("Please ensure that each function call has exactly one function response.")


def check_signatures(contents: list[dict[str, Any]], model: GeminiModel) -> None:
    """Check that the first call of each step in the current turn is signed."""
    if not model.signs_thoughts:
        return
    user_turns = [
        index
        for index, content in enumerate(contents)
        if content.get("role", "user") == "user" and not responses_of(content)
    ]
    start = user_turns[-1] + 1 if user_turns else 0
    for index, content in enumerate(contents[start:], start):
        first = next((part for part in content["parts"] if "functionCall" in part), None)
        if first is not None and not first.get("thoughtSignature"):
            name = first["functionCall"]["name"]
            raise refuse(MISSING_SIGNATURE.format(name=name, position=index + 1))
