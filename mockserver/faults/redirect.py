"""The server sends the client elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random
from typing import Annotated

from mockserver.errors import ScriptError
from mockserver.plan import Head, Plan
from mockserver.settings import Range

from .fault import Fault, fault
from .status import replaced


@fault("redirect", "head", status=307, location="http://127.0.0.2:9/v1/elsewhere")
@dataclass(frozen=True, slots=True)
class Redirect(Fault):
    """A redirect instead of the answer, to `location`; by default to the very same path, so it never ends.

    With another origin as `location` it shows whether credentials leak; with `status` 302 or 303 whether a POST
    becomes a GET.
    """

    status: Annotated[int, Range(300, 399)] = 307
    location: str = "?again"

    def check(self) -> None:
        """A location is one line of ASCII."""
        if not self.location.isascii() or not self.location.isprintable():
            raise ScriptError(f"a location is printable ASCII, got {self.location!r}", "location")

    def rewrite(self, plan: Plan, rng: Random) -> Plan:
        """Another response."""
        fields = ((b"location", self.location.encode()), (b"content-length", b"0"))
        return replaced(plan, Head(self.status, fields), b"")
