"""Members that need a beta header."""

from __future__ import annotations

import pytest

from llm_simulator.claude.betas import without_beta_members
from llm_simulator.validators import Problem

BODY = {"model": "m", "context_management": {"edits": []}}


@pytest.mark.parametrize("header", ["context-management-2025-06-27", "a-1, context-management-2025-06-27 ,b-2"])
def test_a_member_is_accepted_with_its_beta(header: str) -> None:
    """With the beta among the header's names, the member is accepted and changes nothing."""
    assert without_beta_members(BODY, header=header) == {"model": "m"}


@pytest.mark.parametrize("header", ["", "other-2025-01-01"])
def test_a_member_without_its_beta_is_refused(header: str) -> None:
    """Without the beta, the vendor's words for an unknown member come back."""
    with pytest.raises(Problem, match="Extra inputs are not permitted"):
        without_beta_members(BODY, header=header)
