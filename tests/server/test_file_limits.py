"""The limit of open files at the start."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from gateway.server.file_limits import RESERVED, fitted, needed, raise_to
from gateway.settings.settings import Limits


@pytest.fixture
def low_limit() -> Iterator[int]:
    """This process with a soft limit below its hard one, as most shells begin."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    yield hard
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_raised_to_what_the_system_allows(low_limit: int) -> None:
    """The soft limit becomes the hard one; a second start finds it so."""
    allowed = None if low_limit == resource.RLIM_INFINITY else low_limit
    assert [raise_to(300), raise_to(300)] == [allowed, allowed]


class Bounded:
    """A system that says it has no bound, and has one."""

    RLIMIT_NOFILE = 7
    RLIM_INFINITY = -1

    def __init__(self, bound: int) -> None:
        self.bound = bound
        self.soft = 256

    def getrlimit(self, which: int) -> tuple[int, int]:
        return self.soft, self.RLIM_INFINITY

    def setrlimit(self, which: int, limits: tuple[int, int]) -> None:
        if not 0 <= limits[0] <= self.bound:
            raise ValueError("not allowed to raise maximum limit")
        self.soft = limits[0]


@pytest.mark.parametrize(("bound", "allowed"), [(10_240, 2_000), (1_000, 256)])
def test_unlimited_files_fall_back_to_what_is_needed(bound: int, allowed: int) -> None:
    """Where raising to no limit at all is refused, what is needed is asked for; where that is refused too, all stays as it is."""
    assert raise_to(2_000, Bounded(bound)) == allowed


def test_system_without_file_limits_is_accepted() -> None:
    """Where there is no such limit, there is none to keep to."""
    assert raise_to(2_000, None) is None


@pytest.mark.parametrize("files", [None, 10**6, needed(Limits())])
def test_enough_files_leave_the_limits_unchanged(files: int | None) -> None:
    """Where the files suffice the limits stay, without a word."""
    assert fitted(Limits(), files) == (Limits(), None)


@pytest.mark.parametrize("files", [0, RESERVED, RESERVED + 1, 256, 1024, needed(Limits()) - 1])
def test_too_few_files_lower_the_concurrency_with_a_warning(files: int) -> None:
    """Where they do not, fewer requests are taken at once, as many as fit, at least one; the warning says what to do."""
    limits, warning = fitted(Limits(), files)
    assert warning is not None
    assert f"{limits.in_flight} and {limits.queue} are used" in warning
    assert "ulimit" in warning
    assert 1 <= limits.in_flight < Limits().in_flight
    assert needed(limits) <= max(files, RESERVED + 2)
    assert needed(limits) > files - 3
