"""`inferneo-mock serve`: the fake server in the foreground."""

from __future__ import annotations

import argparse
import errno
import gc
import logging
import os
import re
import sys
from pathlib import Path
from typing import Any, NoReturn, get_args

from mockserver import fixtures
from mockserver.cli import environment, fail, until_stopped
from mockserver.errors import ScriptError
from mockserver.model.latency import PRESETS
from mockserver.model.status import Health
from mockserver.scripting.assign import script_from
from mockserver.scripting.script import Script, parse_script
from mockserver.serving.server import LOOPS, PARSERS, MockServer
from mockserver.serving.service import API_KEY, MAX_CONCURRENT, MODEL_NAME, of_environment

HOST, PORT, MAX_REQUEST_SIZE = "INFERNEO_HOST", "INFERNEO_PORT", "INFERNEO_MAX_REQUEST_SIZE"
TOKEN = "INFERNEO_MOCK_TOKEN"

LOG_LEVEL, LEVELS = "INFERNEO_LOG_LEVEL", ("debug", "info", "warning", "error", "critical")

_UNITS = {"": 1, "B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30}


def size(text: str) -> int:
    """Bytes of `10MB`, `64 KB`, `1000`."""
    found = re.fullmatch(r"(\d+)\s*([KMG]?B)?", text.strip().upper())
    if not found:
        raise argparse.ArgumentTypeError(f"a size is a number with KB, MB or GB, not {text!r}")
    return int(found[1]) * _UNITS[found[2] or ""]


def port(text: str) -> int:
    """A port, 0 for a free one."""
    if not text.isascii() or not text.isdigit() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"a port is a number from 0 to 65535, not {text!r}")
    return int(text)


def configure(parser: argparse.ArgumentParser) -> None:
    """The options of `serve`."""
    add = parser.add_argument
    add("--host", default=environment(HOST, "127.0.0.1"), help=f"address to listen on (%(default)s; {HOST})")
    add("--port", type=port, default=environment(PORT, "8000"), help=f"port, 0 for a free one (%(default)s; {PORT})")
    add("--profile", default=None, metavar="NAME", help="dialect, a name of fixtures/profiles or a file (docs)")
    add("--script", default=None, metavar="FILE", help="script of rules and faults, YAML or JSON")
    add("--set", action="append", default=[], metavar="PATH=VALUE", help="a part of the script: rules[0].reply=Hello")
    add("--watch", action="store_true", help="read the script again when its file changes")
    add("--admin-token", default=environment(TOKEN, ""), help=f"who brings it may use the door ({TOKEN})")
    add("--seed", type=int, default=0, help="where all that is random begins (%(default)s)")
    add("--tls", action="store_true", help="speak TLS, with a certificate made for this run")
    add("--tls-ca", default=None, metavar="FILE", help="write the certificate that clients have to trust to FILE")
    add("--http", choices=PARSERS, default="auto", help="HTTP parser (%(default)s: httptools where installed)")
    add("--loop", choices=LOOPS, default="auto", help="event loop (%(default)s: uvloop where installed)")
    add(
        "--max-request-size",
        type=size,
        default=environment(MAX_REQUEST_SIZE, "10MB"),
        metavar="SIZE",
        help=f"largest request body (%(default)s; {MAX_REQUEST_SIZE})",
    )
    told = parser.add_argument_group("who may ask, how much, how fast (a script may say otherwise)").add_argument
    told("--api-key", action="append", dest="api_keys", metavar="KEY[@TIME]", help=f"ask for it; several ({API_KEY})")
    told(
        "--limits", metavar="LIMITS", help="per key: documented, JSON, or requests_per_minute=60,tokens_per_minute=9000"
    )
    told("--latency", metavar="LATENCY", help=f"{', '.join(PRESETS)}, or JSON (inferneo-mock docs latency)")
    told("--speed", type=float, metavar="N", help="all times of the latency so many times as fast")
    told("--max-concurrent", type=int, metavar="N", help=f"requests at once; more wait ({MAX_CONCURRENT})")
    told("--health", choices=get_args(Health), default="ok", help="what /health says (%(default)s)")
    told("--model", action="append", dest="models", metavar="NAME", help=f"serve it; several ({MODEL_NAME})")
    told("--log-level", default=environment(LOG_LEVEL, "warning").lower(), choices=LEVELS, help=f"({LOG_LEVEL})")


def service(options: argparse.Namespace) -> dict[str, Any]:
    """What of the settings the command line says, else the environment."""
    names = ("api_keys", "limits", "latency", "speed", "max_concurrent", "health", "models")
    said = {name: getattr(options, name) for name in names if getattr(options, name) is not None}
    return {**of_environment(os.environ), **said}


def _refuse(path: str, error: ScriptError, *, placed: bool) -> NoReturn:
    """All that is wrong in the script's file, as `lint` tells it; else `error`, with its line where it is `placed`."""
    from mockserver.scripting.yamltext import places_of, read_mistakes  # PyYAML takes 20 ms to import

    found = fixtures.script_file(path)
    data = found.read_bytes()
    wrong = read_mistakes(data, parse_script, str(found))
    if not wrong:
        wrong = [error.at(places_of(data, str(found))(error.path)) if placed and error.place is None else error]
    for one in wrong:
        print(f"inferneo-mock serve: {one}".replace("\n", " "), file=sys.stderr)
    raise SystemExit(2)


def run(options: argparse.Namespace) -> int:
    """Serve until SIGINT or SIGTERM."""
    if options.watch and options.script is None:
        fail("inferneo-mock serve: --watch needs --script FILE")

    if options.tls_ca is not None and not options.tls:
        fail("inferneo-mock serve: --tls-ca needs --tls")

    logging.basicConfig(level=options.log_level.upper(), format="%(levelname)s %(message)s")

    def load() -> Script:
        return script_from(options.script, options.set)

    try:
        server = MockServer(
            profile=options.profile or "docs",
            script=load(),
            admin_token=options.admin_token or None,
            host=options.host,
            port=options.port,
            seed=options.seed,
            http=options.http,
            loop=options.loop,
            max_body=options.max_request_size,
            **service(options),
            tls=options.tls,
        )
    except ScriptError as error:
        if options.script is not None:
            _refuse(options.script, error, placed=not options.set)
        fail(f"inferneo-mock serve: {error}")
    except (ValueError, ImportError) as error:
        fail(f"inferneo-mock serve: {error}")
    if options.tls_ca is not None:
        Path(options.tls_ca).write_bytes(server.ca_pem)
    try:
        server.start()
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            fail(
                f"inferneo-mock serve: port {options.port} on {options.host} is in use; "
                "stop what listens there, or take another with --port (0: a free one)"
            )
        fail(f"inferneo-mock serve: cannot listen on {options.host}:{options.port}: {error.strerror or error}")
    except (ValueError, ImportError) as error:
        fail(f"inferneo-mock serve: {error}")
    if options.watch:
        server.watch(
            options.script, load, lambda line: print(f"inferneo-mock serve: {line}", file=sys.stderr, flush=True)
        )
    # What is loaded stays: the collector need not look at it again and again. The process is ours alone here.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    try:
        line = f"inferneo-mock listening on {server.url} (profile {server.profile})"
        until_stopped(lambda: print(line, flush=True))
    finally:
        server.close()
    return 0
