"""Virtual keys for gateways under test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import httpx2

from gateway.accounts.virtual_keys import VirtualKey, digest_of
from gateway.app import Gateway
from gateway.store import InsertVirtualKey
from tests.conftest import GatewayUnderTest


def issue(gateway: GatewayUnderTest, name: str = "tenant", **limits: Any) -> str:
    """A key that works at once; its id is `key_<name>`. `limits` are those of VirtualKey."""
    secret = f"gw-{name}-of-the-tests"
    made = datetime(2026, 1, 1, tzinfo=UTC)
    key = VirtualKey(id=f"key_{name}", name=name, digest=digest_of(secret), last4="ests", created=made, **limits)
    gateway.store.submit(InsertVirtualKey(key)).result()
    inner: Gateway = gateway.app.state.gateway
    inner.services.key_cache.refresh()
    return secret


def ask_as(gateway: GatewayUnderTest, key: str, model: str = "auto", **body: Any) -> httpx2.Response:
    """One chat completion with a key."""
    asked = {"model": model, "messages": [{"role": "user", "content": "2+2?"}], **body}
    return gateway.client.post("/v1/chat/completions", json=asked, headers={"authorization": f"Bearer {key}"})
