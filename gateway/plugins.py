"""A name to a class: the built-in dialects first, then what other packages offer as entry points."""

from __future__ import annotations

from importlib.metadata import entry_points

from gateway.providers import PROVIDERS
from gateway.providers.base import Provider

PROVIDER_GROUP = "gateway.providers"


def provider_kinds() -> dict[str, type[Provider]]:
    """Every dialect by its kind; a built-in name cannot be taken over. Raises TypeError for an entry point that is no Provider."""
    kinds: dict[str, type[Provider]] = {}
    for entry in entry_points(group=PROVIDER_GROUP):
        kind = entry.load()
        if not (isinstance(kind, type) and issubclass(kind, Provider)):
            raise TypeError(f"the entry point {entry.name!r} in {PROVIDER_GROUP!r} is not a Provider class: {kind!r}")
        kinds[entry.name] = kind
    return {**kinds, **PROVIDERS}
