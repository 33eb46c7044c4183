from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from moorage.core.proxies import Client, Proxies

PROXIES = Proxies(tuple(map(ip_network, ("127.0.0.1", "10.1.0.0/16", "2001:db8:1::/48"))))
PROXY = Client("10.1.0.1", secure=False)
STRANGER = Client("198.51.100.7", secure=False)


def headers(*values: str, name: str = "x-forwarded-for") -> list[tuple[bytes, bytes]]:
    return [(b"host", b"x"), *((name.encode(), value.encode("latin-1")) for value in values)]


def seen(*values: str, peer: str = PROXY.address) -> str:
    return PROXIES.client(Client(peer, secure=False), headers(*values)).address


@pytest.mark.parametrize(
    ("values", "client"),
    [
        ([], "10.1.0.1"),
        (["203.0.113.9"], "203.0.113.9"),
        (["  203.0.113.9  "], "203.0.113.9"),
        (["203.0.113.9:51234"], "203.0.113.9"),
        (["2001:db8::9"], "2001:db8::9"),
        (["2001:DB8:0::9"], "2001:db8::9"),
        (["[2001:db8::9]"], "2001:db8::9"),
        (["[2001:db8::9]:51234"], "2001:db8::9"),
        (["::ffff:203.0.113.9"], "203.0.113.9"),
        (["fe80::9%eth0"], "fe80::9"),
    ],
)
def test_a_proxy_names_its_client(values: list[str], client: str) -> None:
    assert seen(*values) == client


@pytest.mark.parametrize(
    ("values", "client"),
    [
        # What the client has sent itself stands in front.
        (["192.0.2.1, 203.0.113.9"], "203.0.113.9"),
        (["127.0.0.1, 203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1", "203.0.113.9"], "203.0.113.9"),
        (["192.0.2.1,", ",203.0.113.9"], "203.0.113.9"),
        (["<script>, 203.0.113.9"], "203.0.113.9"),
        # Several proxies, each of which names the one before it.
        (["203.0.113.9, 10.1.0.2"], "203.0.113.9"),
        (["192.0.2.1, 203.0.113.9, 2001:db8:1::2, 10.1.0.2"], "203.0.113.9"),
        (["192.0.2.1", "203.0.113.9, 10.1.0.3", "10.1.0.2"], "203.0.113.9"),
        # A proxy of somebody else's.
        (["203.0.113.9, 198.51.100.7, 10.1.0.2"], "198.51.100.7"),
        # A client that is a proxy: the one that is furthest.
        (["10.1.0.3, 10.1.0.2"], "10.1.0.3"),
    ],
)
def test_the_client_is_the_first_from_the_right_that_is_no_proxy(values: list[str], client: str) -> None:
    assert seen(*values) == client


@pytest.mark.parametrize(
    "garbage", ["", " ", "unknown", "unix:", "_hidden", "203.0.113", "203.0.113.999", "[", "1 2", "\xff"]
)
def test_nothing_is_believed_from_garbage_on(garbage: str) -> None:
    assert seen(garbage) == "10.1.0.1"
    assert seen(f"{garbage}, 10.1.0.2") == "10.1.0.2"
    assert seen(f"203.0.113.9, {garbage}") == "10.1.0.1"


@given(st.lists(st.text(st.characters(max_codepoint=255)), max_size=4))
def test_whatever_is_said_the_answer_is_an_address(values: list[str]) -> None:
    assert str(ip_address(seen(*values))) == seen(*values)


@given(st.lists(st.ip_addresses().map(str), max_size=4))
def test_nobody_else_is_believed(values: list[str]) -> None:
    said = [*headers(*values), *headers("https", name="x-forwarded-proto")]

    assert PROXIES.client(STRANGER, said) == STRANGER
    assert Proxies().client(PROXY, said) == PROXY


@given(st.text(st.characters(max_codepoint=255)), st.ip_addresses(network="203.0.113.0/24").map(str))
def test_no_client_can_pass_for_another(sent: str, address: str) -> None:
    assert seen(sent, address) == seen(f"{sent},{address}") == address


@pytest.mark.parametrize("peer", ["::ffff:127.0.0.1", "127.0.0.1", "2001:db8:1::5"])
def test_a_proxy_is_known_by_either_form_of_its_address(peer: str) -> None:
    assert seen("203.0.113.9", peer=peer) == "203.0.113.9"


@pytest.mark.parametrize(
    ("values", "by_tls", "without"),
    [
        ([], True, False),
        (["https"], True, True),
        ([" HTTPS "], True, True),
        (["http"], False, False),
        (["wss"], True, False),
        ([""], True, False),
        # The proxy's own word is the last one.
        (["https, http"], False, False),
        (["http, https"], True, True),
        (["https", "http"], False, False),
        (["https", "garbage"], True, False),
    ],
)
def test_a_proxy_says_whether_its_client_came_by_tls(values: list[str], by_tls: bool, without: bool) -> None:  # noqa: FBT001 - columns of a table
    said = headers(*values, name="x-forwarded-proto")

    assert PROXIES.client(Client("127.0.0.1", secure=True), said).secure is by_tls
    assert PROXIES.client(Client("127.0.0.1", secure=False), said).secure is without
