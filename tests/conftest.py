"""Fixtures that more than one test directory uses."""

from __future__ import annotations

import httpx2
import pytest

# respx and the SDKs import `httpx`; from here on that is httpx2, so that respx sees what the gateway sends.
httpx2.alias_httpx()
pytest_plugins = ["respx.plugin"]


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"
