"""Maps a provider's `kind` to its class: built-in providers, then entry points of other packages."""

from __future__ import annotations

from collections.abc import Iterable
from importlib.metadata import EntryPoint, entry_points

from gateway.providers import PROVIDERS
from gateway.providers.base import Provider

PROVIDER_GROUP = "gateway.providers"


def provider_kinds(offered: Iterable[EntryPoint] | None = None) -> dict[str, type[Provider]]:
    """All provider classes by kind. `offered` are entry points (default: of the installed packages); built-in names win.

    Raises TypeError for an entry point that is not a Provider.
    """
    kinds: dict[str, type[Provider]] = {}
    for entry in entry_points(group=PROVIDER_GROUP) if offered is None else offered:
        kind = entry.load()
        if not (isinstance(kind, type) and issubclass(kind, Provider)):
            raise TypeError(f"the entry point {entry.name!r} in {PROVIDER_GROUP!r} is not a Provider class: {kind!r}")
        kinds[entry.name] = kind
    return {**kinds, **PROVIDERS}
