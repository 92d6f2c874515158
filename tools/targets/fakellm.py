"""Start fakellm, a fake that answers by rules, with the configuration that it makes for a new user.

`python tools/targets/fakellm.py --cache DIR` prints `fakellm listening on http://127.0.0.1:PORT (model mock)`.
What no rule matches is answered by a digest of the whole request.
"""

from __future__ import annotations

import subprocess
import sys

from _install import Packages
from _run import Place, Target, main


def command(place: Place) -> list[str]:
    """Let it write its configuration and name its own command line."""
    fakellm = str(place.python.parent / "fakellm")
    subprocess.run([fakellm, "init"], cwd=place.directory, check=True, capture_output=True)
    return [fakellm, "serve", "--host", "127.0.0.1", "--port", str(place.port)]


TARGET = Target(
    name="fakellm",
    model="mock",
    packages=Packages(pinned=("fakellm==0.3.5", "fastapi==0.165.0", "starlette==1.10.0", "uvicorn==0.54.0")),
    command=command,
    environment={},
    ready_path="/docs",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
