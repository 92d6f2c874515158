"""Models, information and health: what the server says of itself agrees with itself."""

from __future__ import annotations

import re
import time
from typing import Any
from urllib.parse import quote

from hypothesis import strategies as st

from contracts.domains import CHAT, TEXT, Domain
from contracts.exchange import Exchange, get, post
from contracts.law import Unjudged, Unsupported, Vacuous, expect, law
from contracts.server_laws.shape import is_int
from contracts.target import Target

SOURCE = "api.md, REST"
RECENT = 600.0
"""A model that was made so few seconds ago was perhaps made by the request."""
CHANGING = re.compile(rb"[0-9A-Za-z-]*\d[0-9A-Za-z-]*")
METRIC = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*(\{.*\})? +([0-9.eE+-]+|[Nn]a[Nn]|[+-]?Inf)( +-?\d+)?( # .*)?\Z")


def reading(path: str) -> Domain[str]:
    """A domain of the one path."""
    return Domain(f"GET {path}", lambda target: st.just(path), lambda target: [path])


MODELS = reading("/v1/models")


def listed(target: Target) -> list[dict[str, Any]]:
    """The models in the list; `Vacuous` when there is none."""
    document = target.send(get("/v1/models")).document
    data = document.get("data") if isinstance(document, dict) else None
    if not isinstance(data, list) or not all(isinstance(m, dict) for m in data):
        raise Vacuous("no list of models (S-MODEL-01 judges that)")
    return data


@law("S-MODEL-01", over=MODELS, source=SOURCE)
def models_are_listed(target: Target, path: str) -> None:
    """GET /v1/models is 200 with a list object of models, each with an id and object model.

    Many compatible servers have no such path; where it is not there the model's name is the user's to know.
    """
    exchange = target.send(get(path))
    if exchange.status in (404, 405, 501) and target.profile.name == "openai":
        raise Unsupported(f"GET {path} was answered {exchange.status}")
    expect(exchange.status == 200, "status 200", exchange.status)
    document = exchange.document
    expect(isinstance(document, dict) and document.get("object") == "list", "object 'list'", document)
    data = document.get("data")
    expect(isinstance(data, list), "data as a list", data)
    for model in data:
        expect(
            isinstance(model, dict) and isinstance(model.get("id"), str) and bool(model["id"]), "models with ids", model
        )
        expect(model.get("object") == "model", "object 'model'", model)


@law("S-MODEL-02", over=MODELS, source="laws.md 35")
def model_ids_are_unique(target: Target, path: str) -> None:
    """No id is listed twice."""
    ids = [model.get("id") for model in listed(target)]
    expect(len(ids) == len(set(ids)), "ids that are all different", ids)


@law("S-MODEL-03", over=MODELS, source=SOURCE)
def a_model_says_when_it_was_made(target: Target, path: str) -> None:
    """Each listed model has created, integer Unix seconds."""
    for model in listed(target):
        said = model.get("created")
        expect(is_int(said) and 0 <= said < 4_102_444_800, "created in integer Unix seconds", model)


@law("S-MODEL-04", over=MODELS, source="laws.md 38")
def listing_is_idempotent(target: Target, path: str) -> None:
    """Asked twice, the list has the same models."""
    first = sorted(str(model.get("id")) for model in listed(target))
    second = sorted(str(model.get("id")) for model in listed(target))
    expect(first == second, f"the same ids {first}", second)


@law("S-MODEL-05", over=MODELS, source="laws.md 35; api.md")
def a_listed_model_can_be_got(target: Target, path: str) -> None:
    """GET /v1/models/{id} gives for each listed id the model of that id, with the fields of the list.

    Ids contain slashes: they must work as they are and percent-encoded.
    """
    has, why = target.can("model_get")
    if not target.profile.model_get and not has:
        raise Vacuous(f"not promised: {why}")
    for model in listed(target)[:8]:
        for exchange in _got(target, str(model["id"])):
            got = exchange.document
            expect(isinstance(got, dict), "a model object", got)
            for key in ("id", "object", "owned_by"):
                expect(got.get(key) == model.get(key), f"{key} {model.get(key)!r} as in the list", got.get(key))


def _got(target: Target, name: str) -> list[Exchange]:
    """The answers to both ways of writing an id; one of them is enough where the profile does not promise both."""
    shown = sorted({name, quote(name, safe="")})
    answers = [target.send(get(f"/v1/models/{one}")) for one in shown]
    if not target.profile.model_get and any(exchange.status == 200 for exchange in answers):
        return [exchange for exchange in answers if exchange.status == 200]
    for one, exchange in zip(shown, answers, strict=True):
        expect(exchange.status == 200, f"status 200 for GET /v1/models/{one}", exchange.status, exchange)
    return answers


@law("S-MODEL-06", over=reading("/v1/models/nope"), source="laws.md 29")
def a_model_that_is_not_there_is_404(target: Target, path: str) -> None:
    """GET /v1/models/{id} of an id that is not listed is 404."""
    status = target.send(get(path)).status
    borne = (400, 401, 403, 422, 501) if target.profile.name == "openai" else ()
    expect(status in (404, 405, *borne), "status 404", status)


@law("S-MODEL-07", live=True, source=SOURCE)
def a_listed_model_answers(target: Target) -> None:
    """The model that the judge asks for (the first one listed, unless told otherwise) answers a plain request.

    Where it does not, all other laws have nothing to judge, and a run without this law would look green.
    """
    has, why = target.can("generate")
    if not has and target.can("embeddings")[0] and all(_is_absent(target, path) for path in (CHAT, TEXT)):
        raise Unsupported("a server of embeddings")
    expect(has, f"an answer of {target.model!r}", why)


@law("S-MODEL-08", over=MODELS, live=True, level="should", source="laws.md 38")
def a_model_is_made_once(target: Target, path: str) -> None:
    """Asked twice, over a second apart, each listed model was created at the same time.

    The clock at each request says nothing of the model, and callers who keep the list see it change.
    """
    first = {str(model.get("id")): model.get("created") for model in listed(target)}
    if any(is_int(said) and abs(said - time.time()) < RECENT for said in first.values()):
        time.sleep(1.1)
    second = {str(model.get("id")): model.get("created") for model in listed(target)}
    changed = {name: (said, second[name]) for name, said in first.items() if second.get(name, said) != said}
    expect(not changed, "the same created for each model", changed)


def _is_absent(target: Target, path: str) -> bool:
    """Whether a path is refused as one that there is not; what is like an id or a number does not count."""
    document = {"model": target.model, "prompt": "Say hello", "messages": [{"role": "user", "content": "Say hello"}]}
    asked, other = (target.send(post(one, document)) for one in (path, "/v1/no/such/path"))
    words = [CHANGING.sub(b"", x.response.body.replace(x.call.path.encode(), b"")) for x in (asked, other)]
    return asked.status == other.status and words[0] == words[1]


@law("S-INFO-01", over=reading("/v1/info"), source="api.md: the seed's info()")
def info_has_its_fields(target: Target, path: str) -> None:
    """GET /v1/info has version, models, gpu_memory and uptime, of the documented types."""
    document = informed(target)
    expect(isinstance(document.get("version"), str) and bool(document["version"]), "version as a string", document)
    models = document.get("models")
    expect(isinstance(models, list) and all(isinstance(m, str) for m in models), "models as strings", models)
    memory = document.get("gpu_memory")
    numbers = isinstance(memory, dict) and all(isinstance(v, (int, float)) and v >= 0 for v in memory.values())
    expect(numbers, "gpu_memory as numbers of 0 or more", memory)
    uptime = document.get("uptime")
    expect(
        isinstance(uptime, (int, float)) and not isinstance(uptime, bool) and uptime >= 0, "uptime in seconds", uptime
    )


def informed(target: Target) -> dict[str, Any]:
    """The information; raises `NotRecorded` where it is not promised and not there."""
    exchange = target.send(get("/v1/info"))
    if exchange.status != 200 and not target.profile.info:
        raise Vacuous(f"GET /v1/info is not promised and was answered {exchange.status}")
    expect(exchange.status == 200, "status 200", exchange.status)
    document = exchange.document
    expect(isinstance(document, dict), "a JSON object", exchange.response.body[:100])
    return dict(document)


@law("S-INFO-02", over=reading("/v1/info"), source="laws.md 36")
def known_models_are_listed(target: Target, path: str) -> None:
    """Every model that the information names is in the list of models."""
    named = informed(target).get("models")
    ids = {model.get("id") for model in listed(target)}
    if not isinstance(named, list):
        raise Unjudged("no models in the information (S-INFO-01 judges that)")
    expect(set(named) <= ids, f"models out of {sorted(map(str, ids))}", named)


@law("S-INFO-03", live=True, needs={"info"}, source="laws.md 37")
def time_goes_on(target: Target) -> None:
    """Asked twice, uptime does not go back, and the version is the same."""
    first, second = informed(target), informed(target)
    a, b = first.get("uptime"), second.get("uptime")
    if not isinstance(a, (int, float)) or not isinstance(b, (int, float)):
        raise Unjudged("no uptime (S-INFO-01 judges that)")
    expect(a <= b, f"uptime {a} or more", b)
    expect(first.get("version") == second.get("version"), f"version {first.get('version')}", second.get("version"))


@law("S-INFO-04", over=reading("/health"), source=SOURCE)
def a_healthy_server_says_so(target: Target, path: str) -> None:
    """GET /health is 200 where it is promised; where it is there at all it is no 5xx while requests are served."""
    exchange = target.send(get(path))
    if target.profile.health:
        expect(exchange.status == 200, "status 200", exchange.status)
    expect(exchange.status < 500, "no 5xx from a server that serves", exchange.status)


@law("S-INFO-05", over=reading("/metrics"), source="api.md: Prometheus text, or the JSON of the docs' sample")
def metrics_can_be_read(target: Target, path: str) -> None:
    """GET /metrics, where it is there, is Prometheus text of which every line can be read, or a JSON object."""
    exchange = target.send(get(path))
    if exchange.status != 200:
        raise Vacuous(f"GET /metrics was answered {exchange.status}")
    if isinstance(exchange.document, dict):
        return
    if "html" in (exchange.response.field("content-type") or ""):
        raise Vacuous("a page for people, not metrics")
    for line in exchange.response.body.decode("utf-8", "replace").splitlines():
        expect(not line.strip() or line.startswith("#") or METRIC.match(line) is not None, "name{labels} number", line)


@law(
    "S-INFO-06",
    over=Domain("a recorded or fresh read", lambda t: st.just("/v1/models"), lambda t: ["/v1/models"]),
    level="should",
    source=SOURCE,
)
def reads_are_json(target: Target, path: str) -> None:
    """The list of models is application/json."""
    exchange: Exchange = target.send(get(path))
    if exchange.status != 200:
        raise Vacuous("no list of models (S-MODEL-01 judges that)")
    kind = exchange.response.field("content-type") or ""
    expect(kind.lower().startswith("application/json"), "Content-Type: application/json", kind)
