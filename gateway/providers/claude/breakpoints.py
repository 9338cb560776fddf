"""Enforces the API's rules for cache breakpoints on a Messages body.

https://platform.claude.com/docs/en/build-with-claude/prompt-caching: at most four breakpoints, including the automatic
one at the top of the request; breakpoints with a lifetime of one hour come before those of five minutes. A violation is a 400.
"""

from __future__ import annotations

from typing import Any

MAX_BREAKPOINTS = 4


def limit_breakpoints(body: dict[str, Any]) -> None:
    """Keep the last four breakpoints, in the API's order: tools, system, messages, the top of the request.

    The last ones mark the longest prefixes, which contain the shorter ones. The automatic breakpoint is dropped where the last
    block has its own, because both mark the same place. A one-hour breakpoint after a five-minute one becomes five minutes.
    """
    groups = (body.get("tools", ()), body.get("system", ()), *(turn["content"] for turn in body["messages"]))
    marked = [block for group in groups for block in group if "cache_control" in block]
    if "cache_control" in body:
        if "cache_control" in body["messages"][-1]["content"][-1]:
            del body["cache_control"]
        else:
            marked.append(body)
    for block in marked[:-MAX_BREAKPOINTS]:
        del block["cache_control"]
    short = False
    for block in marked[-MAX_BREAKPOINTS:]:
        short = short or block["cache_control"].get("ttl", "5m") == "5m"
        if short:
            block["cache_control"] = {name: value for name, value in block["cache_control"].items() if value != "1h"}
