"""Finds the session id in clients' own headers and fields, for requests without `routing.session_id`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from hashlib import blake2b

import orjson

from gateway.completion import ChatRequest, Json

# opencode: x-session-id, x-session-affinity; Claude Code: x-claude-code-session-id; Codex: session-id.
_CLAUDE_CODE = b"x-claude-code-session-id"
SESSION_HEADERS = (b"x-session-id", _CLAUDE_CODE, b"session-id", b"x-session-affinity")
# Claude Code: an id for each subagent. Codex: the kind of a subagent.
AGENT_HEADERS = (b"x-claude-code-agent-id", b"x-openai-subagent")
_THREAD_HEADER = b"thread-id"  # Codex: the thread id of a subagent differs from the session id

_PLAIN_ID = re.compile(r"[!-~]{1,128}")
_CLAUDE_CODE_USER = re.compile(r"user_.*_session_(?P<session>[0-9A-Za-z-]{8,64})")


def with_client_session(request: ChatRequest, headers: Mapping[bytes, bytes]) -> ChatRequest:
    """The request with the session and agent ids of the client's headers or fields, where `routing` has none.

    Precedence: `routing.session_id`, a session header, `prompt_cache_key`, `metadata.user_id` of Claude Code. Long ids and
    ids with characters other than printable ASCII are hashed. Subagents of Claude Code share its session without an id of their
    own in some versions, so its conversations are told apart by their beginning, as those with one `prompt_cache_key` are.
    """
    hints, body = request.hints, request.body if request.native is None else request.native.body
    session, shared = hints.session_id, False
    if session is None:
        session = _first_header(headers, SESSION_HEADERS)
        shared = session is not None and _first_header(headers, (b"x-session-id",)) is None and _CLAUDE_CODE in headers
    if session is None:
        session = _prompt_cache_key(body) or _claude_code_session(body)
        shared = session is not None
    agent = hints.agent_id or _first_header(headers, AGENT_HEADERS) or _codex_subagent(headers)
    if session is hints.session_id and agent is hints.agent_id:
        return request
    return request._replace(hints=replace(hints, session_id=session, agent_id=agent, shared_session=shared))


def _first_header(headers: Mapping[bytes, bytes], names: tuple[bytes, ...]) -> str | None:
    for name in names:
        if (value := headers.get(name)) and (normalized := _normalize_id(value.decode("latin-1").strip())):
            return normalized
    return None


def _codex_subagent(headers: Mapping[bytes, bytes]) -> str | None:
    """The thread of a Codex subagent; the main thread has the session's own id."""
    session = headers.get(b"session-id")
    thread = headers.get(_THREAD_HEADER)
    return _first_header(headers, (_THREAD_HEADER,)) if session and thread and thread != session else None


def _prompt_cache_key(body: Json) -> str | None:
    key = body.get("prompt_cache_key")
    return _normalize_id(key) if isinstance(key, str) else None


def _claude_code_session(body: Json) -> str | None:
    """The session in the `metadata.user_id` of Claude Code: a JSON object, in older versions `user_..._session_<id>`."""
    metadata = body.get("metadata")
    user = metadata.get("user_id") if isinstance(metadata, dict) else None
    if not isinstance(user, str):
        return None
    if (match := _CLAUDE_CODE_USER.fullmatch(user)) is not None:
        return match["session"]
    if not user.startswith("{"):
        return None
    try:
        parsed = orjson.loads(user)
    except orjson.JSONDecodeError:
        return None
    session = parsed.get("session_id")
    return _normalize_id(session) if isinstance(session, str) else None


def _normalize_id(text: str) -> str | None:
    """The id itself where it is short printable ASCII, else a hash; None for an empty one."""
    if not text or _PLAIN_ID.fullmatch(text):
        return text or None
    return f"h-{blake2b(text.encode(errors='replace'), digest_size=16).hexdigest()}"
