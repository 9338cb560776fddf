"""W3C Trace Context: what a client's headers say, and what is refused of them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.trace_context import TraceContext, trace_context

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
PARENT = f"00-{TRACE}-{SPAN}-01"


def read(*headers: tuple[str, str]) -> TraceContext | None:
    return trace_context([(name.encode(), value.encode("latin-1")) for name, value in headers])


def test_a_valid_context_comes_back_as_it_was_sent() -> None:
    """Ids, flag and state are read, and written as the same headers."""
    found = read(("traceparent", PARENT), ("tracestate", "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"))
    assert found == TraceContext(TRACE, SPAN, sampled=True, state="rojo=00f067aa0ba902b7,congo=t61rcWkgMzE")
    assert found.headers() == {"traceparent": PARENT, "tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"}
    assert read(("traceparent", f"00-{TRACE}-{SPAN}-00")) == TraceContext(TRACE, SPAN, sampled=False)
    assert TraceContext(TRACE, SPAN, sampled=False).headers() == {"traceparent": f"00-{TRACE}-{SPAN}-00"}


@pytest.mark.parametrize(
    "parent",
    [
        "",
        "nonsense",
        f"00-{TRACE}-{SPAN}",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE[:-1]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-1",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{TRACE}-{SPAN}-01-",
        f"ff-{TRACE}-{SPAN}-01",
        f"01-{TRACE}-{SPAN}-01more",
        f"0x-{TRACE}-{SPAN}-01",
    ],
)
def test_an_invalid_traceparent_is_ignored(parent: str) -> None:
    """Anything but the format of version 00 is as no header: https://www.w3.org/TR/trace-context/#traceparent-header"""
    assert read(("traceparent", parent), ("tracestate", "rojo=1")) is None


def test_a_repeated_traceparent_is_ignored() -> None:
    """Two parents are no parent; without one, a state alone means nothing."""
    assert read(("traceparent", PARENT), ("traceparent", PARENT)) is None
    assert read(("tracestate", "rojo=1")) is None
    assert read() is None


@pytest.mark.parametrize(
    "parent", [f"cc-{TRACE}-{SPAN}-01", f"01-{TRACE}-{SPAN}-01-what-the-future-has", f" {PARENT}\t"]
)
def test_a_later_version_is_read_as_far_as_it_is_known(parent: str) -> None:
    """A later version has the same first four fields (section 3.2.4); space around the value is ignored."""
    assert read(("traceparent", parent)) == TraceContext(TRACE, SPAN, sampled=True)


def test_only_the_sampled_flag_is_passed_on() -> None:
    """Other flags have no meaning here, and unknown ones are sent as zero."""
    found = read(("traceparent", f"00-{TRACE}-{SPAN}-fd"))
    assert found is not None
    assert found.headers() == {"traceparent": PARENT}


@pytest.mark.parametrize(
    "state",
    [
        "rojo",
        "Rojo=1",
        "rojo=1,rojo=2",
        "rojo=a=b",
        "rojo=",
        "rojo=\x01",
        "rojo=\xe9",
        ",".join(f"k{number}=1" for number in range(33)),
        f"rojo={'x' * 600}",
    ],
)
def test_an_invalid_tracestate_is_left_out(state: str) -> None:
    """The trace goes on without it."""
    assert read(("traceparent", PARENT), ("tracestate", state)) == TraceContext(TRACE, SPAN, sampled=True)


def test_several_tracestates_are_one_list() -> None:
    """Their order is kept, and empty members are legal (section 3.3.1)."""
    found = read(("tracestate", "a=1"), ("traceparent", PARENT), ("tracestate", "b@c=2, ,d=x y"))
    assert found is not None
    assert found.state == "a=1,b@c=2, ,d=x y"
    assert read(("traceparent", PARENT), ("tracestate", "")) == TraceContext(TRACE, SPAN, sampled=True)


@given(parent=st.binary(max_size=80), state=st.binary(max_size=80))
def test_what_is_passed_on_can_stand_in_a_header(parent: bytes, state: bytes) -> None:
    """Whatever a client sends, what goes upstream is printable ASCII."""
    for first in (parent, PARENT.encode()):
        found = trace_context([(b"traceparent", first), (b"tracestate", state)])
        assert found is None or all(text.isascii() and text.isprintable() for text in found.headers().values())
