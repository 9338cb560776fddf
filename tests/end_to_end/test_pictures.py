"""Pictures and sound from the vendor's wire to the official SDK, over real sockets, whole and streamed."""

from __future__ import annotations

import base64
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson
import pytest
import uvicorn
from openai import OpenAI
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from gateway.app import create_app
from gateway.server.server import uvicorn_options
from gateway.settings import load

PICTURE = base64.b64encode(bytes(range(256)) * 1_200).decode()  # 400 KB, which no single read of a socket brings
URL = f"data:image/png;base64,{PICTURE}"
SOUND = base64.b64encode(b"\x01\x00" * 500).decode()
DRAWS, TALKS = "gemini-3.1-flash-image", "gemini-2.5-flash-preview-tts"


@dataclass(slots=True)
class Vendor:
    """Gemini and OpenRouter as a server on loopback; `asked` are the bodies that came."""

    asked: list[Any] = field(default_factory=list)

    async def gemini(self, request: Request) -> Response:
        self.asked.append(await request.json())
        path = request.url.path
        if "tts" in path:
            kind, part = "AUDIO", {"inlineData": {"mimeType": "audio/L16;codec=pcm;rate=24000", "data": SOUND}}
        else:
            kind, part = "IMAGE", {"inlineData": {"mimeType": "image/png", "data": PICTURE}}
        usage = {
            "promptTokenCount": 10,
            "candidatesTokenCount": 1_120,
            "totalTokenCount": 1_130,
            "candidatesTokensDetails": [{"modality": kind, "tokenCount": 1_120}],
        }
        candidate = {"index": 0, "content": {"role": "model", "parts": [part]}, "finishReason": "STOP"}
        body = {"candidates": [candidate], "usageMetadata": usage, "responseId": "g1"}
        return _events(body) if "stream" in path else JSONResponse(body)

    async def openrouter(self, request: Request) -> Response:
        asked = await request.json()
        self.asked.append(asked)
        said = {
            "role": "assistant",
            "content": "",
            "images": [{"type": "image_url", "image_url": {"url": URL}, "index": 0}],
            "annotations": [
                {
                    "type": "url_citation",
                    "url_citation": {"url": "https://one.test", "title": "One", "start_index": 0, "end_index": 0},
                }
            ],
            "reasoning_details": [{"type": "reasoning.text", "text": "hm", "format": "unknown", "index": 0}],
        }
        usage = {"prompt_tokens": 10, "completion_tokens": 1_290, "total_tokens": 1_300, "cost": 0.0387}
        head = {"id": "gen-1", "created": 1, "model": "m"}
        member = "delta" if asked.get("stream") else "message"
        body = {**head, "choices": [{"index": 0, member: said, "finish_reason": "stop"}], "usage": usage}
        return _events(body, end=b"data: [DONE]\n\n") if asked.get("stream") else JSONResponse(body)


def _events(body: Any, *, end: bytes = b"") -> Response:
    return Response(b"data: " + orjson.dumps(body) + b"\r\n\r\n" + end, media_type="text/event-stream")


@contextmanager
def running(config: uvicorn.Config) -> Iterator[str]:
    """The URL of a server in a thread."""
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


@dataclass(frozen=True, slots=True)
class World:
    client: OpenAI
    vendor: Vendor
    db: Path

    def cost(self) -> float | None:
        """USD of the newest row."""
        with sqlite3.connect(self.db) as connection:
            (cost,) = connection.execute("SELECT actual_cost FROM routing_metrics ORDER BY id DESC").fetchone()
        return None if cost is None else float(cost)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    vendor = Vendor()
    routes = [
        Route("/v1beta/models/{method}", vendor.gemini, methods=["POST"]),
        Route("/or/chat/completions", vendor.openrouter, methods=["POST"]),
    ]
    with ExitStack() as stack:
        url = stack.enter_context(running(uvicorn.Config(Starlette(routes=routes), port=0, log_level="error")))
        db = tmp_path_factory.mktemp("pictures") / "gateway.db"
        settings = load({
            "GEMINI_API_KEY": "simulated",
            "OPENROUTER_API_KEY": "simulated",
            "GEMINI_BASE_URL": url,
            "OPENROUTER_BASE_URL": f"{url}/or",
            "GATEWAY_DB": str(db),
            "GATEWAY_PORT": "0",
        })  # fmt: skip
        served = stack.enter_context(running(uvicorn.Config(create_app(settings), **uvicorn_options(settings))))
        yield World(OpenAI(base_url=f"{served}/v1", api_key="any", max_retries=0), vendor, db)


def draw(world: World, model: str, *, stream: bool) -> Any:
    """The message of a picture, as the SDK reads it or adds it up."""
    asked: Any = {
        "model": model,
        "messages": [{"role": "user", "content": "A cat"}],
        "extra_body": {"modalities": ["image", "text"], "image_config": {"aspect_ratio": "16:9"}},
    }
    if not stream:
        answer = world.client.chat.completions.create(**asked)
        assert answer.choices[0].finish_reason == "stop"
        return answer.choices[0].message.to_dict()
    with world.client.chat.completions.stream(**asked) as events:
        for _ in events:
            continue
        return events.get_final_completion().choices[0].message.to_dict()


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_picture_of_gemini_reaches_the_client_with_its_cost(world: World, stream: bool) -> None:
    """A picture is asked for in Gemini's words, reaches the client in OpenRouter's member, and costs what pictures cost."""
    message = draw(world, f"gemini/{DRAWS}", stream=stream)
    assert [image["image_url"]["url"] for image in message["images"]] == [URL]
    config = world.vendor.asked[-1]["generationConfig"]
    assert config == {"responseModalities": ["IMAGE", "TEXT"], "imageConfig": {"aspectRatio": "16:9"}}
    # USD per million tokens: 0.5 for the prompt, 60 for a picture; as text it would have been 3.
    assert world.cost() == pytest.approx((10 * 0.5 + 1_120 * 60) / 1e6)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
def test_picture_of_openrouter_passes_whole(world: World, stream: bool) -> None:
    """Pictures, sources and reasoning of OpenRouter pass whole; its own cost counts."""
    message = draw(world, "openrouter/google/gemini-2.5-flash-image", stream=stream)
    assert [image["image_url"]["url"] for image in message["images"]] == [URL]
    assert message["annotations"][0]["url_citation"]["url"] == "https://one.test"
    assert message["reasoning_details"][0]["text"] == "hm"
    asked = world.vendor.asked[-1]
    assert (asked["modalities"], asked["image_config"]) == (["image", "text"], {"aspect_ratio": "16:9"})
    assert world.cost() == pytest.approx(0.0387)


def test_speech_is_a_wav_file_without_a_known_cost(world: World) -> None:
    """Speech is a WAV file in `message.audio`, read by the SDK's own type; without a known rate it has no cost."""
    answer = world.client.chat.completions.create(
        model=f"gemini/{TALKS}",
        messages=[{"role": "user", "content": "Say hello"}],
        modalities=["text", "audio"],
        audio={"voice": "Kore", "format": "wav"},
    )
    audio = answer.choices[0].message.audio
    assert audio is not None
    assert base64.b64decode(audio.data)[:4] == b"RIFF"
    assert world.vendor.asked[-1]["generationConfig"]["responseModalities"] == ["AUDIO"]
    assert world.cost() is None


def test_speech_streams_as_raw_sound(world: World) -> None:
    """Raw sound can be streamed."""
    stream = world.client.chat.completions.create(
        model=f"gemini/{TALKS}",
        messages=[{"role": "user", "content": "Say hello"}],
        modalities=["text", "audio"],
        audio={"voice": "Kore", "format": "pcm16"},
        stream=True,
    )
    pieces = [chunk.choices[0].delta.to_dict().get("audio") for chunk in stream]
    assert [piece["data"] for piece in pieces if isinstance(piece, dict)] == [SOUND]


def test_echoed_picture_reaches_the_model_again(world: World) -> None:
    """A client that sends the SDK's message back shows the model its own picture again."""
    message = draw(world, f"gemini/{DRAWS}", stream=False)
    history: Any = [{"role": "user", "content": "A cat"}, message, {"role": "user", "content": "Bluer"}]
    world.client.chat.completions.create(model=f"gemini/{DRAWS}", messages=history)
    (part,) = world.vendor.asked[-1]["contents"][1]["parts"]
    assert part["inlineData"] == {"mimeType": "image/png", "data": PICTURE}
    assert part["thoughtSignature"]
