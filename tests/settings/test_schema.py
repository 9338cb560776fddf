"""The shape of the YAML files."""

from __future__ import annotations

import pytest

from tests.settings.conftest import Problems


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('port: "8000"', "port: Input should be a valid integer"),
        ("port: true", "port: Input should be a valid integer"),
        ("port: 65536", "port: Input should be less than or equal to 65535"),
        ("durability: fast", "durability: Input should be 'normal' or 'full'"),
        ("tradeoffs: {cheap: 1.5}", "tradeoffs.cheap: Input should be less than or equal to 1"),
        ("tradeoffs: {Very Cheap: 0}", "tradeoffs.Very Cheap: String should match pattern"),
        ("timeouts: {connect: 600}", "timeouts.connect: Input should be less than 600"),
        ("timeouts: {total: 86401}", "timeouts.total: Input should be less than or equal to 86400"),
        ("keep_alive: 0", "keep_alive: Input should be greater than 0"),
        ("timeouts: {idle: .nan}", "timeouts.idle: Input should be"),
        ("max_attempts: 4", "max_attempts: Input should be less than or equal to 3"),
        ("limits: {body_bytes: 0}", "limits.body_bytes: Input should be greater than or equal to 1"),
        ("limits: {bodybytes: 1}", "limits.bodybytes: unknown key; did you mean 'body_bytes'?"),
        ("frobnicate: 1", "frobnicate: unknown key (known are host, port, "),
        ("allowed_hosts: a.lan", "allowed_hosts: Input should be a valid list"),
    ],
)
def test_bad_value_is_reported_with_line_and_place(problems_of: Problems, line: str, problem: str) -> None:
    """A value of another kind, out of bounds or under an unknown key is told with its line and its place."""
    (found,) = problems_of({"gateway.yaml": f"# first line\n{line}\n"})
    assert found.startswith(f"gateway.yaml:2: {problem}")
