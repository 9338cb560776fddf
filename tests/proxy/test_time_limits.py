"""Which limits a request and each of its calls have."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from gateway.catalog.catalog import Catalog, Model
from gateway.completion import ChatRequest
from gateway.dialects.chat_completions import parse_chat_request
from gateway.errors import InvalidRequest
from gateway.proxy.time_limits import RequestTimeLimits
from gateway.resilience import Candidate
from gateway.transport import TimeLimits

COMMON = TimeLimits(connect=1, first_byte=2, thinking=3, idle=4, total=50, stream=60)
THINKER = Candidate("gemini", "thinker")
PLAIN = Candidate("gemini", "plain")
UNLISTED = Candidate("local", "any")


def model(name: str, *abilities: str) -> Model:
    return Model("gemini", name, "simple", 1.0, 1.0, abilities=frozenset(abilities))


CATALOG = Catalog([model("thinker", "reasoning"), model("plain", "tools")])


def request(**body: Any) -> ChatRequest:
    return parse_chat_request(
        orjson.dumps({"model": "auto", "messages": [{"role": "user", "content": "Hi"}], "stream": True, **body})
    )


@pytest.mark.parametrize(
    ("candidate", "body", "seconds"),
    [
        (THINKER, {}, 3),
        (UNLISTED, {}, 3),
        (PLAIN, {}, 2),
        (THINKER, {"reasoning_effort": "high"}, 3),
        (THINKER, {"reasoning_effort": "none"}, 2),
        (THINKER, {"reasoning_effort": "minimal"}, 2),
        (THINKER, {"reasoning": {"enabled": False}}, 2),
    ],
)
def test_who_thinks(candidate: Candidate, body: dict[str, Any], seconds: float) -> None:
    """A model may think when it can, as far as is known, unless the client switches that off."""
    times = RequestTimeLimits(COMMON, CATALOG)
    assert times.timeouts(request(**body), candidate, 1000).first_byte == seconds


@pytest.mark.parametrize("waits", [{"service_tier": "flex"}, {"routing": {"latency": "background"}}])
def test_request_that_can_wait_has_the_time_of_thinking(waits: dict[str, Any]) -> None:
    """An answer in the flex tier may take as long as a model may think, and so may the whole request."""
    patient = COMMON._replace(thinking=900)
    times = RequestTimeLimits(patient, CATALOG, providers={"gemini": {"connect": 7}})
    whole = request(**waits, stream=False)
    assert times.deadline(whole, [PLAIN]) == 900
    assert times.timeouts(whole.with_service_tier("flex"), PLAIN, 800).total == 800
    assert times.timeouts(request(**waits).with_service_tier("flex"), PLAIN, 1000).first_byte == 900


def test_unknown_efforts() -> None:
    """An effort that there is not is the client's mistake, as everywhere."""
    times = RequestTimeLimits(COMMON, CATALOG)
    with pytest.raises(InvalidRequest):
        times.timeouts(request()._replace(body={"reasoning_effort": "immense"}), THINKER, 1000)


def test_whose_limits() -> None:
    """A model's own limits win over its provider's, those over the common ones; what a row leaves out is inherited."""
    times = RequestTimeLimits(
        COMMON, CATALOG, providers={"gemini": {"total": 7, "idle": 8}}, models={("gemini", "plain"): {"idle": 9}}
    )
    assert times.limits(PLAIN) == COMMON._replace(total=7, idle=9)
    assert times.limits(THINKER) == COMMON._replace(total=7, idle=8)
    assert times.limits(UNLISTED) == COMMON
    assert times.timeouts(request(stream=False), THINKER, 1000).total == 7


@pytest.mark.parametrize(("own", "deadline"), [({}, 50), ({"total": 7}, 50), ({"total": 70}, 70), ({"stream": 7}, 50)])
def test_the_deadline_of_a_whole_answer(own: dict[str, float], deadline: float) -> None:
    """A request has the common time for all its attempts, or a candidate's own where that is longer."""
    times = RequestTimeLimits(COMMON, CATALOG, providers={"gemini": own})
    assert times.deadline(request(stream=False), [PLAIN, UNLISTED]) == deadline


def test_the_deadline_of_a_stream() -> None:
    """A stream has a limit of its own."""
    assert RequestTimeLimits(COMMON, CATALOG).deadline(request(), [PLAIN]) == 60
    times = RequestTimeLimits(COMMON, CATALOG, models={PLAIN_KEY: {"stream": 90}})
    assert times.deadline(request(), [PLAIN]) == 90


PLAIN_KEY = (PLAIN.provider, PLAIN.model)
