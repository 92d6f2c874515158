"""A law is written once, as a function over a target and one drawn case, and registered under an id that never changes.

`@law("S-FRAME-03", over=STREAMS, needs={"stream"}, level="must", source="...")`: the docstring is the description, its
first line the title. The function returns when the law is kept and raises otherwise: `Breach` (the law is broken),
`Unsupported` (the target does not have what the law speaks of), `Vacuous` (this case does not raise the question),
`Unjudged` (this answer cannot be judged, because another law, which will say so, is already broken).
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, TypeVar

if TYPE_CHECKING:
    from contracts.domains import Domain
    from contracts.exchange import Exchange

Level: TypeAlias = Literal["must", "should"]
Function = TypeVar("Function", bound=Callable[..., None])


class Breach(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The law is broken: what was expected, what was got; `exchange` shows it, where it is not the last one sent.

    `resent`: how often the law, which reads what was seen, has sent the request of `exchange` again and how often that
    was broken again; None where nothing was sent again. `together`: the last request was sent so many times at once."""

    def __init__(
        self,
        expected: str,
        got: object,
        exchange: Exchange | None = None,
        resent: tuple[int, int] | None = None,
        together: int = 0,
    ) -> None:
        self.exchange = exchange
        self.resent = resent
        self.together = together
        self.expected = expected
        self.got = got if isinstance(got, str) else shorten(got)
        super().__init__(expected, self.got)

    def __str__(self) -> str:
        return f"expected {self.expected}; got {self.got}"


class Unsupported(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The target lacks the capability that the law speaks of."""


class Unjudged(Exception):  # noqa: N818 - it says what was found, in the law's words
    """The answer cannot be judged by this law; the law that can is named."""


class Vacuous(Exception):  # noqa: N818 - it says what was found, in the law's words
    """This case does not raise the law's question."""


class Unjudgeable(Exception):  # noqa: N818 - it says what was found
    """A saved case could not be judged here; the message says why."""


class NotRecorded(Vacuous):
    """A recording does not hold the answer to this request."""


def shorten(value: object, limit: int = 400) -> str:
    """The `repr` of a value, cut in the middle when it is long."""
    return cut(repr(value), limit)


def cut(text: str, limit: int) -> str:
    """The text, without its middle when it is longer."""
    return text if len(text) <= limit else f"{text[: limit - 100]} ...({len(text)} characters)... {text[-60:]}"


def expect(kept: bool, expected: str, got: object, exchange: Exchange | None = None) -> None:
    """Raises `Breach` unless `kept`."""
    if not kept:
        raise Breach(expected, got, exchange)


@dataclass(frozen=True, slots=True)
class Law:
    """One law. `side` is `server` or `client`; `examples` how many cases an ordinary run draws; `live`: the law says
    something only about a running server (timing, concurrency, repeated requests), so recordings are not asked;
    `borne`: names of profiles under which a breach is only lenient, because known right servers differ there."""

    id: str
    check: Callable[..., None]
    over: Domain[Any] | None
    needs: frozenset[str]
    level: Level
    source: str
    examples: int
    live: bool
    borne: frozenset[str] = frozenset()

    def level_on(self, profile: str) -> Level:
        """What the law is under that profile."""
        return "should" if profile in self.borne else self.level

    @property
    def side(self) -> Literal["server", "client"]:
        """Which party the law judges."""
        return "server" if self.id.startswith("S-") else "client"

    @property
    def family(self) -> str:
        """The middle part of the id."""
        return self.id.split("-")[1]

    @property
    def description(self) -> str:
        """The whole docstring."""
        return inspect.getdoc(self.check) or ""

    @property
    def title(self) -> str:
        """The first line of the docstring."""
        return self.description.partition("\n")[0].rstrip(".")

    def to_json(self) -> dict[str, Any]:
        """For `list --json`."""
        return {
            "id": self.id,
            "side": self.side,
            "level": self.level,
            "title": self.title,
            "description": self.description,
            "needs": sorted(self.needs),
            "over": self.over.name if self.over else None,
            "source": self.source,
            "live": self.live,
            "borne": sorted(self.borne),
        }


_LAWS: dict[str, Law] = {}


def law(
    id: str,  # noqa: A002 - the name of the field
    *,
    over: Domain[Any] | None = None,
    needs: set[str] | frozenset[str] = frozenset(),
    level: Level = "must",
    source: str,
    examples: int = 10,
    live: bool = False,
    borne: set[str] | frozenset[str] = frozenset(),
) -> Callable[[Function], Function]:
    """Registers a function as a law; a second law of the same id is refused and both are named."""

    def register(check: Function) -> Function:
        if id in _LAWS:
            other = _LAWS[id].check
            raise ValueError(
                f"law {id} is both {other.__module__}.{other.__name__} and {check.__module__}.{check.__name__}"
            )
        if not (id.startswith(("S-", "C-")) and inspect.getdoc(check)):
            raise ValueError(f"law {id!r} needs an id S-... or C-... and a docstring that says it")
        _LAWS[id] = Law(id, check, over, frozenset(needs), level, source, examples, live, frozenset(borne))
        return check

    return register


def laws(side: str | None = None) -> list[Law]:
    """All laws, or those of one side, ordered by id."""
    from contracts import client_laws, server_laws

    server_laws.load()
    client_laws.load()
    return [one for _, one in sorted(_LAWS.items()) if side in (None, one.side)]


def beginning(name: str) -> list[Law]:
    """The laws of that id, or whose ids begin so (any case). Raises `LookupError` that names the nearest."""
    import difflib

    known = laws()
    found = [law for law in known if law.id.startswith(name.upper())]
    if not found:
        near = difflib.get_close_matches(name.upper(), [law.id for law in known], 3)
        hint = f"did you mean {' or '.join(near)}?" if near else "inferneo-contracts list shows all"
        if "," in name:
            hint = "give one to each: --law A --law B"
        raise LookupError(f"no law's id begins with {name}; {hint}")
    return found


def find(name: str) -> Law:
    """The law of that id (any case). Raises `LookupError` that names the nearest ids."""
    import difflib

    known = {one.id: one for one in laws()}
    if name.upper() in known:
        return known[name.upper()]
    near = difflib.get_close_matches(name.upper(), known, 3)
    raise LookupError(
        f"unknown law {name!r}; {'did you mean ' + ' or '.join(near) if near else 'inferneo-contracts list shows all'}"
    )
