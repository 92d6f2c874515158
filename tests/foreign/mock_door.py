"""The mock as the foreign tests see it: a base URL, a script to arm, a journal to read. Standard library only."""

from __future__ import annotations

import json
import re
import subprocess
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

PROFILES = ("docs", "openai")
"""Those that promise what these clients were written for; `engine` answers 404 to half of it."""

DIRECT = urllib.request.build_opener(urllib.request.ProxyHandler({}))

READY = re.compile(r"inferneo-mock listening on (http://127\.0\.0\.1:\d+) \(profile \S+\)")

TOOL: Any = {
    "type": "function",
    "function": {
        "name": "weather",
        "description": "The weather in a city.",
        "parameters": {
            "type": "object",
            "properties": {"city": {"type": "string"}, "days": {"type": "integer", "minimum": 1, "maximum": 7}},
            "required": ["city", "days"],
            "additionalProperties": False,
        },
    },
}

HELLO: Any = [{"role": "user", "content": "Say hello"}]

KEY: Any = "sk-test"
"""Any: their annotations ask for classes of theirs where plain values do."""

STATUS_CLASSES = {
    400: "BadRequestError",
    401: "AuthenticationError",
    403: "PermissionDeniedError",
    404: "NotFoundError",
    409: "ConflictError",
    422: "UnprocessableEntityError",
    429: "RateLimitError",
    500: "InternalServerError",
    503: "InternalServerError",
}
"""Both OpenAI SDKs, by their documentation: the exception class for a status."""


def ready_url(process: subprocess.Popen[str]) -> str:
    """The URL from the one ready line of `inferneo-mock serve`."""
    assert process.stdout is not None
    line = process.stdout.readline()
    if (ready := READY.search(line)) is None:
        process.kill()
        _, errors = process.communicate()
        raise RuntimeError(f"inferneo-mock serve printed {line!r} instead of its ready line, and on stderr {errors!r}")
    return ready[1]


@dataclass(frozen=True, slots=True)
class Mock:
    """One session of a running mock."""

    root: str
    name: str
    profile: str

    @property
    def url(self) -> str:
        return f"{self.root}/@{self.name}"

    @property
    def base(self) -> str:
        """What a client of this kind calls its base URL."""
        return f"{self.url}/v1"

    def _door(self, method: str, path: str, document: Any = None) -> Any:
        data = None if document is None else json.dumps(document).encode()
        request = urllib.request.Request(f"{self.url}/_mock/{path}", data, method=method)
        request.add_header("Content-Type", "application/json")
        try:
            with DIRECT.open(request, timeout=30) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"the door says {error.code} to {method} {path}: {error.read()[:500]!r}") from None

    def script(self, rules: list[dict[str, Any]]) -> None:
        """Arm the session; requests that no rule matches are answered like a model."""
        self._door("PUT", "script", {"profile": self.profile, "strict": False, "rules": rules})

    def fail(self, *faults: list[dict[str, Any]]) -> None:
        """The n-th request gets the n-th list of faults; the last list repeats."""
        self.script([{"match": {"method": "POST"}, "faults": list(faults)}])

    def ended(self, count: int) -> list[dict[str, Any]]:
        """The journal, once `count` exchanges have ended. Raises `RuntimeError` (408) when they do not come."""
        exchanges: list[dict[str, Any]] = self._door("GET", f"journal?wait_for={count}&within=10")["exchanges"]
        return exchanges

    def forget(self) -> None:
        self._door("DELETE", "")

    def models(self) -> list[str]:
        with DIRECT.open(f"{self.base}/models", timeout=30) as answer:
            return [model["id"] for model in json.load(answer)["data"]]

    @property
    def chat_model(self) -> str:
        return self.models()[0]

    @property
    def text_model(self) -> str:
        """A model for `/v1/completions`: with OpenAI's names, the one that is said to take prompts."""
        models = self.models()
        return next((model for model in models if "instruct" in model), models[0])

    @property
    def embedding_model(self) -> str:
        return self.models()[-1]


def headers(exchange: dict[str, Any]) -> dict[str, str]:
    """A request's header fields, by lower-case name."""
    return {name.lower(): value for name, value in exchange["request"]["headers"]}
