"""Builds the providers and the HTTP transport that the settings name."""

from __future__ import annotations

from gateway.providers.base import Provider, SignatureCache, UpstreamEndpoint
from gateway.providers.plugins import provider_kinds
from gateway.resilience import deployment
from gateway.settings import Settings
from gateway.transport import Transport, tls_context
from gateway.transport.http1_client import Http1Transport


def build_transport(settings: Settings) -> Transport:
    """The HTTP client that `transport.engine` names."""
    tls = tls_context(settings.transport.ca_file)
    if settings.transport.engine == "httpx":
        from gateway.transport.httpx_client import HttpxTransport  # the default client starts without httpx2

        return HttpxTransport(tls=tls, proxies=settings.proxies)
    return Http1Transport(tls=tls, proxies=settings.proxies)


def build_providers(settings: Settings, signatures: SignatureCache | None = None) -> dict[str, Provider]:
    """One provider for each deployment (an enabled upstream and one of its keys), in the configuration's order."""
    kinds = provider_kinds()
    signatures = signatures if signatures is not None else SignatureCache()
    return {
        deployment(entry.name, number): kinds[entry.kind](
            UpstreamEndpoint(entry.base_url, key, headers=entry.headers, trace_context=entry.trace_context),
            name=entry.name,
            signatures=signatures,
        )
        for entry in settings.providers
        for number, key in enumerate([key.value for key in entry.keys] or [""], start=1)
    }
