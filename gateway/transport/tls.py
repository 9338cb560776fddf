"""Whom upstreams' certificates have to satisfy."""

from __future__ import annotations

import ssl
from pathlib import Path


def tls_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """The system's certificate authorities and those in `ca_file` (PEM); TLS 1.2 or newer. There is no way to switch checks off."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context
