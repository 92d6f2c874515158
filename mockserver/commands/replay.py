"""`inferneo-mock replay BUNDLE`: a failed test again: the same script and seed, the same requests, byte for byte.

The requests are sent one after the other, each on the connection it had; a response that its client had left is left
after as many bytes. Exit code 0: everything went as before; 1: something did not, and it is said what.
"""

from __future__ import annotations

import argparse
import base64
import json
import socket
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from mockserver.cli import until_stopped
from mockserver.errors import ScriptError
from mockserver.record.bundle import check, differences

PATIENCE = 60.0
"""Seconds that one exchange may take."""


def configure(parser: argparse.ArgumentParser) -> None:
    """The options."""
    parser.add_argument("bundle", metavar="BUNDLE", help="a file that a failing test, or ctl bundle, has written")
    parser.add_argument("--serve", action="store_true", help="only serve its script, for a client of your own")
    parser.add_argument("--port", type=int, default=0, help="port to serve on (0: a free one)")
    parser.add_argument("-v", "--verbose", action="store_true", help="show what was received")


def run(options: argparse.Namespace) -> int:
    """Replay, or serve. Raises `ScriptError` for what is no bundle, `OSError`."""
    from mockserver.serving.server import MockServer

    try:
        document = check(json.loads(Path(options.bundle).read_text("utf-8")))
    except ValueError as error:
        if isinstance(error, ScriptError):
            raise
        raise ScriptError(f"{options.bundle} is no JSON: {error}") from None
    settings = {"profile": document["profile"], "seed": document["seed"], "script": document["script"]}
    with MockServer(**settings, port=options.port) as server:
        if options.serve:
            line = f"inferneo-mock listening on {server.url} (profile {server.profile})"
            until_stopped(lambda: print(line, flush=True))
            return 0
        return _replay(server, document["exchanges"], options.verbose)


def _replay(server: Any, exchanges: list[dict[str, Any]], verbose: bool) -> int:
    session = server.session()
    peers: dict[int, socket.socket] = {}
    wrong = 0
    try:
        for count, before in enumerate(exchanges, 1):
            asked = before["request"]
            peer = peers.pop(before["connection"], None)
            if peer is None or before["on_connection"] == 1:
                peer = socket.create_connection((server.host, server.port), timeout=PATIENCE)
            peer.sendall(request_bytes(asked))
            received = _receive(peer, session, count, before)
            peers[before["connection"]] = peer
            after = session.wait_for(count, PATIENCE)[-1].to_json()
            found = differences(before, after)
            wrong += bool(found)
            by = "no rule" if after["rule"] is None else f"rule {after['rule']}"
            print(f"{count}. {asked['method']} {asked['path']}: {after['status']} by {by}, ended {after['ended']}")
            for line in found:
                print(f"   {line}")
            if verbose:
                print(received.decode("utf-8", "backslashreplace"))
    finally:
        for peer in peers.values():
            peer.close()
    print(f"{len(exchanges)} requests, {len(exchanges) - wrong} as before, {wrong} not")
    return 1 if wrong else 0


def _receive(peer: socket.socket, session: Any, count: int, before: Mapping[str, Any]) -> bytes:
    """What comes until the exchange has ended, or as much as its client had waited for."""
    endless = before["plan"]["ending"] == {"stall": None}
    left = before["ended"] in ("client", "open", "server") or endless
    received = bytearray()
    deadline = time.monotonic() + PATIENCE
    peer.settimeout(0.02)
    while time.monotonic() < deadline:
        try:
            part = peer.recv(1 << 16)
        except TimeoutError:
            part = None
        except ConnectionResetError:
            break
        if part == b"":
            break
        received += part or b""
        journal = session.journal
        over = len(journal) >= count and journal[-1].ended != "open"
        if part is None and (over or (left and len(received) >= before["sent_bytes"])):
            break
    if left:
        peer.close()
    else:
        peer.settimeout(PATIENCE)
    return bytes(received)


def request_bytes(asked: Mapping[str, Any]) -> bytes:
    """The request as it is sent: its own headers, but for the length, which is that of its body."""
    body = base64.b64decode(asked["body_base64"]) if "body_base64" in asked else (asked["body"] or "").encode()
    query = f"?{asked['query']}" if asked.get("query") else ""
    lines = [f"{asked['method']} {asked['path']}{query} HTTP/1.1"]
    framing = ("content-length", "transfer-encoding", "expect")
    lines += [f"{name}: {value}" for name, value in asked["headers"] if name not in framing]
    if not any(name == "host" for name, _ in asked["headers"]):
        lines.append("host: mock")
    lines.append(f"content-length: {len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1", "replace") + body
