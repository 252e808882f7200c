"""The APIs of one environment: an address from the beginning, and a server for the first client."""

from __future__ import annotations

import contextlib
import threading
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from functools import partial
from typing import TYPE_CHECKING, Any, Final
from weakref import WeakSet

from pytest_lambda_lifecycle.api.server import ApiServer
from pytest_lambda_lifecycle.errors import LifecycleError
from pytest_lambda_lifecycle.function.variables import NO_LISTENER
from pytest_lambda_lifecycle.isolation.parts.sockets import (
    close_sockets,
    end_sockets,
    watch_socket,
)
from pytest_lambda_lifecycle.isolation.parts.threads import end_threads, function_thread

if TYPE_CHECKING:
    from pytest_lambda_lifecycle.api.registry import Registry
    from pytest_lambda_lifecycle.api.routes import Routes
    from pytest_lambda_lifecycle.api.runtime_api import View
    from pytest_lambda_lifecycle.api.telemetry.hub import TelemetryHub
    from pytest_lambda_lifecycle.function.config import FunctionConfig
    from pytest_lambda_lifecycle.isolation.parts.threads import StartedThreads
    from pytest_lambda_lifecycle.lifecycle.events import Event
    from pytest_lambda_lifecycle.lifecycle.timeline import WritableTimeline

__all__ = ["Endpoint"]

_ENDING_S: Final = 1.0
"""Seconds in which threads of the function have to end with their process."""


class Endpoint:
    """Registry, telemetry, routes and server behind ``AWS_LAMBDA_RUNTIME_API``."""

    registry: Registry
    hub: TelemetryHub

    def __init__(
        self,
        config: FunctionConfig,
        *,
        timeline: WritableTimeline,
        view: View,
        now_us: Callable[[], int],
        threads: Callable[[], StartedThreads],
        runs_function_code: Callable[[], bool],
        importing: Callable[[], AbstractContextManager[None]],
        clash_at: Callable[..., str],
    ) -> None:
        """Take the parts of the environment that the APIs need.

        ``view`` is called on threads of the server, ``now_us`` on any thread.  ``threads`` returns
        those of the function, and ``runs_function_code`` says whether the present thread does so.
        ``importing`` is entered around imports, since function code may be running.
        ``clash_at`` says of a port and this address who of another environment listens there.
        """
        self.note: Callable[[Event], None] = timeline.append
        """Records an event; once this is `opened`, any thread may call it."""
        self.opened = False
        self.registration_closed = False
        """Init has ended, so that no internal extension may register any more."""
        self.token = str(uuid.uuid4())
        """``AWS_LAMBDA_METADATA_TOKEN``."""
        self._config = config
        self._timeline = timeline
        self._view = view
        self._now_us = now_us
        self._threads = threads
        self._runs_function_code = runs_function_code
        self._importing = importing
        self._clash_at = clash_at
        # It has one element once this is opened.  The server refers to the list and not to this
        # object: without a circle of references, a closed environment is freed at once.
        routes = list["Routes"]()
        self._routes = routes
        self._server = ApiServer(lambda call: routes[0](call))
        self._opening = threading.Lock()
        self._externals: tuple[str, ...] = ()
        self._first = 0
        self._callers: WeakSet[threading.Thread] = WeakSet()
        self._sockets: WeakSet[Any] = WeakSet()

    @property
    def address(self) -> str:
        """``"host:port"``; an address that refuses every connection if it is not bound."""
        return self._server.address or NO_LISTENER

    @property
    def port(self) -> tuple[str, int] | None:
        """Host and port, if it is bound."""
        host, _, port = self._server.address.partition(":")
        return (host, int(port)) if port else None

    def bind(self) -> None:
        """Take an address.

        If sockets are forbidden here, there is none, and connections are refused; with external
        extensions that is a `LifecycleError`.
        """
        try:
            self._server.bind()
        except OSError as problem:
            if self._externals:
                raise LifecycleError(
                    "cannot serve Lambda's APIs to the extensions "
                    f"{', '.join(self._externals)}: {problem}",
                    "This is no fault of function code.  The APIs need an address of 127.0.0.1, "
                    "and each environment takes one file descriptor for it (ulimit -n).",
                    code="LLC114",
                ) from problem

    def begin(self, externals: tuple[str, ...], first: int) -> None:
        """Begin a generation of processes, whose Init starts at index ``first`` of the timeline."""
        self._externals = externals
        self._first = first
        self.registration_closed = False
        self.bind()
        if self.opened:
            self.registry.begin(externals)
            self.hub.begin(first)

    def open(self, *, serve: bool = True) -> None:
        """Make the objects behind the address; without ``serve`` only this process uses them."""
        with self._opening:
            if not self.opened:
                with self._importing():
                    self._make()
                self.opened = True
            if serve:
                self._server.serve()

    def load(self) -> None:
        """Import the modules that `open` needs, so that no Init spends time on it."""
        with self._importing():
            import pytest_lambda_lifecycle.api.registry
            import pytest_lambda_lifecycle.api.routes
            import pytest_lambda_lifecycle.api.telemetry.hub  # noqa: F401

    def _make(self) -> None:
        # Otherwise a thread of the server would import it, beside function code.
        import pytest_lambda_lifecycle.api.connection  # noqa: F401
        from pytest_lambda_lifecycle.api.registry import Registry
        from pytest_lambda_lifecycle.api.routes import Routes
        from pytest_lambda_lifecycle.api.runtime_api import LocalRuntimeApi
        from pytest_lambda_lifecycle.api.telemetry.hub import TelemetryHub
        from pytest_lambda_lifecycle.api.telemetry.records import records

        config = self._config
        self.note = self._timeline.open_inbox()
        self.registry = Registry(config, note=self.note, now_us=self._now_us)
        self.hub = TelemetryHub(
            timeline=self._timeline,
            project=lambda events, schema: records(events, config, schema=schema),
            note=self.note,
            now_us=self._now_us,
            end_of=partial(_end_of, self.registry),
            clash_at=partial(self._clash_at, address=self.address),
        )
        runtime = LocalRuntimeApi(config, self._view)
        self._routes.append(Routes(self.registry, runtime, self.hub, token=self.token))
        self.registry.begin(self._externals)
        if self.registration_closed:
            self.registry.close_registration()
        self.hub.begin(self._first)

    # The sockets are `Any`, since a tool may have replaced the class.

    def connected(self, connection: Any) -> None:  # noqa: ANN401
        """Note that a socket connects to this address.

        A thread of the function that does so may be an extension: it ends with the process.
        """
        self.open()
        self.bound(connection)
        if function_thread() is not None:
            self._callers.add(threading.current_thread())

    def bound(self, connection: Any) -> None:  # noqa: ANN401
        """Note a socket at which a thread of the function may wait, to end the wait in time."""
        if self.used(connection):
            watch_socket(connection)

    def used(self, connection: Any) -> bool:  # noqa: ANN401
        """Note a socket; return whether function code made it, so that it ends with the process."""
        if not self._runs_function_code():
            return False
        with contextlib.suppress(TypeError):  # the class of a tool may have no weak references
            self._sockets.add(connection)
        return True

    def listens_at(self, port: int) -> bool:
        """Say whether function code has a socket that is bound to a port."""
        for one in list(self._sockets):
            with contextlib.suppress(OSError, IndexError, TypeError):  # it is closed, or a path
                if one.getsockname()[1] == port:
                    return True
        return False

    def drop_telemetry(self, extension: str) -> None:
        """Stop delivering telemetry to an extension; see `TelemetryHub.drop_destination`."""
        self.open(serve=False)  # without a hub nobody has subscribed, as with a new one
        self.hub.drop_destination(extension)

    def resting(self) -> set[threading.Thread]:
        """Return the threads of the function that wait for an answer, as extensions do."""
        return self._threads().waiting_at(self.port[1]) if self.opened and self.port else set()

    def rests(self) -> bool:
        """Say whether each internal extension waits for its next event, and none is there."""
        return self.opened and self.registry.internal_ones_rest()

    @property
    def in_use(self) -> bool:
        """Whether function code has called an API, or has sockets of its own."""
        return self.opened or len(self._sockets) > 0

    def end(self) -> None:
        """End a generation: no call is answered any more, and the threads that called end."""
        if self.opened:
            self.hub.end()
        threads = self._threads()
        callers = [thread for thread in self._callers if thread.is_alive()]
        sockets = list(self._sockets)
        self._sockets.clear()

        def release() -> None:
            end_sockets(sockets)
            if self.opened:
                self.registry.end()
                self._server.drop_connections()

        end_threads(threads.alive(), self.resting().union(callers), release, _ENDING_S)
        self._callers.clear()
        # The next process may need the port, and Python warns of a socket that nobody closes.
        close_sockets(sockets)

    def close(self) -> None:
        """Free the address."""
        self._server.close()


def _end_of(registry: Registry, name: str) -> str:
    """Return how the process of an extension has ended: ``"early"``, ``"late"`` or ``""``.

    Early is before the shutdown.  An extension that runs, and an unknown one, have not ended.
    """
    for agent in registry.agents:
        if agent.name == name and agent.exit_code is not None:
            return "early" if agent.ended_early else "late"
    return ""
