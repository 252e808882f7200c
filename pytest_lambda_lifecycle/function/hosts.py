"""Names and addresses of hosts, and the setting that lists those which function code may reach.

A host is written in many ways: ``EXAMPLE.com.``, bytes, ``bücher.example``, ``fe80::1%eth0``,
``::ffff:127.0.0.1``, and the forms of IPv4 that the C library takes (``127.1``, ``2130706433``,
``0x7f000001``).  So each is brought into one form before it is compared.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from socket import inet_aton
from typing import Final, TypeAlias

from pytest_lambda_lifecycle.errors import ConfigError
from pytest_lambda_lifecycle.function.kinds import Given, Kind

__all__ = [
    "METADATA_ADDRESSES",
    "METADATA_NAMES",
    "Address",
    "Hosts",
    "Network",
    "address_of",
    "network_of",
    "plain_name",
]

Address: TypeAlias = IPv4Address | IPv6Address
Network: TypeAlias = IPv4Network | IPv6Network

METADATA_ADDRESSES: Final = frozenset(map(ip_address, ("169.254.169.254", "fd00:ec2::254")))
"""The instance metadata of EC2 and of other clouds: credentials of the machine that tests.

No Lambda function reaches it.
"""
METADATA_NAMES: Final = frozenset(
    "metadata.google.internal metadata.goog instance-data instance-data.ec2.internal".split()
)
"""Names of those addresses."""

# The C library reads a number of one to four parts, each decimal, octal or hexadecimal.
_NUMBERS: Final = re.compile(r"[0-9][0-9a-fx]*(\.[0-9][0-9a-fx]*){0,3}")
_LABEL: Final = r"[a-z0-9_*]([a-z0-9_*-]*[a-z0-9_*])?"
_PATTERN: Final = re.compile(rf"{_LABEL}(\.{_LABEL})*")
_BROADCAST: Final = "<broadcast>"
"""Python's own spelling of 255.255.255.255."""


def plain_name(host: object) -> str:
    """Return a host in lower case, in ASCII and without the dot at its end.

    It is ``""`` for a host that names none: None, or an object that `socket` refuses.
    """
    if isinstance(host, (bytes, bytearray)):
        host = host.decode("latin-1")
    if not isinstance(host, str):
        return ""
    name = host
    if not name.isascii():
        try:
            name = name.encode("idna").decode()
        except UnicodeError:  # `socket` will raise it as well
            name = host
    return name.lower().removesuffix(".")


def address_of(name: str) -> Address | None:
    """Return the address that a plain name spells; None for a name that has to be looked up."""
    try:
        if ":" in name:
            address = IPv6Address(name.partition("%")[0])
            return address.ipv4_mapped or address
        if _NUMBERS.fullmatch(name):
            return IPv4Address(inet_aton(name))
    except (OSError, ValueError):
        return None
    return IPv4Address("255.255.255.255") if name == _BROADCAST else None


def network_of(entry: str) -> Network | None:
    """Return the range of addresses that an entry of ``network_allow`` spells; None for a name."""
    try:
        if "/" in entry:
            return ip_network(entry, strict=False)
        address = address_of(entry)
        return None if address is None else ip_network(address)
    except ValueError:
        return None


class Hosts(Kind):
    """Names of hosts, with ``*`` for any text in them, addresses, and ranges of addresses."""

    ini_type = "args"
    takes = (
        "a list of host names, wildcards such as '*.example.com', addresses and CIDR ranges such "
        "as '10.0.0.0/8'"
    )
    limits = "names, wildcards such as *.example.com, addresses, CIDR ranges"

    def check(self, given: Given) -> tuple[str, ...]:
        """Return the hosts, each in one form."""
        hosts = given.items("host names, addresses and CIDR ranges")
        return tuple(self._checked(host, given.source) for host in hosts)

    def _checked(self, host: object, source: str) -> str:
        entry = plain_name(host).strip() if isinstance(host, str) else ""
        network = network_of(entry)
        alone = network[0] if network is not None and network.num_addresses == 1 else None
        if entry in METADATA_NAMES or alone in METADATA_ADDRESSES:
            raise ConfigError(
                f"network_allow has {host!r}, which is always refused (from {source})",
                "It is the instance metadata of the machine that runs the tests; no Lambda "
                "function reaches it.",
                code="LLC202",
            )
        last = entry.rpartition(".")[2]
        is_name = bool(_PATTERN.fullmatch(entry)) and bool(re.search("[a-z]", last))
        if network is None and not is_name:
            raise ConfigError(
                f"network_allow has {host!r}, which is no host (from {source})",
                f"It takes {self.takes}.",
                *_hint(entry),
                code="LLC202",
            )
        return entry


def _hint(entry: str) -> list[str]:
    """Return the line that says what was probably meant."""
    if entry == "*":
        return ["Hint: network='allow' opens the whole network."]
    inner = re.sub(r"^[a-z0-9+.-]*://", "", entry).partition("/")[0].rpartition("@")[2]
    if inner.startswith("["):
        inner = inner[1:].partition("]")[0]
    elif inner.count(":") == 1:
        inner = inner.partition(":")[0]
    meant = inner != entry and (network_of(inner) or _PATTERN.fullmatch(inner))
    return [f"Hint: did you mean {inner!r}?  It counts for every port."] if meant else []
