"""Content codings of a body, undone piece by piece: gzip and deflate. Others were not asked for and are refused."""

from __future__ import annotations

import zlib
from typing import Any

ACCEPTED = "gzip, deflate"


class CodingError(ValueError):
    """The body is not what its `Content-Encoding` says, or the coding was not asked for."""


class Decoder:
    """One coding. `feed` gives what became readable; data after the end of a gzip member starts the next member."""

    __slots__ = ("_first", "_name", "_zlib")

    def __init__(self, name: str) -> None:
        self._name = name
        self._zlib: Any = zlib.decompressobj(zlib.MAX_WBITS | 16 if name == "gzip" else zlib.MAX_WBITS)
        self._first = True

    def feed(self, data: bytes) -> bytes:
        out = []
        while data:
            try:
                out.append(self._zlib.decompress(data))
            except zlib.error as error:
                if self._name == "deflate" and self._first:  # some servers send it without the zlib header
                    self._first = False
                    self._zlib = zlib.decompressobj(-zlib.MAX_WBITS)
                    continue
                raise CodingError(f"the body is not {self._name}: {error}") from error
            self._first = False
            data = self._zlib.unused_data
            if self._zlib.eof:
                if self._name != "gzip" or data[:2] != b"\x1f\x8b":
                    break
                self._zlib = zlib.decompressobj(zlib.MAX_WBITS | 16)
        return b"".join(out)


def decoders(content_encoding: str) -> list[Decoder]:
    """The decoders for a `Content-Encoding` value, in the order to apply. Raises `CodingError` for others."""
    names = [name.strip().lower() for name in content_encoding.split(",")]
    names = [name.removeprefix("x-") for name in names if name not in ("", "identity")]
    for name in names:
        if name not in ("gzip", "deflate"):
            raise CodingError(f"content-encoding {name!r} was not asked for; asked for: {ACCEPTED}")
    return [Decoder(name) for name in reversed(names)]
