"""Which conversation a request belongs to, and who holds it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from gateway.completion import ChatRequest, RoutingHints
from gateway.routing.sessions.affinity import TTL, WARM, PinnedModel, SessionAffinity

SYSTEM = {"role": "system", "content": "You are a pirate."}
HELLO = {"role": "user", "content": "Hello"}
FIRST = [SYSTEM, HELLO]
SECOND = [*FIRST, {"role": "assistant", "content": "Arr"}, {"role": "user", "content": "More"}]


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


def asking(messages: list[dict[str, Any]], session_id: str | None = None) -> ChatRequest:
    return ChatRequest(body={}, model="auto", messages=messages, hints=RoutingHints(session_id=session_id))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def sessions(clock: Clock) -> SessionAffinity:
    return SessionAffinity(clock, secret=b"secret", capacity=2)


def began(sessions: SessionAffinity, request: ChatRequest, *, key_id: str | None = None) -> None:
    sessions.record(sessions.lookup(request, key_id=key_id), provider="gemini", model="flash", tokens=100)


def test_a_conversation_is_known_by_its_beginning(sessions: SessionAffinity, clock: Clock) -> None:
    """Later turns find who answered the first; its key says nothing of the words."""
    began(sessions, asking(FIRST))
    clock.now = 10
    lookup = sessions.lookup(asking(SECOND), key_id=None)
    assert lookup.pinned == PinnedModel("gemini", "flash", 100, 0.0, messages=2, tentative=True)
    assert lookup.pinned.key == ("gemini", "flash")
    assert lookup.cached == 100
    assert lookup.session_id.startswith("s-")
    assert "irate" not in lookup.session_id
    assert lookup.session_id != SessionAffinity(clock, secret=b"another").lookup(asking(SECOND), key_id=None).session_id


OTHERS = [
    ([HELLO, *SECOND[2:]], None),
    ([SYSTEM, {"role": "user", "content": "Hi"}, *SECOND[2:]], None),
    ([SYSTEM, {"role": "user", "content": [{"type": "text", "text": "Hi"}]}, *SECOND[2:]], None),
    (SECOND, "key"),
    (FIRST, None),
]


@pytest.mark.parametrize(("messages", "key_id"), OTHERS)
def test_other_conversations(sessions: SessionAffinity, messages: list[dict[str, Any]], key_id: str | None) -> None:
    """Another beginning or another key is another conversation, and the same first turn begins a new one."""
    began(sessions, asking(FIRST))
    assert sessions.lookup(asking(messages), key_id=key_id).pinned is None


def test_a_named_session(sessions: SessionAffinity) -> None:
    """The client's own name holds from the first turn on, whatever is said."""
    began(sessions, asking(FIRST, "mine"))
    lookup = sessions.lookup(asking([HELLO], "mine"), key_id=None)
    assert lookup.session_id == "mine"
    assert lookup.pinned is not None


def test_a_shared_name_does_not_join_conversations(sessions: SessionAffinity) -> None:
    """Conversations with the same `prompt_cache_key` are told apart by how they begin; the row keeps the client's name."""
    hints = RoutingHints(session_id="app", shared_session=True)
    began(sessions, asking(FIRST)._replace(hints=hints))
    later = sessions.lookup(asking(SECOND)._replace(hints=hints), key_id=None)
    assert (later.session_id, later.pinned is not None) == ("app", True)
    other = [SYSTEM, {"role": "user", "content": "Hi"}, *SECOND[2:]]
    assert sessions.lookup(asking(other)._replace(hints=hints), key_id=None).pinned is None
    assert sessions.lookup(asking(FIRST)._replace(hints=hints), key_id=None).pinned is None


def test_a_subagent_has_a_conversation_of_its_own(sessions: SessionAffinity) -> None:
    """It neither finds nor takes the session of the agent that started it, named or not."""
    for session_id in ("mine", None):
        began(sessions, asking(FIRST, session_id))
        hints = RoutingHints(session_id=session_id, agent_id="reviewer")
        lookup = sessions.lookup(asking(SECOND)._replace(hints=hints), key_id=None)
        assert lookup.pinned is None
        assert lookup.session_id == f"{sessions.session_id(asking(SECOND, session_id))}/reviewer"


def test_time_passes(sessions: SessionAffinity, clock: Clock) -> None:
    """A cache is counted on for minutes, a session is remembered for an hour."""
    began(sessions, asking(FIRST))
    clock.now = WARM + 1
    lookup = sessions.lookup(asking(SECOND), key_id=None)
    assert lookup.pinned is not None
    assert lookup.cached == 0
    clock.now = TTL + 1
    assert sessions.lookup(asking(SECOND), key_id=None).pinned is None


def test_the_session_follows_who_answers(sessions: SessionAffinity) -> None:
    """Whoever answered last holds the session, whatever was planned."""
    began(sessions, asking(FIRST))
    sessions.record(sessions.lookup(asking(SECOND), key_id=None), provider="claude", model="haiku", tokens=200)
    held = sessions.lookup(asking(SECOND), key_id=None).pinned
    assert held is not None
    assert (held.key, held.tokens) == (("claude", "haiku"), 200)


def test_housekeeping_moves_nothing(sessions: SessionAffinity) -> None:
    """A call for a title finds the session, but who answers it does not get it."""
    began(sessions, asking(FIRST, "mine"))
    title = sessions.lookup(
        asking([{"role": "user", "content": "Generate a short title for this chat"}], "mine"), key_id=None
    )
    assert title.auxiliary
    assert title.pinned is not None
    sessions.record(title, provider="claude", model="haiku", tokens=1)
    assert sessions.lookup(asking(SECOND, "mine"), key_id=None).pinned == title.pinned


def test_an_open_tool_loop(sessions: SessionAffinity) -> None:
    """A tool's result as the newest message is noted."""
    loop: list[dict[str, Any]] = [HELLO, {"role": "assistant", "tool_calls": []}, {"role": "tool", "content": "4"}]
    assert sessions.lookup(asking(loop), key_id=None).open_loop
    assert not sessions.lookup(asking(SECOND), key_id=None).open_loop


def test_bounded(sessions: SessionAffinity) -> None:
    """The sessions that were quiet longest are forgotten when there are too many."""
    for name in ("a", "b", "a", "c"):
        began(sessions, asking(FIRST, name))
    known = [sessions.lookup(asking(FIRST, name), key_id=None).pinned is not None for name in "abc"]
    assert known == [True, False, True]


@pytest.mark.parametrize("messages", [[SYSTEM], [SYSTEM, {"role": "assistant", "content": "Arr"}, HELLO]])
def test_odd_beginnings(sessions: SessionAffinity, messages: list[dict[str, Any]]) -> None:
    """A conversation that does not begin with a user's turn has a key as well."""
    assert sessions.lookup(asking(messages), key_id=None).session_id.startswith("s-")


def test_cached_opening_gives_the_same_id() -> None:
    """The id of an opening is the same from the cache, after the cache forgot it, and in another instance with the secret."""
    sessions = SessionAffinity(lambda: 0.0, secret=b"s")
    first = sessions.session_id(asking(FIRST))

    assert sessions.session_id(asking(SECOND)) == first
    for number in range(1001):
        sessions.session_id(asking([{"role": "user", "content": f"{number}"}]))
    assert sessions.session_id(asking(FIRST)) == first
    assert SessionAffinity(lambda: 0.0, secret=b"s").session_id(asking(SECOND)) == first


def test_openings_of_equal_bytes_are_different_sessions(sessions: SessionAffinity) -> None:
    """A text of another script with the same bytes has the same hash in Python, and is another conversation."""
    texts = ("ab", "\u6261")
    assert hash(texts[0]) == hash(texts[1])

    assert len({sessions.session_id(asking([{"role": "user", "content": text}])) for text in texts}) == 2


def test_cache_of_openings_is_bounded_and_keeps_no_text() -> None:
    """However many conversations begin, a bounded number of hashes is kept, and no word of theirs."""
    sessions = SessionAffinity(lambda: 0.0, secret=b"s")
    for number in range(2000):
        sessions.session_id(asking([{"role": "user", "content": f"my very secret prompt {number}"}]))

    kept = repr(vars(sessions))
    assert kept.count("s-") <= 1000
    assert "secret prompt" not in kept


def test_an_opening_of_many_parts_is_read_to_a_bound() -> None:
    """What makes the key is a bounded beginning, however many parts the opening has; what follows says nothing more."""

    def opening(parts: int, last: str) -> ChatRequest:
        content = [*({"type": "text", "text": "x" * 900} for _ in range(parts)), {"type": "text", "text": last}]
        messages = [{"role": "user", "content": content}]
        return ChatRequest({"messages": messages}, model="auto", messages=messages)

    sessions = SessionAffinity(lambda: 0.0, secret=b"s")
    assert sessions.session_id(opening(20_000, "a")) == sessions.session_id(opening(20_000, "b"))
    assert sessions.session_id(opening(200, "a")) != sessions.session_id(opening(200, "b"))


TASK = [SYSTEM, {"role": "user", "content": "Rename the method and mend the tests that fail."}]


def test_trivial_opening_pins_no_model(sessions: SessionAffinity) -> None:
    """Who answered "Hello" is remembered for its cache, but only tentatively; the first turn with a task decides."""
    began(sessions, asking(FIRST, "mine"))
    greeted = sessions.lookup(asking(SECOND, "mine"), key_id=None)
    assert greeted.pinned is not None
    assert (greeted.pinned.tentative, greeted.cached) == (True, 100)
    sessions.record(greeted, provider="claude", model="haiku", tokens=200)
    pinned = sessions.lookup(asking(SECOND, "mine"), key_id=None).pinned
    assert pinned is not None
    assert (pinned.tentative, pinned.turns) == (False, 2)


def test_opening_with_a_task_pins_its_model(sessions: SessionAffinity) -> None:
    """A first turn that says what to do is a choice for the conversation."""
    began(sessions, asking(TASK, "mine"))
    pinned = sessions.lookup(asking(TASK, "mine"), key_id=None).pinned
    assert pinned is not None
    assert not pinned.tentative


def test_warm_up_of_one_token_pins_no_model(sessions: SessionAffinity) -> None:
    """A check of the quota, or a request that only fills a cache, is no turn of the conversation."""
    began(sessions, asking(TASK, "mine")._replace(body={"max_tokens": 1}))
    assert sessions.lookup(asking(TASK, "mine"), key_id=None).pinned is None


def long_history(turns: int, tokens: int) -> ChatRequest:
    history = [{"role": role, "content": "x"} for _ in range(turns) for role in ("assistant", "user")]
    return asking([*TASK, *history], "mine")._replace(prompt_tokens=tokens)


@pytest.mark.parametrize(("turns", "tokens"), [(9, 30_000), (2, 45_000)], ids=["fewer tokens", "fewer messages"])
def test_replaced_history_begins_anew(sessions: SessionAffinity, turns: int, tokens: int) -> None:
    """After compaction nothing of the prefix is in a cache: no model is pinned, so a change is free."""
    began(sessions, long_history(10, 50_000))
    assert sessions.lookup(long_history(11, 52_000), key_id=None).pinned is not None
    assert sessions.lookup(long_history(turns, tokens), key_id=None).pinned is None


def test_call_of_the_client_for_itself_does_not_look_like_compaction(sessions: SessionAffinity) -> None:
    """A short request for a title in the session of a long conversation leaves the pinned model as it is."""
    began(sessions, long_history(10, 50_000))
    title = asking([{"role": "user", "content": "Generate a short title for this chat"}], "mine")
    assert sessions.lookup(title._replace(prompt_tokens=50), key_id=None).pinned is not None


def test_tool_result_before_a_reminder_is_an_open_loop(sessions: SessionAffinity) -> None:
    """Claude Code puts reminders behind a tool's result; the loop is still open."""
    reminder = {"role": "user", "content": "<system-reminder>Mind the todo list.</system-reminder>"}
    called: dict[str, Any] = {"role": "assistant", "tool_calls": []}
    loop = [*TASK, called, {"role": "tool", "content": "4"}, reminder]
    assert sessions.lookup(asking(loop), key_id=None).open_loop


def test_billing_header_does_not_change_the_conversation(sessions: SessionAffinity) -> None:
    """Claude Code's first system block differs from request to request."""

    def opening(digest: str) -> ChatRequest:
        header = {"role": "system", "content": f"x-anthropic-billing-header: cc_version=2.1; cch={digest};"}
        return asking([header, *SECOND])

    assert sessions.session_id(opening("0a1")) == sessions.session_id(opening("9f2"))


def test_side_call_does_not_take_the_session(sessions: SessionAffinity) -> None:
    """A short call in the session of a long conversation has a conversation of its own until it goes on."""
    began(sessions, long_history(10, 50_000))
    side = asking([{"role": "user", "content": "Describe the picture that is attached."}], "mine")._replace(
        prompt_tokens=900
    )
    lookup = sessions.lookup(side, key_id=None)
    assert (lookup.session_id, lookup.pinned) == ("mine", None)
    sessions.record(lookup, provider="claude", model="haiku", tokens=900)
    main = sessions.lookup(long_history(11, 52_000), key_id=None).pinned
    assert main is not None
    assert main.key == ("gemini", "flash")


def test_fresh_context_that_goes_on_takes_the_session(sessions: SessionAffinity) -> None:
    """After compaction the second request finds the model that answered the summary, and the third has it as the session's."""
    began(sessions, long_history(10, 50_000))
    summary: list[dict[str, Any]] = [{"role": "user", "content": "This session is being continued: ..."}]
    fresh = sessions.lookup(asking(summary, "mine")._replace(prompt_tokens=9_000), key_id=None)
    sessions.record(fresh, provider="claude", model="haiku", tokens=9_000)
    summary += [
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "Go on with the tests, please, all of them."},
    ]
    second = sessions.lookup(asking(summary, "mine")._replace(prompt_tokens=9_500), key_id=None)
    assert second.pinned is not None
    assert second.pinned.key == ("claude", "haiku")
    sessions.record(second, provider="claude", model="haiku", tokens=9_500)
    third = sessions.lookup(asking(summary * 2, "mine")._replace(prompt_tokens=10_000), key_id=None)
    assert third.pinned is not None
    assert (third.pinned.key, third.pinned.turns) == (("claude", "haiku"), 2)
