"""`python -m contracts.adapters.serve NAME`: a subject of this process, driven over JSON lines."""

from __future__ import annotations

import json
import sys

from contracts.adapters import subject
from contracts.adapters.base import task_from_json


def main(arguments: list[str]) -> int:
    """Serves until the input ends."""
    served = subject(arguments[0])
    print(json.dumps({"name": f"{served.name}-process", "abilities": sorted(served.abilities)}), flush=True)
    for line in sys.stdin:
        outcomes = served.do(task_from_json(json.loads(line)))
        print(json.dumps({"outcomes": [outcome.to_json() for outcome in outcomes]}), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
