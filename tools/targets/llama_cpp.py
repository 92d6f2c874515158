"""Start llama-cpp-python's server with a tiny GGUF file that is made here: random words that hang on the prompt.

`python tools/targets/llama_cpp.py --cache DIR` prints `llama_cpp listening on http://127.0.0.1:PORT (model tiny)`.
The package has no wheel: its install compiles llama.cpp, which needs a C++ compiler and a quarter of an hour.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from _install import Packages
from _run import Place, Target, main

TINY = Path(__file__).resolve().parent / "_tiny.py"


def command(place: Place) -> list[str]:
    """Makes the model where the server starts; its alias is the name that is listed."""
    file = place.directory / f"{place.model}.gguf"
    subprocess.run([str(place.python), "-P", str(TINY), "gguf", str(file)], check=True)
    options = {"model": str(file), "model_alias": place.model, "n_ctx": "1024", "n_threads": "1"}
    words = [word for name, value in options.items() for word in (f"--{name}", value)]
    return [str(place.python), "-P", "-m", "llama_cpp.server", "--host", "127.0.0.1", "--port", str(place.port), *words]


TARGET = Target(
    name="llama_cpp",
    model="tiny",
    packages=Packages(pinned=("llama-cpp-python[server]==0.3.36", "gguf")),
    command=command,
    environment={},
    ready_path="/v1/models",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
