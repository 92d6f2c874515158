"""A certificate for a fake server, made when it is asked for: an authority of its own, and what it vouches for.

Nothing of it is on the machine's list of trusted authorities: a client has to be given `ca_pem` (`verify=`,
`SSL_CERT_FILE`). The keys are elliptic, so making both takes a few milliseconds; they go with the server.
"""

from __future__ import annotations

import ssl
from dataclasses import dataclass

NAMES = ("localhost", "127.0.0.1", "::1")
"""What every certificate is good for, besides the host that the server was given."""


@dataclass(frozen=True, slots=True)
class Identity:
    """What a server shows (`context`), and what a client has to trust (`ca_pem`, a PEM file's bytes)."""

    context: ssl.SSLContext
    ca_pem: bytes | None


def identity(host: str, tls: ssl.SSLContext | bool | None) -> Identity | None:
    """The identity for `tls`: True: made here; a context: that one; None, False: no TLS.

    Raises `ImportError` where a certificate is to be made and trustme is not installed.
    """
    if isinstance(tls, ssl.SSLContext):
        return Identity(tls, None)
    return made(host) if tls else None


def made(host: str) -> Identity:
    """A fresh authority, and a context with a certificate for `host` and the names of the loopback."""
    try:
        import trustme  # 40 ms, and only TLS needs it
    except ImportError:
        raise ImportError("TLS needs a certificate, and trustme makes it; pip install 'inferneo[mock]'") from None
    names = dict.fromkeys(NAMES if host in ("0.0.0.0", "::", "") else (*NAMES, host))
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(*names).configure_cert(context)
    return Identity(context, authority.cert_pem.bytes())
