"""The framing of a response on a WebSocket (RFC 6455, 5.2): one text message, one frame, per piece of a body. Pure.

What a plan says above a connection holds here too: waits, marks, endings. Heads have no place on an open socket, and
`Raw` bytes go out below the frames, as they are.
"""

from __future__ import annotations

from mockserver.lower import Framer
from mockserver.plan import Head

SOCKET = "websocket"
"""The `http_version` of a request that is a message on a socket."""


def text_frame(data: bytes) -> bytes:
    """One unmasked text frame; the bytes are not checked, so that faults may send what is no UTF-8."""
    size = len(data)
    if size < 126:
        return b"\x81%c%b" % (size, data)
    if size < 1 << 16:
        return b"\x81\x7e%b%b" % (size.to_bytes(2, "big"), data)
    return b"\x81\x7f%b%b" % (size.to_bytes(8, "big"), data)


class Frames(Framer):
    """Frames the bodies of one answer."""

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__("POST", "1.1", True, b"")

    def head(self, head: Head) -> bytes:
        """Nothing."""
        return b""

    def chunks(self, head: Head) -> bool:
        """Never: there are no chunks here."""
        return False

    def body(self, data: bytes) -> bytes:
        """A text frame; an empty piece is none."""
        return text_frame(data) if data else b""

    def end(self) -> bytes:
        """Nothing: the socket stays open."""
        return b""
