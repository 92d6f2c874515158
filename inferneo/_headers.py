"""Reply headers and facts as plain values: they pickle, and live on after the connection is gone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass


class Headers(Mapping[str, str]):
    """Headers by lower-case name; looked up in any case; repeated ones joined by `", "` (RFC 9110 5.2)."""

    __slots__ = ("_values",)

    def __init__(self, pairs: Iterable[tuple[bytes, bytes]] = ()) -> None:
        values: dict[str, str] = {}
        for name, value in pairs:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            values[key] = f"{values[key]}, {text}" if key in values else text
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __repr__(self) -> str:
        return f"Headers({self._values!r})"


@dataclass(frozen=True, slots=True)
class Http:
    """How an answer came: status, headers, the server's request id, seconds until the head over all attempts."""

    status: int
    headers: Headers
    request_id: str | None
    elapsed: float
    attempts: int


def request_id(headers: Mapping[str, str]) -> str | None:
    """The server's id of the request, from `x-request-id` or `request-id`."""
    return headers.get("x-request-id") or headers.get("request-id") or None
