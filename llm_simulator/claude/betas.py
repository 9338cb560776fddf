"""Members of a request that need a beta header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from llm_simulator.validators import Problem

# https://platform.claude.com/docs/en/build-with-claude/context-editing
MEMBERS: Mapping[str, str] = {"context_management": "context-management-2025-06-27"}


def without_beta_members(body: dict[str, Any], *, header: str) -> dict[str, Any]:
    """The request without the members of its betas, which change nothing here. Raises Problem for one without its beta."""
    betas = {name.strip() for name in header.split(",")}
    for member, beta in MEMBERS.items():
        if member in body and beta not in betas:
            raise Problem((member,), "extra", "Extra inputs are not permitted")
    return {name: value for name, value in body.items() if name not in MEMBERS}
