"""The modules of the real client, `awslambdaric`, as function code finds them in `sys.modules`.

On Lambda they are there when the function is imported, whatever it has installed.  Function code
finds the class of its context in them (`pickle` does), raises their `FaultException`, and replaces
the marshaller or the encoder.  What it replaces must act here, and must end with its process.  So
these modules are stand-ins: their classes are those of this package, and no two processes share a
module that one of them has looked into.

To fill ten modules for each cold start would take 0.1 ms, and hardly any function looks at them.
So an empty module is filled at the first access to one of its attributes, and processes share the
empty ones.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.machinery import ModuleSpec
from types import FunctionType, ModuleType
from typing import Any, ClassVar, Final

from pytest_lambda_lifecycle.runtimes import client_contents, codec
from pytest_lambda_lifecycle.runtimes.event_request import EventErrors, PatchPoints
from pytest_lambda_lifecycle.runtimes.held_objects import HeldObjects
from pytest_lambda_lifecycle.runtimes.logs import CurrentInvoke

__all__ = ["ClientModules"]

__stands_for__ = "bootstrap"

_CONTENTS: Final = client_contents.__name__
_PACKAGE: Final = "awslambdaric"
_NAMES: Final = (
    _PACKAGE,
    "awslambdaric.lambda_config",
    "awslambdaric.lambda_runtime_exception",
    "awslambdaric.lambda_runtime_marshaller",
    "runtime_client",
    "awslambdaric.lambda_runtime_client",
    "awslambdaric.lambda_context",
    "awslambdaric.lambda_runtime_log_utils",
    "awslambdaric.bootstrap",
    "awslambdaric.lambda_literals",
)
"""The modules that the client has loaded when it imports the handler."""
_BOOTSTRAP: Final = "awslambdaric.bootstrap"
_CLIENT: Final = "awslambdaric.lambda_runtime_client"
_MARSHALLING: Final = frozenset({"awslambdaric.lambda_runtime_marshaller", _CLIENT})


class _EmptyModule(ModuleType):
    """A module that is filled at the first access to an attribute, or at its first change."""

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  # as of any module
        if name == "__spec__":
            spec = ModuleSpec(self.__name__, None, is_package=self.__name__ == _PACKAGE)
            self.__dict__[name] = spec
            return spec
        entered = ClientModules.entered
        if entered is None or (name[:2] == "__" and name not in ("__version__", "__all__")):
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r}")
        entered.fill(self)
        return getattr(self, name)

    def __setattr__(self, name: str, value: object) -> None:
        if ClientModules.entered is not None:
            ClientModules.entered.fill(self)
        ModuleType.__setattr__(self, name, value)

    def __delattr__(self, name: str) -> None:
        if ClientModules.entered is not None:
            ClientModules.entered.fill(self)
        ModuleType.__delattr__(self, name)

    def __dir__(self) -> list[str]:
        if ClientModules.entered is not None:
            ClientModules.entered.fill(self)
        return list(self.__dict__)


def _empty(name: str) -> ModuleType:
    module = _EmptyModule(name)
    namespace = module.__dict__
    del namespace["__spec__"]  # it is made on demand, too
    namespace["__package__"] = name.partition(".")[0] if name.startswith(_PACKAGE) else ""
    if name == _PACKAGE:
        namespace["__path__"] = []
    return module


def _not_begun(_: object) -> Any:  # noqa: ANN401  # stands for the encoder
    raise RuntimeError("encode() was called before begin()")


def _is_none_of_test(_: BaseException) -> bool:
    return False


_NO_INVOKE: Final = CurrentInvoke()
_EMPTY: Final = {name: _empty(name) for name in _NAMES}
_LENGTH: Final = len(_EMPTY[_PACKAGE].__dict__) + 1
"""The number of names in the empty package, with ``__spec__``."""


class ClientModules:
    """The modules of one process."""

    entered: ClassVar[ClientModules | None] = None
    """Those of the environment that is entered."""

    def __init__(self) -> None:
        self._own: dict[str, ModuleType] = {}
        self.marshals = False
        """Function code has looked into a module that decides how results are encoded."""
        self._points: PatchPoints | None = None
        self._client: Any = None
        self.passes_through: Callable[[BaseException], bool] = _is_none_of_test
        """Says which exceptions are control flow of the test."""
        self.events: EventErrors | None = None
        """Serves the events of a process that has looked into the modules that do."""
        self.decode: Callable[[bytes, str], Any] = codec.decode
        """Decodes the event of an invoke, by the marshaller where function code may change it."""
        self.encode: Callable[[object], Any] = _not_begun
        """The same for results."""
        self.current = _NO_INVOKE
        self.held = HeldObjects()
        """The exceptions that the process has reported."""

    def begin(self, encode: Callable[[object], Any]) -> None:
        """Begin a process; *encode* encodes its results, until function code changes that."""
        if not self.marshals:
            self.encode = encode

    def enter(self) -> dict[str, ModuleType]:
        """Return the modules by name, to be in place from now on."""
        ClientModules.entered = self
        # The import system, or the end of a phase, may have bound a module of an earlier process.
        if len(_EMPTY[_PACKAGE].__dict__) > _LENGTH:
            _EMPTY[_PACKAGE] = _empty(_PACKAGE)
        return {**_EMPTY, **self._own} if self._own else _EMPTY.copy()

    def leave(self) -> None:
        """Note that they are in place no longer."""
        ClientModules.entered = None

    def discard(self) -> None:
        """Forget those of a process that has ended."""
        self._own = {}
        if self.marshals:
            self.marshals = False
            self._points = self._client = self.events = None
        self.decode, self.encode = codec.decode, _not_begun
        self.held.discard()

    def filled(self, name: str) -> ModuleType:
        """Return one of the modules with its contents."""
        full = f"{_PACKAGE}.{name}"
        if full not in self._own:
            self.fill(_EMPTY[full])
        return self._own[full]

    def seen(self, name: str) -> ModuleType | None:
        """Return one of the modules if function code has looked into it."""
        return self._own.get(f"{_PACKAGE}.{name}")

    def fill(self, module: ModuleType) -> None:
        """Give an empty module its contents; this process has it for itself from now on."""
        if type(module) is not _EmptyModule:
            return
        name = module.__name__
        ModuleType.__setattr__(module, "__class__", ModuleType)
        self._own[name] = module
        _EMPTY[name] = _empty(name)
        if name == _PACKAGE:
            module.__dict__["__version__"] = "4.2.2"
            children = {**_EMPTY, **self._own}
            for child in _NAMES:
                if child.startswith(f"{_PACKAGE}."):
                    module.__dict__[child.rpartition(".")[2]] = children[child]
            return
        make = client_contents.CONTENTS[name.removeprefix(f"{_PACKAGE}.")]
        for key, value in make(self.filled).items():
            if isinstance(value, (FunctionType, type)) and value.__module__ == _CONTENTS:
                value.__module__ = name
            module.__dict__.setdefault(key, value)
        if name in (_BOOTSTRAP, _CLIENT):
            self._note_patch_points(name, module)
        if name in _MARSHALLING:
            self.marshals = True
            self.decode, self.encode = self._unmarshal, self._marshal
        self.show_invoke()

    @property
    def is_patched(self) -> bool:
        """Function code has replaced something by which the client serves events."""
        return self._points is not None and self._points.are_patched()

    def _note_patch_points(self, name: str, module: ModuleType) -> None:
        """Remember what serves events, before function code can replace it."""
        self._points = points = self._points or PatchPoints()
        if name == _CLIENT:
            for cls in module.__dict__["LambdaRuntimeClient"].__mro__[:-1]:
                points.note(cls)
            return
        self.events = EventErrors(self.filled, self.passes_through)
        served = self.events.handle_event_request()
        served.__module__, served.__qualname__ = name, served.__name__
        module.__dict__["handle_event_request"] = served
        points.note(module)

    def runtime_client(self) -> Any:  # noqa: ANN401  # function code may have replaced its class
        """Return the client of the Runtime API that the real `run` has made."""
        if self._client is None:
            address = os.environ.get("AWS_LAMBDA_RUNTIME_API", "")
            self._client = self.filled("lambda_runtime_client").LambdaRuntimeClient(address)
        self._client._posted = []
        return self._client

    def _marshaller(self) -> Any:  # noqa: ANN401  # function code may have replaced it
        return self.filled("lambda_runtime_client").LambdaRuntimeClient.marshaller

    def _unmarshal(self, body: bytes, content_type: str) -> Any:  # noqa: ANN401  # any object
        __tracebackhide__ = __function_code_above__ = True
        self.show_invoke()
        return self._marshaller().unmarshal_request(body, content_type)

    def _marshal(self, response: object) -> Any:  # noqa: ANN401  # a text and its type
        __tracebackhide__ = __function_code_above__ = True
        responses = [response]
        del response  # an exception would keep it, as long as it has frames above this one
        return self._marshaller().marshal_response(responses.pop())

    def show_invoke(self) -> None:
        """Show the latest invoke where function code may look for it."""
        bootstrap = self.seen("bootstrap")
        if bootstrap is not None:
            bootstrap.__dict__["_GLOBAL_AWS_REQUEST_ID"] = self.current.request_id or None
            bootstrap.__dict__["_GLOBAL_TENANT_ID"] = self.current.tenant_id
