"""Where the price list comes from."""

from __future__ import annotations

from pathlib import Path

import click
import pytest
import respx

from gateway.cli.price_source import ADDRESS, MAX_BYTES, price_list


def test_a_file_is_read(tmp_path: Path) -> None:
    """A path without a scheme is a file; one that is not there, or too large, ends the command."""
    file = tmp_path / "data.json"
    file.write_bytes(b"[]")
    assert price_list(str(file)) == b"[]"
    with file.open("wb") as grown:
        grown.truncate(MAX_BYTES + 1)
    with pytest.raises(click.ClickException, match="more than 16 MB"):
        price_list(str(file))
    with pytest.raises(click.ClickException, match="cannot be read: No such file"):
        price_list(str(tmp_path / "absent"))


def test_a_download_is_bounded(respx_mock: respx.MockRouter) -> None:
    """A list that is too large, or comes too slowly, is given up."""
    respx_mock.get(ADDRESS).respond(200, content=b"x" * (MAX_BYTES + 1))
    with pytest.raises(click.ClickException, match="more than 16 MB"):
        price_list(ADDRESS)
    respx_mock.get(ADDRESS).respond(200, content=b"[]")
    times = iter((0.0, 61.0))
    with pytest.raises(click.ClickException, match="longer than 60 s"):
        price_list(ADDRESS, clock=lambda: next(times))


@pytest.mark.parametrize("status", [301, 404, 500])
def test_another_status_is_told(respx_mock: respx.MockRouter, status: int) -> None:
    """Only a 200 is a list; a redirect is not followed."""
    respx_mock.get(ADDRESS).respond(status, headers={"location": "https://elsewhere.example/"})
    with pytest.raises(click.ClickException, match=f"status {status}"):
        price_list(ADDRESS)


@pytest.mark.parametrize("source", ["http://prices.example/data.json", "ftp://prices.example/x", "file:///etc/passwd"])
def test_addresses_are_encrypted(source: str) -> None:
    """Only https is accepted from another machine, because the prices decide what is charged and routed to."""
    with pytest.raises(click.UsageError, match="https"):
        price_list(source)


def test_an_address_that_does_not_answer_is_told() -> None:
    """A refused connection is a sentence, which says that a file can be named instead."""
    with pytest.raises(click.ClickException, match=r"cannot be reached.*--from"):
        price_list("http://127.0.0.1:9/data.json")
