"""Start guidellm's mock server with the tokenizer it brings: no hub, no torch, no latency.

`python tools/targets/guidellm.py --cache DIR` prints `guidellm listening on http://127.0.0.1:PORT (model mock)`.
guidellm asks for torch and datasets, which its mock server never imports; it is installed without them.
Its `--processor` stays unset: it hands the path to transformers' abstract `PreTrainedTokenizer`, which 5.x cannot
build (`NotImplementedError` in `get_vocab`). Unset, it counts words, punctuation and runs of blanks.
"""

from __future__ import annotations

import sys

from _install import Packages
from _run import Place, Target, main

BOOT = """
import sys
from guidellm.mock_server import MockServer
from guidellm.schemas.mock_server import MockServerConfig

port, model = sys.argv[1:]
config = MockServerConfig(
    host="127.0.0.1", port=int(port), model=model,
    request_latency=0.0, ttft_ms=0.0, itl_ms=0.0, output_tokens=32,
)
MockServer(config).run(access_log=False)
"""
"""Runs in the target's environment, instead of guidellm's command line, which imports torch."""


def command(place: Place) -> list[str]:
    """`-P` keeps the working directory off the import path: a file named like the package must not stand in for it."""
    return [str(place.python), "-P", "-c", BOOT, str(place.port), place.model]


TARGET = Target(
    name="guidellm",
    model="mock",
    packages=Packages(
        pinned=(
            "sanic==25.12.1",
            "faker==40.54.0",
            "transformers==5.23.0",
            "pydantic>=2.11.7",
            "pydantic-settings>=2.0.0",
            "pyyaml>=6.0.0",
            "loguru",
            "numpy>=2.0.0",
            "uvloop>=0.18",
        ),
        bare=("guidellm==0.8.1",),
    ),
    command=command,
    environment={"TRANSFORMERS_OFFLINE": "1", "TRANSFORMERS_VERBOSITY": "error"},
    ready_path="/health",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
