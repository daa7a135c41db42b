"""Which network addresses lie on the public internet: nothing of a machine's own, of its networks, or of nobody."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

GLOBAL_UNICAST = IPv6Network("2000::/3")
NAT64 = IPv6Network("64:ff9b::/96")
"""IPv4 addresses as networks that have IPv6 alone reach them (RFC 6052)."""

NOT_PUBLIC: tuple[Network, ...] = (
    IPv4Network("192.0.0.0/24"),  # protocol assignments
    IPv4Network("192.88.99.0/24"),  # 6to4 relays (RFC 7526)
    IPv6Network("2001::/23"),  # Teredo, ORCHID and other special purposes
    IPv6Network("2002::/16"),  # 6to4, which holds an IPv4 address
    IPv6Network("3fff::/20"),  # documentation
)
"""What `ipaddress` calls global, or may in a later version, and nobody should be reached by."""


def is_reachable(address: Address, allowed: Sequence[Network] = ()) -> bool:
    """Whether a request that somebody else chose may go to `address`: it is public, or in an `allowed` network."""
    inner = _inner(address)
    return is_public(inner) or any(one in network for one in (address, inner) for network in allowed)


def is_public(address: Address) -> bool:
    """Whether `address` is on the public internet, and one machine's."""
    if address.is_multicast or address.is_reserved or not address.is_global:
        return False
    if isinstance(address, IPv6Address) and address not in GLOBAL_UNICAST:
        return False
    return not any(address in network for network in NOT_PUBLIC)


def strict_address(host: str) -> Address | None:
    """Return the address that `host` is in its one usual spelling, or None for a name.

    Raises ValueError for what is neither: `127.1`, `0x7f.1`, `2130706433` and `0177.0.0.1` are an address to some
    libraries and a name to others, and between two opinions there is room for a trick.
    """
    try:
        return ip_address(host.removeprefix("[").removesuffix("]"))
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
        if ":" in host or last.isdigit() or last.startswith("0x"):
            raise ValueError("is no usual spelling of an address") from None
        return None


def _inner(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 address stands for, where there is one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address
