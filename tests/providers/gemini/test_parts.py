"""Pictures and sound of a Gemini answer, whole and streamed, and what they cost."""

from __future__ import annotations

import base64
import io
import wave
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from gateway.catalog import cost
from gateway.catalog.packaged import load_prices
from gateway.providers.gemini.parts import audio_of, image_of, unsupported_kind
from gateway.providers.gemini.signatures import SENTINEL
from tests.providers.gemini.asking import answered, body_sent, check_answer, gemini, said, sent, streamed, wire

DRAWS, TALKS = "gemini-3.1-flash-image", "gemini-2.5-flash-preview-tts"
NOW = datetime(2026, 11, 22, tzinfo=UTC)
PNG = "iVBORw0KGgo="
PICTURE: dict[str, Any] = {"inlineData": {"mimeType": "image/png", "data": PNG}}
URL = f"data:image/png;base64,{PNG}"
IMAGE = {"type": "image_url", "image_url": {"url": URL}}
PCM = b"\x01\x00\x02\x00"
SOUND: dict[str, Any] = {
    "inlineData": {"mimeType": "audio/L16;codec=pcm;rate=16000", "data": base64.b64encode(PCM).decode()}
}
USAGE: dict[str, Any] = {"promptTokenCount": 10, "candidatesTokenCount": 1_300, "totalTokenCount": 1_310}
DRAWN = {**USAGE, "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1_290}]}


def message(body: Any, **asked: Any) -> Any:
    check_answer(body)
    return answered(body, model=DRAWS, **asked).choices[0]["message"]


def deltas(*events: Any) -> list[Any]:
    provider = gemini()
    chunks = streamed([wire(events)], by=provider, to=sent(DRAWS, by=provider, stream=True))
    return [choice["delta"] for chunk in chunks for choice in chunk.choices]


def test_picture_without_text_is_an_answer() -> None:
    """A picture without text is an answer: it stands in `images`, as OpenRouter's do."""
    assert message(said(PICTURE)) == {"role": "assistant", "content": "", "refusal": None, "images": [IMAGE]}


def test_pictures_keep_their_order_between_texts() -> None:
    """Texts are joined, pictures keep their order; one that Google only points to is pointed to."""
    file = {"fileData": {"mimeType": "image/jpeg", "fileUri": "https://files.test/1"}}
    made = message(said({"text": "one "}, PICTURE, {"text": "two"}, file))
    assert made["content"] == "one two"
    assert [image["image_url"]["url"] for image in made["images"]] == [URL, "https://files.test/1"]


def test_streamed_pictures_are_counted() -> None:
    """Each picture of a stream has its own index, or clients that add up deltas would join their URLs."""
    first, second, _ = deltas(said(PICTURE, finish=None), said(PICTURE))
    assert first == {"role": "assistant", "images": [{"index": 0, **IMAGE}]}
    assert second == {"images": [{"index": 1, **IMAGE}]}


def test_a_signed_picture_comes_back_signed() -> None:
    """A picture's signature travels with it, and returns to the model with the picture; without one there is the sentinel."""
    (image,) = message(said({**PICTURE, "thoughtSignature": "U0lH"}))["images"]
    assert image["extra_content"] == {"google": {"thought_signature": "U0lH"}}
    history = [
        {"role": "user", "content": "Draw"},
        {"role": "assistant", "content": "Here", "images": [image, IMAGE]},
        {"role": "user", "content": "Bluer"},
    ]
    parts = body_sent(DRAWS, messages=history)["contents"][1]["parts"]
    assert parts == [
        {"text": "Here"},
        {**PICTURE, "thoughtSignature": "U0lH"},
        {**PICTURE, "thoughtSignature": SENTINEL},
    ]
    assert body_sent("gemini-2.5-flash", messages=history)["contents"][1]["parts"][2] == PICTURE


def test_picture_alone_is_a_message_of_the_history() -> None:
    """A message of nothing but a picture is a message; entries that are none are refused with their place."""
    history = [{"role": "user", "content": "Draw"}, {"role": "assistant", "content": None, "images": [IMAGE]}]
    assert body_sent("gemini-2.5-flash-image", messages=history)["contents"][1]["parts"] == [PICTURE]


@pytest.mark.parametrize(("form", "head"), [("pcm16", b""), ("wav", b"RIFF")])
def test_sound_is_raw_or_a_wav_file_as_asked(form: str, head: bytes) -> None:
    """Sound is `audio` as OpenAI has it: raw, or a WAV file with the answer's sampling rate."""
    body = {**said(SOUND, SOUND), "responseId": "r1"}
    completion = answered(body, model=TALKS, modalities=["audio"], audio={"voice": "Kore", "format": form})
    audio = completion.choices[0]["message"]["audio"]
    data = base64.b64decode(audio.pop("data"))
    assert audio == {"id": "audio_r1_0", "transcript": "", "expires_at": 0}
    assert data.startswith(head)
    assert data.endswith(PCM * 2)
    if head:
        with wave.open(io.BytesIO(data)) as file:
            assert (file.getframerate(), file.getsampwidth(), file.getnchannels(), file.getnframes()) == (
                16_000,
                2,
                1,
                4,
            )


def test_sound_without_a_rate_or_data() -> None:
    """A rate that is not told is Gemini's usual one; what is no base64 is no sound but does no harm."""
    odd: list[Any] = [
        {"inlineData": {"mimeType": "audio/pcm", "data": SOUND["inlineData"]["data"]}},
        {"inlineData": {"mimeType": "audio/pcm", "data": "%%%"}},
        {"inlineData": {"mimeType": "audio/pcm", "data": "AAA"}},
    ]
    provider = gemini()
    asked = sent(TALKS, by=provider, audio={"voice": "Kore", "format": "wav"})
    audio = provider.parse_response(said(*odd), asked).choices[0]["message"]["audio"]
    with wave.open(io.BytesIO(base64.b64decode(audio["data"]))) as file:
        assert (file.getframerate(), file.getnframes()) == (24_000, 2)


def test_streamed_sound_is_named_once() -> None:
    """Clients join the strings of deltas, so the id comes with the first piece alone."""
    first, second, _ = deltas(said(SOUND, finish=None), said(SOUND))
    assert first["audio"].keys() == {"id", "data", "transcript", "expires_at"}
    assert second == {"audio": {"data": SOUND["inlineData"]["data"]}}


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({**PICTURE, "thought": True}, "thought inlineData image"),
        ({"inlineData": {"mimeType": "video/mp4", "data": "AAAA"}}, "inlineData video"),
        ({"inlineData": {"mimeType": "image/png"}}, "inlineData image"),
        ({"inlineData": "x"}, "inlineData unknown"),
        ({"fileData": {"mimeType": "image/png", "fileUri": ""}}, "fileData image"),
        ({"executableCode": {"code": "1"}}, "executableCode"),
        ({"codeExecutionResult": {"outcome": "OUTCOME_OK"}}, "codeExecutionResult"),
        ({"toolCall": {"id": "1"}}, "toolCall"),
        ({"inventedPart": 1, "thoughtSignature": "U0lH"}, "inventedPart"),
    ],
)
def test_parts_without_a_place_are_named(part: Any, kind: str) -> None:
    """What OpenAI's shape has no place for is named as dropped, whole and streamed, never left out silently."""
    body = said({"text": "a"}, part)
    assert answered(body).dropped == [kind]
    provider = gemini()
    assert [kind for chunk in streamed([wire([body])], by=provider) for kind in chunk.dropped] == [kind]


@pytest.mark.parametrize("part", [{"text": ""}, {"thoughtSignature": "U0lH"}, {"functionCall": {"name": "f"}}, {}])
def test_parts_with_a_place_are_not_named(part: Any) -> None:
    """Text, calls and bare signatures are read."""
    assert unsupported_kind(part) is None
    assert image_of(part) is None
    assert audio_of(part) is None


@pytest.mark.parametrize(
    ("model", "price"),
    [
        ("gemini-2.5-flash-image", "30"),
        ("gemini-3-pro-image-preview", "120"),
        ("gemini-3.1-flash-image", "60"),
        ("gemini-3.1-flash-lite-image", "30"),
        ("gemini-nano-banana-2.1", "30"),
    ],
)
def test_pictures_cost_what_pictures_cost(model: str, price: str) -> None:
    """Every image model of the snapshot charges a picture's tokens at its own rate, not at that of text."""
    usage = answered({**said(PICTURE), "usageMetadata": DRAWN}, model=model).usage
    rates = load_prices().price("gemini", model, NOW)
    assert usage is not None
    assert rates is not None
    assert (usage.completion_image_tokens, usage.estimated) == (1_290, False)
    expected = 10 * rates.input.base + 10 * rates.output.base + 1_290 * Decimal(price)
    assert cost(usage, rates) == expected / 1_000_000


def test_pictures_that_usage_does_not_tell_apart() -> None:
    """Where Google does not say how many tokens the picture took, all of the answer's count as such, as an estimate."""
    usage = answered({**said(PICTURE), "usageMetadata": USAGE}).usage
    assert usage is not None
    assert (usage.completion_image_tokens, usage.estimated) == (1_300, True)
    provider = gemini()
    body = {**said(PICTURE), "usageMetadata": USAGE}
    assert next(chunk.usage for chunk in streamed([wire([body])], by=provider)) == usage


def test_speech_without_a_rate_has_no_known_cost() -> None:
    """Speech of a model whose rate for it is not in the table has no known cost; it is not charged as text."""
    details = [{"modality": "AUDIO", "tokenCount": 1_300}]
    usage = answered({**said(SOUND), "usageMetadata": {**USAGE, "candidatesTokensDetails": details}}).usage
    assert usage is not None
    assert usage.completion_audio_tokens == 1_300
    assert cost(usage, load_prices().price("gemini", "gemini-2.5-flash", NOW)) is None
    assert usage.openai()["completion_tokens_details"] == {"reasoning_tokens": 0, "audio_tokens": 1_300}
