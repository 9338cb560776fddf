"""What all pages share."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from gateway.api.dashboard.rendering import seconds, tags, template


def test_values_are_escaped() -> None:
    """What stands in a page is text, whatever it is made of."""
    page = template("sign_in.html").render(demo=False, message="<script>alert(1)</script>", form_token='"><b>', to="/")
    assert "<script" not in page
    assert "<b>" not in page


def test_missing_template_value_is_an_error() -> None:
    """A page whose value was forgotten is a mistake, not a page with a hole."""
    with pytest.raises(UndefinedError):
        template("sign_in.html").render()


@pytest.mark.parametrize(
    ("duration", "text"), [(None, "unknown"), (0.0004, "< 1 ms"), (0.25, "250 ms"), (1.25, "1.2 s")], ids=str
)
def test_seconds_are_for_people(duration: float | None, text: str) -> None:
    """Milliseconds below a second; what is too short to tell says so."""
    assert seconds(duration) == text


def test_labels_of_a_request_are_words() -> None:
    """Names and values, and nothing where there are none or something else stands there."""
    assert tags({"team": "a", "job": "b"}) == "team: a, job: b"
    assert (tags(None), tags({})) == ("", "")
