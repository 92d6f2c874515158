"""Lists of models, information and health that contradict themselves."""

from __future__ import annotations

from mockserver.plan import Plan

from .edits import Doc, bodies, oops, page, reply, status_of, when, with_bodies, with_fields
from .mutant import Mutant, Turn, mutant

MODELS, INFO = "/v1/models", "/v1/info"


def _data(document: Doc, data: list[Doc]) -> Doc:
    return {**document, "data": data}


def _without(name: str, data: list[Doc]) -> list[Doc]:
    return [{key: value for key, value in one.items() if key != name} for one in data]


def _forgets(document: Doc, turn: Turn) -> Doc:
    turn.memory["n"] = turn.memory.get("n", 0) + 1
    return _data(document, document["data"][: 3 + turn.memory["n"] % 2])


def _quoted(turn: Turn) -> bool:
    return b"%2f" in turn.request.raw_path.lower() and turn.request.path.startswith(f"{MODELS}/meta")


def _another(turn: Turn) -> Plan:
    plan = turn.plan
    if not turn.request.path.startswith(f"{MODELS}/") or status_of(plan) != 200:
        return plan
    return with_bodies(plan, [b"".join(bodies(plan)).replace(b'"owned_by":"inferneo"', b'"owned_by":"system"')])


def _younger(document: Doc, turn: Turn) -> Doc:
    turn.memory["n"] = turn.memory.get("n", 1000) - 1
    return {**document, "uptime": float(turn.memory["n"])}


def _versions(document: Doc, turn: Turn) -> Doc:
    turn.memory["n"] = turn.memory.get("n", 0) + 1
    return {**document, "version": f"0.{turn.memory['n'] % 2}"}


MUTANTS: tuple[Mutant, ...] = (
    mutant(
        "models-bare",
        "The list of models is a bare list.",
        page(MODELS, lambda d, t: {**d, "object": "models"}),
        "S-MODEL-01",
    ),
    mutant(
        "model-object",
        "A listed model does not say that it is one.",
        page(MODELS, lambda d, t: _data(d, _without("object", d["data"]))),
        "S-MODEL-01",
    ),
    mutant(
        "listed-twice",
        "A model is listed twice.",
        page(MODELS, lambda d, t: _data(d, [*d["data"], d["data"][0]])),
        "S-MODEL-02",
    ),
    mutant(
        "no-birthday",
        "A listed model has no created.",
        page(MODELS, lambda d, t: _data(d, _without("created", d["data"]))),
        "S-MODEL-03",
    ),
    mutant(
        "born-in-milliseconds",
        "A listed model was made in milliseconds.",
        page(MODELS, lambda d, t: _data(d, [{**m, "created": m["created"] * 1000} for m in d["data"]])),
        "S-MODEL-03",
    ),
    mutant("forgets-a-model", "Every second list lacks a model.", page(MODELS, _forgets), "S-MODEL-04"),
    mutant(
        "slashes-only-bare", "An id with an encoded slash is a 404.", when(_quoted, lambda t: oops(404)), "S-MODEL-05"
    ),
    mutant(
        "models-not-got",
        "GET of a listed model is a 404.",
        when(lambda t: t.request.path.startswith(f"{MODELS}/"), lambda t: oops(404)),
        "S-MODEL-05",
    ),
    mutant("another-owner", "A model that is got has another owner than in the list.", _another, "S-MODEL-05"),
    mutant(
        "any-model-got",
        "GET of an unknown model is a 200.",
        when(lambda t: t.request.path == f"{MODELS}/nope", lambda t: reply(200, {"id": "nope", "object": "model"})),
        "S-MODEL-06",
    ),
    mutant(
        "no-uptime",
        "The information has no uptime.",
        page(INFO, lambda d, t: {k: v for k, v in d.items() if k != "uptime"}),
        "S-INFO-01",
    ),
    mutant(
        "negative-memory",
        "The information tells a negative memory.",
        page(INFO, lambda d, t: {**d, "gpu_memory": {"used": -1, "total": 24}}),
        "S-INFO-01",
    ),
    mutant(
        "version-is-a-number", "The version is a number.", page(INFO, lambda d, t: {**d, "version": 0.1}), "S-INFO-01"
    ),
    mutant(
        "models-are-objects",
        "The information names its models as objects.",
        page(INFO, lambda d, t: {**d, "models": [{"id": m} for m in d["models"]]}),
        "S-INFO-01",
    ),
    mutant(
        "unlisted-model",
        "The information names a model that is not listed.",
        page(INFO, lambda d, t: {**d, "models": [*d["models"], "org/hidden"]}),
        "S-INFO-02",
    ),
    mutant("time-goes-back", "The uptime goes back.", page(INFO, _younger), "S-INFO-03"),
    mutant("versions-change", "The version changes from answer to answer.", page(INFO, _versions), "S-INFO-03"),
    mutant(
        "unhealthy",
        "GET /health is 503 while requests are served.",
        when(lambda t: t.request.path == "/health", lambda t: oops(503)),
        "S-INFO-04",
    ),
    mutant(
        "no-health",
        "GET /health is 404.",
        when(lambda t: t.request.path == "/health", lambda t: oops(404)),
        "S-INFO-04",
    ),
    mutant(
        "metrics-spoilt",
        "A line of the metrics has no number.",
        when(
            lambda t: t.request.path == "/metrics",
            lambda t: with_bodies(t.plan, [*bodies(t.plan), b"inferneo_gpu_temperature None\n"]),
        ),
        "S-INFO-05",
    ),
    mutant(
        "models-as-text",
        "The list of models is called text/plain.",
        when(
            lambda t: t.request.path == MODELS and t.request.method == "GET",
            lambda t: with_fields(t.plan, (b"content-type", b"text/plain")),
        ),
        "S-INFO-06",
    ),
    mutant(
        "dimensions-ignored",
        "dimensions are taken and ignored.",
        lambda t: t.asked(dimensions=...).plan if t.body.get("dimensions") else t.plan,
        "S-EMBED-09",
    ),
)
