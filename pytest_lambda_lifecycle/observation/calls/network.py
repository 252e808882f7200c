"""The closed network: which hosts function code may reach.

Nothing here patches or asks for anything but the hosts file and the addresses of this machine.
"""

from __future__ import annotations

import re
import socket
from _socket import socket as _PlainSocket  # the class of `socket` is for tools to replace
from collections.abc import Iterable
from enum import Enum
from typing import Any, Final

from pytest_lambda_lifecycle.function.hosts import (
    METADATA_ADDRESSES,
    METADATA_NAMES,
    Address,
    address_of,
    network_of,
    plain_name,
)

__all__ = ["Answer", "NetworkPolicy", "is_metadata"]

_HOSTS_FILE: Final = "/etc/hosts"
_LOCAL: Final = (".localhost", ".local", ".internal")
_open: Final = open  # a test may replace it
_gethostname: Final = socket.gethostname
_PORT: Final = 9
"""Any port: no packet is sent."""


def is_metadata(name: str) -> bool:
    """Say whether a plain name is that of cloud metadata, or one of its addresses."""
    return name in METADATA_NAMES or address_of(name) in METADATA_ADDRESSES


class Answer(Enum):
    """The answer of the policy about a host."""

    PASSES = "passes"
    REFUSED = "refused"
    """Unless the setting ``network`` is ``"warn"``."""
    NEVER = "never"
    """Refused whatever the settings say: the metadata of the machine that runs the tests."""


class NetworkPolicy:
    """The hosts that one function may reach, and the addresses that their names stand for."""

    def __init__(self, mode: str, allow: Iterable[str]) -> None:
        """Take the settings ``network`` and ``network_allow``, checked."""
        self.mode = mode
        self._networks: list[Any] = [*filter(None, map(network_of, allow))]
        names = [entry for entry in allow if network_of(entry) is None]
        self._names = frozenset(name for name in names if "*" not in name)
        self._wildcards = [
            re.compile(re.escape(name).replace(r"\*", ".*")) for name in names if "*" in name
        ]
        self._resolved: set[Address] = set()
        self._own: dict[Address, bool] = {}
        self._in_hosts_file: frozenset[str] | None = None

    def ask(self, host: object) -> Answer:
        """Say whether function code may look this host up, and connect to it."""
        name = plain_name(host)
        if not name:  # `socket` reads it as this machine, or refuses it
            return Answer.PASSES
        address = address_of(name)
        if is_metadata(name):
            return Answer.NEVER
        if self.mode == "allow":
            return Answer.PASSES
        passes = self._has_name(name) if address is None else self._has_address(address)
        return Answer.PASSES if passes else Answer.REFUSED

    def resolved(self, addresses: Iterable[object]) -> None:
        """Let the addresses pass that a name which may be reached has been resolved to."""
        found = (address_of(plain_name(address)) for address in addresses)
        self._resolved.update(address for address in found if address is not None)

    def _has_name(self, name: str) -> bool:
        return (
            "." not in name
            or name.endswith(_LOCAL)
            or name in self._names
            or any(wildcard.fullmatch(name) for wildcard in self._wildcards)
            or self.in_hosts_file(name)
            or name == plain_name(_gethostname())
        )

    def _has_address(self, address: Address) -> bool:
        return (
            address.is_loopback
            or address.is_unspecified
            or address in self._resolved
            or any(address in network for network in self._networks)
            or self._is_own(address)
        )

    def in_hosts_file(self, name: str) -> bool:
        """Say whether the hosts file has a plain name, so that no server is asked for it."""
        if self._in_hosts_file is None:
            try:
                with _open(_HOSTS_FILE, encoding="utf-8", errors="replace") as file:
                    lines = file.read().splitlines()
            except OSError:
                lines = []
            names = (name for line in lines for name in line.partition("#")[0].split()[1:])
            self._in_hosts_file = frozenset(map(plain_name, names))
        return name in self._in_hosts_file

    def _is_own(self, address: Address) -> bool:
        known = self._own.get(address)
        if known is None:
            known = self._own[address] = _is_own(address)
        return known


def _is_own(address: Address) -> bool:
    """Say whether an address is one of this machine's.

    The kernel is asked for the way there: for an own address it begins at that address.  A UDP
    socket that is connected sends nothing.  (It could also be bound to the address, but Linux binds
    sockets to broadcast and multicast addresses as well, which are other machines'.)
    """
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    try:
        probe = _PlainSocket(family, socket.SOCK_DGRAM)
    except OSError:  # this machine has no IPv6
        return False
    try:
        probe.connect((str(address), _PORT))
        return bool(probe.getsockname()[0] == str(address))
    except OSError:
        return False
    finally:
        probe.close()
