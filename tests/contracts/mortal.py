"""A stranger that dies: `python mortal.py PORT` serves until a body is no JSON, which ends the process."""

from __future__ import annotations

import os
import sys
from typing import Any

from stranger import Refused, Stranger, _Server


class Mortal(Stranger):
    """A parser that takes the process with it."""

    def read(self, data: bytes, chat: bool) -> tuple[dict[str, Any], str]:
        try:
            return super().read(data, chat)
        except Refused as error:
            if "no JSON" in str(error):
                os._exit(3)
            raise


if __name__ == "__main__":
    server = _Server(("127.0.0.1", int(sys.argv[1])), Mortal)
    print(server.server_address[1], flush=True)
    server.serve_forever()
