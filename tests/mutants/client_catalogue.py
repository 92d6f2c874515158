"""All wrong clients; no two have the same name."""

from __future__ import annotations

from . import clients, narrow_clients
from .wrong_client import WrongClient

CLIENTS: tuple[WrongClient, ...] = (*clients.CLIENTS, *narrow_clients.CLIENTS)
