"""The APIs of one environment: an address from the beginning, a server as soon as somebody needs
one.
"""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from pytest_lambda_lifecycle.api.server import ApiServer
from pytest_lambda_lifecycle.function.variables import NO_LISTENER
from pytest_lambda_lifecycle.isolation.parts.lines import close_lines, end_lines, watch_line
from pytest_lambda_lifecycle.isolation.parts.threads import end_threads, function_thread

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.registry import Registry
    from pytest_lambda_lifecycle.api.routes import Routes
    from pytest_lambda_lifecycle.api.runtime_api import View
    from pytest_lambda_lifecycle.api.telemetry.hub import TelemetryHub
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.timeline import Timeline

__all__ = ["Endpoint"]

_ENDING_S: Final = 1.0
"""Seconds that the function's threads get to end with their process."""


class Endpoint:
    """Registry, telemetry, routes and server behind ``AWS_LAMBDA_RUNTIME_API``."""

    registry: Registry
    hub: TelemetryHub

    def __init__(
        self,
        config: FunctionConfig,
        *,
        timeline: Timeline,
        view: View,
        now_us: Callable[[], int],
        threads: Callable[[], StartedThreads],
        is_functions: Callable[[], bool],
        importing: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """``view`` tells how the runtime stands; it is asked from the server's threads.

        ``threads`` are the function's; ``is_functions`` says whether what runs now on this thread
        is function code. ``importing`` is entered around imports, which happen amid function code.
        """
        self.note: Callable[[Event], None] = timeline.append
        """Takes what threads of ours report; they exist only once it is `opened`."""
        self.opened = False
        self.token = str(uuid.uuid4())
        """``AWS_LAMBDA_METADATA_TOKEN``."""
        self._config = config
        self._timeline = timeline
        self._view = view
        self._now_us = now_us
        self._threads = threads
        self._is_functions = is_functions
        self._importing = importing
        self._routes = routes = list["Routes"]()
        """One, once this is `opened`.  The server knows the list alone: what is forgotten is freed
        at once.
        """
        self._server = ApiServer(lambda call: routes[0](call))
        self._opening = threading.Lock()
        self._externals: tuple[str, ...] = ()
        self._first = 0
        self._callers: WeakSet[threading.Thread] = WeakSet()
        self._sockets: WeakSet[Any] = WeakSet()

    @property
    def address(self) -> str:
        """``"host:port"``; until it is bound, and where that is not possible, one that refuses
        every connection.
        """
        return self._server.address or NO_LISTENER

    @property
    def port(self) -> tuple[str, int] | None:
        """Host and port, if it is bound."""
        host, _, port = self._server.address.partition(":")
        return (host, int(port)) if port else None

    def bind(self) -> None:
        """Take an address.  Where sockets are forbidden there is none, and function code is refused
        as before.
        """
        try:
            self._server.bind()
        except OSError:
            if self._externals:
                raise

    def begin(self, externals: tuple[str, ...], first: int) -> None:
        """Begin a generation of processes, whose Init starts at index ``first`` of the timeline."""
        self._externals, self._first = externals, first
        self.bind()
        if self.opened:
            self.registry.begin(externals)
            self.hub.begin(first)

    def open(self, *, serve: bool = True) -> None:
        """Make what is behind the address, and serve it, unless all extensions are in this process
        so far.
        """
        with self._opening:
            if not self.opened:
                with self._importing():
                    self._make()
                self.opened = True
            if serve:
                self._server.serve()

    def load(self) -> None:
        """Import what will be needed, so that it takes no time of an Init."""
        with self._importing():
            import pytest_lambda_lifecycle.api.registry
            import pytest_lambda_lifecycle.api.routes
            import pytest_lambda_lifecycle.api.telemetry.hub  # noqa: F401

    def _make(self) -> None:
        import pytest_lambda_lifecycle.api.connection  # noqa: F401  # the server's threads import it otherwise
        from pytest_lambda_lifecycle.api.registry import Registry
        from pytest_lambda_lifecycle.api.routes import Routes
        from pytest_lambda_lifecycle.api.runtime_api import LocalRuntimeApi
        from pytest_lambda_lifecycle.api.telemetry.hub import TelemetryHub
        from pytest_lambda_lifecycle.api.telemetry.records import records

        config, self.note = self._config, self._timeline.open_inbox()
        self.registry = Registry(config, note=self.note, now_us=self._now_us)
        self.hub = TelemetryHub(
            timeline=self._timeline,
            project=lambda events, schema: records(events, config, schema=schema),
            note=self.note,
            now_us=self._now_us,
        )
        runtime = LocalRuntimeApi(config, self._view)
        self._routes.append(Routes(self.registry, runtime, self.hub, token=self.token))
        self.registry.begin(self._externals)
        self.hub.begin(self._first)

    def connected(self, connection: Any) -> None:  # noqa: ANN401  # a socket, or what a tool has in its place
        """Be told that somebody connects; a thread of the function's may be an extension, and ends
        with the process.
        """
        self.open()
        self.bound(connection)
        if function_thread() is not None:
            self._callers.add(threading.current_thread())

    def bound(self, connection: Any) -> None:  # noqa: ANN401
        """Be told of a socket of the function's at which somebody may wait, to end it with the
        process.
        """
        if self.used(connection):
            watch_line(connection)

    def used(self, connection: Any) -> bool:  # noqa: ANN401
        """Be told of a socket, to close it with the process if it is the function's; returns
        whether it is.
        """
        if not self._is_functions():
            return False
        with contextlib.suppress(TypeError):  # a tool's own
            self._sockets.add(connection)
        return True

    def resting(self) -> set[threading.Thread]:
        """Return the function's threads that wait for an answer of ours: as extensions do."""
        return self._threads().waiting_at(self.port[1]) if self.opened and self.port else set()

    @property
    def in_use(self) -> bool:
        """Whether the function has called us, or has sockets of its own."""
        return self.opened or len(self._sockets) > 0

    def end(self) -> None:
        """End a generation: nobody is answered any more, and the function's threads that called
        end.
        """
        if self.opened:
            self.hub.end()
        threads, callers = (
            self._threads(),
            [thread for thread in self._callers if thread.is_alive()],
        )
        sockets = list(self._sockets)
        self._sockets.clear()

        def release() -> None:
            end_lines(sockets)
            if self.opened:
                self.registry.end()
                self._server.drop_connections()

        end_threads(threads.alive(), self.resting().union(callers), release, _ENDING_S)
        self._callers.clear()
        close_lines(
            sockets
        )  # a port must be free for the next process, and Python complains of what nobody closes

    def close(self) -> None:
        """Free the address."""
        self._server.close()
