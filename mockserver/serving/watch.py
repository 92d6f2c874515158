"""Hot reload: a script file is read again when it changes.

Laws: the change is atomic, a request meets the old script or the new one; a file that cannot be read or means nothing
keeps the old one, and the reason is told with line and column. Sessions that were armed by other means are left alone.
"""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mockserver.count import counted
from mockserver.errors import MockError
from mockserver.scripting.script import Script
from mockserver.serving.brain import ScriptBrain

if TYPE_CHECKING:
    from mockserver.serving.server import MockServer


class Watcher:
    """Watches `path` for a server: `load` reads the script, `tell` is given one line for each change."""

    def __init__(
        self, server: MockServer, path: str | Path, load: Callable[[], Script], tell: Callable[[str], object]
    ) -> None:
        self._server = server
        self._path = Path(path).resolve()
        self._load = load
        self._tell = tell
        self._stop = asyncio.Event()

    async def run(self) -> None:
        """Until `stop`."""
        from watchfiles import awatch  # part of uvicorn[standard]; only --watch needs it

        folder, name = self._path.parent, str(self._path)
        changes = awatch(
            folder,
            watch_filter=lambda _, changed: changed == name,
            stop_event=self._stop,
            debounce=50,
            step=10,
            recursive=False,
        )
        async for _ in changes:
            self.reload()

    def stop(self) -> None:
        """The watching ends soon."""
        self._stop.set()

    def reload(self) -> bool:
        """Read the file now; whether the new script is in force."""
        server = self._server
        try:
            script = self._load()
            settings = dataclasses.replace(server.settings, script=script)
            settings.answerer(settings.read().profile)
        except FileNotFoundError:
            self._tell(f"{self._path}: the file is gone; the script before it stays in force until there is one again")
            return False
        except OSError as error:
            self._tell(f"{self._path}: cannot be read: {error.strerror or error}; the script before it stays in force")
            return False
        except (MockError, ValueError) as error:
            self._tell(f"{error}; the script before it stays in force")
            return False
        old = server.settings.read()
        server.settings = settings
        for name in list(server.sessions):
            brain = server.sessions.get(name).brain
            if isinstance(brain, ScriptBrain) and brain.script == old:
                brain.load(script)
        self._tell(f"{self._path}: read again, {counted(len(script.rules), 'rule')}")
        return True
