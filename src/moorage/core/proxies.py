"""Who asks, where a proxy stands in between.

A proxy appends the address that it was asked from to X-Forwarded-For; everything to the left of that was said by whoever asked
it. So the header is read from the right, for as long as those who speak are proxies that are trusted.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

_FOR, _PROTO = b"x-forwarded-for", b"x-forwarded-proto"
_SCHEMES = {b"https": True, b"http": False}


@dataclass(frozen=True, slots=True)
class Client:
    """An address, and whether its connection was by TLS."""

    address: str
    secure: bool


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that are trusted; the one at the other end of a connection may speak for its client."""

    networks: Sequence[IPv4Network | IPv6Network] = ()

    def client(self, peer: Client, headers: Iterable[tuple[bytes, bytes]]) -> Client:
        """Return the client of a request that came from ``peer``: itself, unless it is trusted. Names of headers are lower-case.

        A word that cannot be understood is not believed, nor anything to the left of it.
        """
        if not self._trusts(_address(peer.address)):
            return peer
        hops: list[bytes] = []
        schemes: list[bytes] = []
        for name, value in headers:
            if name == _FOR:
                hops += value.split(b",")
            elif name == _PROTO:
                schemes += value.split(b",")
        scheme = schemes[-1].strip().lower() if schemes else b""
        return Client(self._furthest(hops) or peer.address, _SCHEMES.get(scheme, peer.secure))

    def _furthest(self, hops: Sequence[bytes]) -> str | None:
        furthest = None
        for hop in reversed(hops):
            address = _address(hop.decode("latin-1").strip())
            if address is None:
                break
            furthest = str(address)
            if not self._trusts(address):
                break
        return furthest

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self.networks)


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """Return an address, given with or without a port; one of IPv4 within IPv6 is that of IPv4. None for what is none."""
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        # The zone of an IPv6 address is any text.
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    return address.ipv4_mapped or address if isinstance(address, IPv6Address) else address
