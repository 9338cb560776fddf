"""What Gemini refuses among the turns of a conversation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from httpx2 import Response

from llm_simulator.gemini.signatures import sign

Ask = Callable[..., Response]
Contents = list[dict[str, Any]]

SIGNED = {"thoughtSignature": sign("test")}
PNG = {"mimeType": "image/png", "data": "iVBORw=="}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "parts": list(parts)}


def model(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "model", "parts": list(parts)}


def call(name: str = "f", id: str | None = "1", **part: Any) -> dict[str, Any]:
    return {"functionCall": {"name": name, "args": {}, **({"id": id} if id else {})}, **part}


def answer(name: str = "f", id: str | None = "1") -> dict[str, Any]:
    return {"functionResponse": {"name": name, "response": {"output": "ok"}, **({"id": id} if id else {})}}


HI = {"text": "Hi"}
REFUSED: list[tuple[str, str, Contents, str]] = [
    ("nothing", "gemini-3.8-flash", [], "contents is not specified"),
    ("no parts", "gemini-3.8-flash", [user()], "contents.parts must not be empty"),
    ("role", "gemini-3.8-flash", [{"role": "assistant", "parts": [HI]}], "Please use a valid role: user, model."),
    ("empty part", "gemini-3.8-flash", [user({})], "required oneof field 'data' must have one initialized field"),
    ("empty text", "gemini-3.8-flash", [user({"text": ""})], "contents[0].parts[0].data: required oneof"),
    ("two kinds", "gemini-3.8-flash", [user({"text": "a", "inlineData": PNG})], "oneof field 'data' is already set"),
    (
        "unknown part",
        "gemini-3.8-flash",
        [user({"image_url": "x"})],
        "Unknown name \"image_url\" at 'contents[0].parts[0]'",
    ),
    (
        "gif",
        "gemini-3.8-flash",
        [user({"inlineData": {"mimeType": "image/gif", "data": "AA=="}})],
        "Unsupported MIME type: image/gif",
    ),
    ("no data", "gemini-3.8-flash", [user({"inlineData": {"mimeType": "image/png"}})], "must not be empty"),
    (
        "not base64",
        "gemini-3.8-flash",
        [user({"inlineData": {"mimeType": "image/png", "data": "*"}})],
        "Base64 decoding failed",
    ),
    (
        "file URI",
        "gemini-3.8-flash",
        [user({"fileData": {"fileUri": "http://a.example"}})],
        "Invalid or unsupported file uri",
    ),
    ("model last", "gemini-3.8-flash", [user(HI), model(HI)], "end with a user turn"),
    ("call of user", "gemini-3.8-flash", [user(call())], "functionCall parts must have the role model"),
    (
        "call first",
        "gemini-3.8-flash",
        [model(call(**SIGNED)), user(answer())],
        "function call turn comes immediately after",
    ),
    ("orphan", "gemini-3.8-flash", [user(HI), model(HI), user(answer())], "immediately after a function call turn"),
    (
        "unanswered",
        "gemini-3.8-flash",
        [user(HI), model(call(**SIGNED)), user(HI)],
        "number of function response parts is equal",
    ),
    ("open", "gemini-3.8-flash", [user(HI), model(call(**SIGNED))], "number of function response parts is equal"),
    (
        "one of two",
        "gemini-3.8-flash",
        [user(HI), model(call(**SIGNED), call(id="2")), user(answer())],
        "is equal to the number",
    ),
    (
        "other name",
        "gemini-3.1-flash-lite",
        [user(HI), model(call(**SIGNED)), user(answer("g"))],
        "has the name of its function call",
    ),
    (
        "no id",
        "gemini-3.5-flash",
        [user(HI), model(call(**SIGNED)), user(answer(id=None))],
        "must have the id and the name",
    ),
    (
        "no id in call",
        "gemini-3.5-flash",
        [user(HI), model(call(id=None, **SIGNED)), user(answer())],
        "must have the id and the name",
    ),
    (
        "one id twice",
        "gemini-3.5-flash",
        [user(HI), model(call(**SIGNED), call(id="2")), user(answer(), answer())],
        "exactly one function response",
    ),
    (
        "unsigned",
        "gemini-3.8-flash",
        [user(HI), model(call()), user(answer())],
        "Function call is missing a thought_signature",
    ),
    (
        "second only",
        "gemini-3.8-flash",
        [user(HI), model(call(), call(id="2", **SIGNED)), user(answer(), answer(id="2"))],
        "position 2",
    ),
    (
        "forged",
        "gemini-3.8-flash",
        [user(HI), model({**HI, "thoughtSignature": "Zm9v"}), user(HI)],
        "Corrupted thought signature.",
    ),
    (
        "not even base64",
        "gemini-2.5-flash",
        [user(HI), model({**HI, "thoughtSignature": "*"}), user(HI)],
        "Corrupted thought",
    ),
    ("bad name", "gemini-2.5-flash", [user(HI), model(call("2fa")), user(answer("2fa"))], "Invalid function name"),
    (
        "no response",
        "gemini-2.5-flash",
        [user(HI), model(call()), user({"functionResponse": {"name": "f"}})],
        "Struct must be set",
    ),
    (
        "text response",
        "gemini-2.5-flash",
        [user(HI), model(call()), user({"functionResponse": {"name": "f", "response": "ok"}})],
        "Invalid value at 'contents[2].parts[0].functionResponse.response'",
    ),
]


@pytest.mark.parametrize(("name", "contents", "message"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_bad_conversation_is_a_400(gemini: Ask, name: str, contents: Contents, message: str) -> None:
    """A conversation that Gemini does not take is a 400."""
    response = gemini(contents, model=name)
    assert response.status_code == 400
    assert message in response.json()["error"]["message"]


SENTINEL = {"thoughtSignature": "skip_thought_signature_validator"}
ACCEPTED: list[tuple[str, str, Contents]] = [
    ("no role", "gemini-3.8-flash", [{"parts": [HI]}]),
    ("signed", "gemini-3.8-flash", [user(HI), model(call(**SIGNED)), user(answer())]),
    (
        "first of two signed",
        "gemini-3.8-flash",
        [user(HI), model(call(**SIGNED), call(id="2")), user(answer(id="2"), answer())],
    ),
    ("sentinel", "gemini-3.8-flash", [user(HI), model(call(**SENTINEL)), user(answer())]),
    (
        "sentinel as bytes",
        "gemini-3.8-flash",
        [user(HI), model(call(thoughtSignature="c2tpcF90aG91Z2h0X3NpZ25hdHVyZV92YWxpZGF0b3I=")), user(answer())],
    ),
    ("unsigned on 2.5", "gemini-2.5-flash", [user(HI), model(call(id=None)), user(answer(id=None))]),
    ("no ids on 3.1", "gemini-3.1-flash-lite", [user(HI), model(call(id=None, **SIGNED)), user(answer(id=None))]),
    ("older turn unsigned", "gemini-3.8-flash", [user(HI), model(call()), user(answer()), model(HI), user(HI)]),
    ("signed empty end", "gemini-3.8-flash", [user(HI), model(HI, {"text": "", **SIGNED}), user(HI)]),
]


@pytest.mark.parametrize(("name", "contents"), [row[1:] for row in ACCEPTED], ids=[row[0] for row in ACCEPTED])
def test_documented_conversation_is_answered(gemini: Ask, name: str, contents: Contents) -> None:
    """A conversation as documented is answered."""
    response = gemini(contents, model=name)
    assert response.status_code == 200, response.text


@pytest.mark.parametrize("system", [{"parts": []}, {"parts": [{"text": ""}]}])
def test_empty_system_instruction(gemini: Ask, system: dict[str, Any]) -> None:
    """An empty system instruction is refused; it must be left out."""
    assert gemini(systemInstruction=system).status_code == 400


def test_results_are_read(gemini: Ask) -> None:
    """A wrapped text result is read as that text, any other response as JSON."""
    for response, said in (({"result": "sunny"}, "answered: sunny"), ({"sky": "blue"}, 'answered: {"sky": "blue"}')):
        turn = user({"functionResponse": {"name": "f", "id": "1", "response": response}})
        body = gemini([user(HI), model(call(**SIGNED)), turn]).json()
        assert said in body["candidates"][0]["content"]["parts"][0]["text"]


def test_system_instruction_is_read_and_counted(gemini: Ask) -> None:
    """A system instruction with text is read and counted."""
    plain = gemini().json()["usageMetadata"]["promptTokenCount"]
    told = gemini(systemInstruction={"parts": [{"text": "Be brief."}, {"text": "Be kind."}]}).json()["usageMetadata"]
    assert told["promptTokenCount"] > plain


def test_media_are_acknowledged(gemini: Ask) -> None:
    """The answer names type and size of each medium, and usage counts them by modality."""
    audio = {"inlineData": {"mimeType": "audio/wav", "data": "AAAA"}}
    body = gemini(
        [
            user(
                {"inlineData": PNG},
                audio,
                {"fileData": {"fileUri": "https://a.example/b.pdf", "mimeType": "application/pdf"}},
            )
        ]
    ).json()
    text = body["candidates"][0]["content"]["parts"][0]["text"]
    assert "image (image/png, 4 bytes)" in text
    assert "audio (audio/wav, 3 bytes)" in text
    assert "pdf (application/pdf, by URL)" in text
    usage = body["usageMetadata"]
    assert [entry["modality"] for entry in usage["promptTokensDetails"]] == ["TEXT", "IMAGE", "AUDIO", "DOCUMENT"]
    assert sum(entry["tokenCount"] for entry in usage["promptTokensDetails"]) == usage["promptTokenCount"]
