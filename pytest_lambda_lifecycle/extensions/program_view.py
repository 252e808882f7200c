"""`ExtensionProgram`: an extension that is an executable, as a test sees it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from pytest_lambda_lifecycle.lifecycle.extension_events import ExtensionLog, ExtensionNotified

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["ExtensionProgram"]


class ExtensionProgram:
    """An extension that is an executable, of a layer or named by its path."""

    def __init__(self, name: str, path: Path, timeline: Timeline) -> None:
        self.name = name
        """The name under which it registers: that of its file."""
        self.path = path
        """The file."""
        self._timeline = timeline

    @property
    def events(self) -> list[dict[str, object]]:
        """The events that it has received, as the Extensions API gives them."""
        notified = self._timeline.of(ExtensionNotified)
        return [dict(one.event) for one in notified if one.extension == self.name]

    @property
    def log(self) -> str:
        """Its output."""
        return "".join(
            one.text for one in self._timeline.of(ExtensionLog) if one.extension == self.name
        )

    def __repr__(self) -> str:
        return f"<ExtensionProgram {self.name!r}: {len(self.events)} events>"
