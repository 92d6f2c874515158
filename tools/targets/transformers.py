"""Start `transformers serve` with a tiny model that is made here: random words that hang on the prompt, on the CPU.

`python tools/targets/transformers.py --cache DIR` prints `transformers listening on http://127.0.0.1:PORT (model ...)`.
The model is the folder that the server is pinned to, so its name is a path; it is not listed, since only what lies in
the hub's cache is.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _install import Packages
from _run import Place, Target, main

TINY = Path(__file__).resolve().parent / "_tiny.py"


def command(place: Place) -> list[str]:
    """Makes the model where the server starts, and names the server's own command line."""
    folder = place.directory / place.model
    subprocess.run([str(place.python), "-P", str(TINY), "hf", str(folder)], check=True)
    serve = str(place.python.parent / "transformers")
    return [serve, "serve", str(folder), "--device", "cpu", "--host", "127.0.0.1", "--port", str(place.port)]


TARGET = Target(
    name="transformers",
    model="tiny",
    packages=Packages(pinned=("torch==2.13.0", "transformers[serving]==5.23.0")),
    command=command,
    environment={"TRANSFORMERS_OFFLINE": "1", "OMP_NUM_THREADS": "1"},
    ready_path="/health",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
