"""Start-up lines about keys: which are needed, where they come from, and how to serve again after keys were lost."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.app import lost_keys_of
from gateway.settings import Settings
from gateway.store import Store


def access_lines(settings: Settings, store: Store) -> Iterator[str]:
    """Start-up lines about the keys of the ledger, and about keys that were lost with an earlier one."""
    virtual = store.virtual_keys()
    lost = lost_keys_of(settings)
    closed = bool(virtual) or (lost is not None and lost.is_set)
    if virtual:
        yield f"virtual keys: {len(virtual)} in the ledger: clients need a key"
    stored = store.admin_key()
    if settings.admin_key is not None or settings.client_keys:
        yield f"admin key: {admin_source(settings)}"
    elif stored is not None:
        yield f"admin key: ...{stored.last4}, of the ledger"
    elif closed:
        yield "admin key: none: the admin routes are closed until `gateway keys admin` makes one or GATEWAY_ADMIN_KEY is set"
    else:
        yield "admin key: none: the admin routes are open to this machine"
    if lost is not None and lost.is_set and not (virtual or settings.client_keys):
        yield (
            f"warning: keys were lost with an earlier ledger ({lost.path}), so clients need a key and there is none. Make keys "
            "(`gateway keys create`), set GATEWAY_API_KEY, restore a copy of the ledger, or start with --accept-lost-keys to "
            "serve this machine without keys"
        )


def admin_source(settings: Settings) -> str:
    """Where the configured admin key comes from."""
    return "GATEWAY_ADMIN_KEY" if settings.admin_key is not None else "the first key of GATEWAY_API_KEY"


def accept_lost_keys(settings: Settings) -> bool:
    """Remove the marker of lost keys; returns whether there was one. Raises LedgerUnavailable."""
    lost = lost_keys_of(settings)
    return lost is not None and lost.clear()
