"""The models a server has: their ids (which hold slashes), and what it says of each.

List and get say the same of a model, because one document makes both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from mockserver.model.profile import Profile, ProfileError
from mockserver.model.template import COMPACT


class Models:
    """The models of a profile, or those that replace them: names, or objects with more than the `id`."""

    def __init__(self, profile: Profile, given: Sequence[str | Mapping[str, Any]] | None = None) -> None:
        defaults = profile.option("model_defaults", {})
        known = {entry["id"]: entry for entry in profile.option("models", [])}
        self.entries: dict[str, dict[str, Any]] = {}
        for entry in known.values() if given is None else given:
            if isinstance(entry, str):
                entry = known.get(entry, {"id": entry})
            if not isinstance(entry.get("id"), str) or not entry["id"]:
                raise ProfileError(f"a model has a text as id, this one is {dict(entry)!r}")
            self.entries[entry["id"]] = {**defaults, **entry}
        self._profile = profile
        self._any = profile.option("unknown_model") == "echo"

    def knows(self, model: str) -> bool:
        """Whether requests for that model are served."""
        return self._any or model in self.entries

    def setting(self, model: str, name: str, default: Any) -> Any:
        """A setting of one model (`context`, `dimensions`)."""
        entry = self.entries.get(model) or self._profile.option("model_defaults", {})
        return entry.get(name, default)

    @property
    def ids(self) -> list[str]:
        """All ids, in order."""
        return list(self.entries)

    @property
    def served(self) -> str:
        """All ids in one text, for an error."""
        return ", ".join(self.entries) or "none"

    def document(self, model: str, now: float) -> bytes:
        """The model object; `created: "now"` is the time of the answer, as the engine has it."""
        values = dict(self.entries[model])
        if values.get("created") == "now":
            values["created"] = int(now)
        encode = self._profile.style.encode
        return self._profile.documents["model"].fill({name: encode(value) for name, value in values.items()})

    def listed(self, now: float) -> bytes:
        """The list object."""
        comma = b"," if self._profile.style == COMPACT else b", "
        items = comma.join(self.document(model, now) for model in self.entries)
        return self._profile.documents["models"].fill({"models": b"[" + items + b"]"})
