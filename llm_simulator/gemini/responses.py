"""Encodes Gemini's responses: one response, or the chunks of a stream."""

from __future__ import annotations

from typing import Any

from llm_simulator.answers import pieces
from llm_simulator.conversation import Finish, Reply
from llm_simulator.gemini.signatures import sign
from llm_simulator.seeded_random import SeededRandom
from llm_simulator.vendor import Body, Event, ParsedRequest

FINISH_REASONS: dict[Finish, str] = {
    "stop": "STOP",
    "stop_sequence": "STOP",
    "tools": "STOP",
    "length": "MAX_TOKENS",
    "context_window": "MAX_TOKENS",
    "refusal": "SAFETY",
    "blocked": "SAFETY",
    "recitation": "RECITATION",
    "malformed_call": "MALFORMED_FUNCTION_CALL",
    "pause_turn": "QUANTUM_FLUX",
    "unknown_finish": "QUANTUM_FLUX",
}
MODALITIES = {"image": "IMAGE", "audio": "AUDIO", "video": "VIDEO", "pdf": "DOCUMENT", "text": "TEXT"}
PROBABILITIES = ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")


def response(call: ParsedRequest, replies: list[Reply]) -> Body:
    if replies[0].finish == "blocked":
        return blocked(call, replies)
    candidates = [candidate(call, reply, index, parts(call, reply), final=True) for index, reply in enumerate(replies)]
    return {"candidates": candidates, **envelope(call, replies)}


def envelope(call: ParsedRequest, replies: list[Reply], *, final: bool = True) -> Body:
    return {
        "usageMetadata": usage(call, replies, final=final),
        "modelVersion": call.model,
        "responseId": SeededRandom("response", replies[0].key).token(22),
    }


def blocked(call: ParsedRequest, replies: list[Reply]) -> Body:
    """The response to a blocked prompt: no candidates."""
    empty = {**envelope(call, replies), "usageMetadata": usage(call, [], final=True)}
    return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, **empty}


def candidate(call: ParsedRequest, reply: Reply, index: int, content: list[Body], *, final: bool) -> Body:
    built: Body = {"content": {"parts": content, "role": "model"} if content else {"role": "model"}}
    if final:
        built["finishReason"] = FINISH_REASONS[reply.finish]
        if reply.finish == "malformed_call":
            built["finishMessage"] = "Malformed function call: print(default_api.f(x=))"
        if reply.finish == "refusal":
            built["safetyRatings"] = ratings()
        if call.options["logprobs"]:
            built |= {
                "avgLogprobs": -0.1,
                "logprobsResult": {"chosenCandidates": [{"token": "a", "tokenId": 1, "logProbability": -0.1}]},
            }
    return built | {"index": index}


def ratings() -> list[Body]:
    return [
        {
            "category": f"HARM_CATEGORY_{name}",
            "probability": "HIGH" if n == 3 else "NEGLIGIBLE",
            **({"blocked": True} if n == 3 else {}),
        }
        for n, name in enumerate(PROBABILITIES)
    ]


def parts(call: ParsedRequest, reply: Reply) -> list[Body]:
    """Thought summary, then text or calls. The first call is signed; a text has its signature at the end."""
    built: list[Body] = []
    signature = {"thoughtSignature": sign(reply.key)} if call.options["signs"] or reply.reasoning else {}
    if reply.reasoning and call.options["thoughts"]:
        built.append({"text": reply.reasoning, "thought": True})
    if call.unknown_block:
        built.append({"hologram": {"depth": 3}})
    if reply.text:
        built.append({"text": reply.text, **signature})
    for number, tool in enumerate(reply.calls):
        called: Body = {"name": tool.name, "args": tool.arguments}
        called |= {"id": tool.id[:8].lower()} if call.options["call_ids"] else {}
        built.append({"functionCall": called, **(signature if number == 0 else {})})
    return built


def usage(call: ParsedRequest, replies: list[Reply], *, final: bool) -> Body:
    tokens = call.tokens
    written = sum(reply.text_tokens for reply in replies)
    thinking_tokens = sum(reply.reasoning_tokens for reply in replies)
    details = [{"modality": "TEXT", "tokenCount": tokens.text}]
    details += [{"modality": MODALITIES[kind], "tokenCount": number} for kind, number in tokens.media.items()]
    built: dict[str, Any] = {"promptTokenCount": tokens.total}
    if tokens.cache_read:
        built["cachedContentTokenCount"] = tokens.cache_read
        built["cacheTokensDetails"] = [{"modality": "TEXT", "tokenCount": tokens.cache_read}]
    if final and written:
        built["candidatesTokenCount"] = written
    if thinking_tokens:
        built["thoughtsTokenCount"] = thinking_tokens
    built["totalTokenCount"] = tokens.total + thinking_tokens + (written if final else 0)
    built["promptTokensDetails"] = details
    return built | {"serviceTier": call.options["tier"].lower()}


def events(call: ParsedRequest, replies: list[Reply]) -> list[Event]:
    """One chunk per piece; the last has the finish reason, often with an empty text and the signature."""
    if replies[0].finish == "blocked":
        return [Event(data=blocked(call, replies))]
    built: list[Event] = []
    for index, reply in enumerate(replies):
        steps = stream_parts(call, reply)
        running = envelope(call, replies, final=False)
        built += [
            Event(data={"candidates": [candidate(call, reply, index, [step], final=False)], **running})
            for step in steps[:-1]
        ]
        last = candidate(call, reply, index, steps[-1:], final=True)
        built.append(Event(data={"candidates": [last], **envelope(call, replies)}))
    return built


def stream_parts(call: ParsedRequest, reply: Reply) -> list[Body]:
    """Parts for a stream: texts in pieces, calls whole, the signature of a text on a last, empty part."""
    built: list[Body] = []
    for part in parts(call, reply):
        if not part.get("text"):
            built.append(part)
            continue
        thought_flag = {"thought": True} if part.get("thought") else {}
        built += [{"text": piece, **thought_flag} for piece in pieces(part["text"], size=40)]
        if "thoughtSignature" in part:
            built.append({"text": "", "thoughtSignature": part["thoughtSignature"]})
    return built
