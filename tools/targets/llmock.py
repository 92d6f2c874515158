"""Start llmock, a fake of ten providers for tests of how clients bear errors, without any injected one.

`python tools/targets/llmock.py --cache DIR` prints `llmock listening on http://127.0.0.1:PORT (model mock)`.
It answers any model name and lists its own; its text is made of the request's words.
"""

from __future__ import annotations

import sys

from _install import Packages
from _run import Place, Target, main


def command(place: Place) -> list[str]:
    """Its own command line."""
    llmock = str(place.python.parent / "llmock")
    return [llmock, "serve", "--host", "127.0.0.1", "--port", str(place.port), "--log-level", "warning"]


TARGET = Target(
    name="llmock",
    model="mock",
    packages=Packages(pinned=("llmock==0.2.2", "fastapi==0.165.0", "starlette==1.10.0", "uvicorn==0.54.0")),
    command=command,
    environment={},
    ready_path="/v1/models",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
