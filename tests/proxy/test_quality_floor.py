"""The quality floor in the served gateway."""

from __future__ import annotations

from gateway.app import Gateway
from gateway.store import InsertOutcome, StoredOutcome
from tests.conftest import GatewayUnderTest, MakeGateway

OPUS = "claude/claude-opus-5-5"
FLASH = "gemini/gemini-3.8-flash"
CONFIG = f"baseline: {OPUS}\nquality_floor: 0.9\n"
HINTS = {"models": [OPUS, FLASH]}


def rate(gateway: GatewayUnderTest, name: str, *, pattern: str, quality: float, labels: int) -> None:
    provider, _, model = name.partition("/")
    for _ in range(labels):
        gateway.store.submit(InsertOutcome(StoredOutcome(provider, model, pattern, 0.0, quality=quality)))
    gateway.store.flush()


def refresh(gateway: GatewayUnderTest) -> None:
    served: Gateway = gateway.app.state.gateway
    served.runtime.refresh()


def test_the_baseline_answers_until_a_cheap_model_is_proven(make_gateway: MakeGateway) -> None:
    """First the baseline, with the missing labels in the reason; after enough good ratings the cheap model; after bad ones not."""
    gateway = make_gateway(config=CONFIG)
    first = gateway.ask("Hello", routing=HINTS).headers
    assert (first["x-gateway-model"], first["x-gateway-confidence"]) == ("claude-opus-5-5", "low")
    assert first["x-gateway-strategy"] == "hybrid"
    assert first["x-gateway-reason"].startswith(f"Quality floor 0.9: {FLASH} lacks about ")
    pattern = first["x-gateway-pattern"]
    for name in (OPUS, FLASH):
        rate(gateway, name, pattern=pattern, quality=0.9, labels=500)
    refresh(gateway)
    assert gateway.ask("Hello again", routing=HINTS).headers["x-gateway-model"] == "gemini-3.8-flash"
    rate(gateway, FLASH, pattern=pattern, quality=0.0, labels=60)
    refresh(gateway)
    demoted = gateway.ask("Hello", routing=HINTS)
    assert demoted.headers["x-gateway-model"] == "claude-opus-5-5"


def test_what_is_proven_survives_a_restart(make_gateway: MakeGateway) -> None:
    """A new process reads the ratings of the ledger before it is ready."""
    gateway = make_gateway(config=CONFIG)
    pattern = gateway.ask("Hello", routing=HINTS).headers["x-gateway-pattern"]
    for name in (OPUS, FLASH):
        rate(gateway, name, pattern=pattern, quality=0.9, labels=500)
    restarted = make_gateway(config=CONFIG)
    refresh(restarted)
    assert restarted.ask("Hello", routing=HINTS).headers["x-gateway-model"] == "gemini-3.8-flash"
