"""Request ids."""

from __future__ import annotations

import re

from gateway.api.request_ids import RequestIds


def test_request_ids_are_unique() -> None:
    """Every id has the same form and none comes twice, also where new randomness is drawn."""
    new_id = RequestIds()
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch("req_[0-9a-f]{32}", each) for each in ids)
