"""What a gateway takes from outside."""

from __future__ import annotations

import re

from gateway.app.environment import Environment, RequestIds


def test_request_ids_are_unique() -> None:
    """Every id has the same form and none comes twice, also where new randomness is drawn."""
    new_id = RequestIds()
    ids = [new_id() for _ in range(1000)]
    assert len(set(ids)) == 1000
    assert all(re.fullmatch("req_[0-9a-f]{32}", each) for each in ids)


def test_secrets_are_random_without_a_seed() -> None:
    """Two processes hash conversations with different secrets; only a seed, which tests and benchmarks give, repeats one."""
    assert Environment().secret() != Environment().secret()
    assert Environment(seed=1).secret() == Environment(seed=1).secret() != Environment(seed=2).secret()
    assert {len(Environment().secret()), len(Environment(seed=1).secret())} == {32}
