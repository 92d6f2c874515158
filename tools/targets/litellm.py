"""Start litellm's proxy with a model that answers from its own configuration (`mock_response`): no upstream, no key.

`python tools/targets/litellm.py --cache DIR` prints `litellm listening on http://127.0.0.1:PORT (model mock)`.
"""

from __future__ import annotations

import json
import sys

from _install import Packages
from _run import CLOSED, Place, Target, main

ANSWER = "The café robot said 😀 then stopped."

QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_AUTOROUTER_PRESETS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_LOCAL_POLICY_TEMPLATES": "True",
    "DISABLE_ADMIN_UI": "True",
    "LITELLM_DANGEROUSLY_PERMIT_WEAK_OR_UNSET_MASTER_KEY": "true",
}
"""What litellm would fetch at start is in its wheel as well; the first five say to read it from there. The last lets it
start without a key, as a server judged from its URL alone must: it listens on loopback and knows one canned answer."""


def command(place: Place) -> list[str]:
    """Write the configuration and name the proxy's own command line, one worker on loopback.

    JSON is YAML except for escaped surrogate pairs, hence unescaped.
    `mock_response` is answered before any upstream is asked; were it not, `api_base` is a closed port.
    """
    upstream = {"api_base": f"{CLOSED}/v1", "api_key": "unused"}
    models = [
        {
            "model_name": place.model,
            "litellm_params": {"model": f"openai/{place.model}", "mock_response": ANSWER, **upstream},
        },
        {
            "model_name": f"{place.model}-embeddings",
            "litellm_params": {
                "model": f"openai/{place.model}-embeddings",
                "mock_response": [0.1, 0.2, 0.3],
                **upstream,
            },
            "model_info": {"mode": "embedding"},
        },
    ]
    config = place.directory / "config.yaml"
    settings = {"model_list": models, "litellm_settings": {"telemetry": False, "num_retries": 0}}
    config.write_text(json.dumps(settings, indent=2, ensure_ascii=False), "utf-8")
    proxy = str(place.python.parent / "litellm")
    return [proxy, "--config", str(config), "--host", "127.0.0.1", "--port", str(place.port), "--telemetry", "False"]


TARGET = Target(
    name="litellm",
    model="mock",
    packages=Packages(pinned=("litellm[proxy]==1.106.2",)),
    command=command,
    environment=QUIET,
    ready_path="/health/liveliness",
)

if __name__ == "__main__":
    sys.exit(main(TARGET))
