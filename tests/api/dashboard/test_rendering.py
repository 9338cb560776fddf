"""What all pages share."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from gateway.api.dashboard.rendering import template


def test_values_are_escaped() -> None:
    """What stands in a page is text, whatever it is made of."""
    page = template("sign_in.html").render(demo=False, message="<script>alert(1)</script>", form_token='"><b>', to="/")
    assert "<script" not in page
    assert "<b>" not in page


def test_missing_template_value_is_an_error() -> None:
    """A page whose value was forgotten is a mistake, not a page with a hole."""
    with pytest.raises(UndefinedError):
        template("sign_in.html").render()
