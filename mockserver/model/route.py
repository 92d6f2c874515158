"""Which action a path and a method mean, in a profile: an action, or the profile's no.

Ids of models hold slashes, so `/v1/models/{id}` takes the rest of the path, raw or percent-encoded (the path of a
`Request` is decoded already).
"""

from __future__ import annotations

from dataclasses import dataclass

from mockserver.model.profile import Profile, Route
from mockserver.model.refuse import refuse
from mockserver.plan import Head, Headers, Plan
from mockserver.request import Request


@dataclass(frozen=True, slots=True)
class Found:
    """What to do: `action` with the rest of the path; `head`: answer without the body."""

    action: str
    rest: str
    route: Route
    head: bool = False


def find(profile: Profile, request: Request) -> Found | Plan:
    """The action of a request, or the plan of its refusal."""
    route = profile.routes.get(request.path)
    if route is not None:
        action = route.methods.get(request.method)
        if action is not None:
            return Found(action, "", route)
        return _other_method(profile, request, route, "")
    for prefix, route in profile.prefixes:
        if request.path.startswith(prefix) and len(request.path) > len(prefix):
            rest = request.path[len(prefix) :]
            action = route.methods.get(request.method)
            return _other_method(profile, request, route, rest) if action is None else Found(action, rest, route)
    if profile.option("trailing_slash") == "redirect" and len(request.path) > 1:
        other = request.path.removesuffix("/") if request.path.endswith("/") else request.path + "/"
        if other in profile.routes:
            host = (request.header(b"host") or b"localhost").decode("latin-1")
            location = f"http://{host}{other}".encode("latin-1")
            query = b"?" + request.query if request.query else b""
            return Plan((Head(307, ((b"content-length", b"0"), (b"location", location + query))),))
    method = "GET" if request.method == "HEAD" and profile.option("head") == "get" else request.method
    return refuse(profile, "not_found", method=method, path=request.path)


def _other_method(profile: Profile, request: Request, route: Route, rest: str) -> Found | Plan:
    allow = allowed(profile, route)
    if request.method == "HEAD" and profile.option("head") == "get" and "GET" in route.methods:
        return Found(route.methods["GET"], rest, route, head=True)
    if request.method == "OPTIONS" and profile.option("options") == "allow":
        return Plan((Head(204, ((b"allow", allow), *preflight(profile, request))),))
    return refuse(
        profile,
        "method_not_allowed",
        ((b"allow", allow),),
        method=request.method,
        path=request.path,
        allow=allow.decode(),
    )


def allowed(profile: Profile, route: Route) -> bytes:
    """The methods of a route, as `Allow` lists them."""
    methods = list(route.methods)
    if profile.option("head") == "get" and "GET" in methods:
        methods.append("HEAD")
    if profile.option("options") == "allow":
        methods.append("OPTIONS")
    return ", ".join(methods).encode()


def preflight(profile: Profile, request: Request) -> Headers:
    """What a browser is told before it sends a request across origins."""
    cors = profile.option("cors")
    if not cors or request.header(b"origin") is None:
        return ()
    return (
        *shared(profile, request),
        (b"access-control-allow-methods", cors["methods"].encode()),
        (b"access-control-allow-headers", cors["headers"].encode()),
        (b"access-control-max-age", str(cors["max_age"]).encode()),
    )


def shared(profile: Profile, request: Request) -> Headers:
    """The field that lets a page of another origin read a response; nothing for a request without `Origin`."""
    cors = profile.option("cors")
    origin = request.header(b"origin") if cors else None
    if origin is None:
        return ()
    allowed_origins = cors["origin"]
    if allowed_origins == "*" or origin.decode("latin-1") in allowed_origins:
        echoed = b"*" if allowed_origins == "*" else origin
        return ((b"access-control-allow-origin", echoed),)
    return ()
