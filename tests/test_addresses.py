"""Two spellings of one address, network or origin are one; what names none is refused in words that help."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.addresses import (
    Bind,
    below,
    client_key,
    is_among,
    is_base_path,
    is_loopback,
    is_same_host,
    parse_address,
    parse_bind,
    parse_hop,
    parse_url,
    read_base_path,
    read_network,
    read_origin,
    read_public_url,
)

# ---- addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("203.0.113.9", "203.0.113.9"),
        (" 203.0.113.9 ", "203.0.113.9"),
        ("2001:DB8:0:0::7", "2001:db8::7"),
        ("[2001:db8::7]", "2001:db8::7"),
        ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]", "fe80::1"),
        ("::ffff:203.0.113.9", "203.0.113.9"),
        ("::ffff:cb00:7109", "203.0.113.9"),
        ("[203.0.113.9]", None),
        ("203.0.113.9%eth0", None),
        ("203.0.113.09", None),
        ("203.0.113", None),
        ("3405803785", None),
        ("٢٠٣.0.113.9", None),
        ("localhost", None),
        ("[]", None),
        ("", None),
    ],
)
def test_an_address_has_many_spellings(text: str, address: str | None) -> None:
    found = parse_address(text)
    assert (found if found is None else str(found)) == address


@pytest.mark.parametrize(
    ("hop", "address"),
    [
        ("203.0.113.9:51234", "203.0.113.9"),
        ("[2001:db8::7]:443", "2001:db8::7"),
        ('"[2001:db8::7]:443"', "2001:db8::7"),
        ("2001:db8:1:2:3:4:5:6:443", "2001:db8:1:2:3:4:5:6"),
        ("[::ffff:203.0.113.9]:51234", "203.0.113.9"),
        ("2001:db8::7", "2001:db8::7"),
        ("203.0.113.9:x", None),
        ("203.0.113.9:", None),
        ("unknown", None),
        ("_hidden:80", None),
        ("for=203.0.113.9", None),
    ],
)
def test_a_port_behind_a_forwarded_address_is_cut_off(hop: str, address: str | None) -> None:
    found = parse_hop(hop)
    assert (found if found is None else str(found)) == address


@given(st.ip_addresses(v=4), st.integers(0, 65_535))
def test_an_ipv4_address_is_itself_whatever_stands_around_it(address: IPv4Address, port: int) -> None:
    assert parse_hop(f"{address}:{port}") == parse_hop(f"[::ffff:{address}]:{port}") == parse_address(str(address))


@given(st.text(alphabet="0123456789abcdefx.:[]%/\"' *", max_size=30))
def test_whatever_is_said_is_an_address_or_nothing(text: str) -> None:
    found = parse_hop(text)
    assert found is None or parse_address(str(found)) == found
    client_key(text)


def test_a_64_of_ipv6_is_one_client_and_an_ipv4_address_is_another() -> None:
    first = {client_key(f"2001:db8:0:1:{number}::{number}") for number in range(12)}
    assert first == {client_key("2001:db8:0:1::")}
    assert client_key("2001:db8:0:2::1") not in first
    assert client_key("2001:db8:0:1::1%eth0") in first
    assert client_key("203.0.113.9") == client_key("::ffff:203.0.113.9") != client_key("203.0.113.10")
    assert client_key("somewhere") == "somewhere"
    assert client_key("") == ""


def test_loopback_in_every_spelling() -> None:
    for address in ("127.0.0.1", "127.8.8.8", "::1", "[::1]", "::ffff:127.0.0.1"):
        assert is_loopback(address), address
    for address in ("localhost", "10.0.0.1", "::", "::2", "64:ff9b::7f00:1", ""):
        assert not is_loopback(address), address


# ---- networks


@pytest.mark.parametrize(
    ("text", "network"),
    [
        ("10.0.0.5", "10.0.0.5"),
        ("10.0.0.0/8", "10.0.0.0/8"),
        ("10.1.2.3/8", "10.0.0.0/8"),
        (" 2001:DB8::/32 ", "2001:db8::/32"),
        ("[::1]", "::1"),
        ("::ffff:10.0.0.5", "10.0.0.5"),
        ("::ffff:10.0.0.0/104", "10.0.0.0/8"),
        ("fe80::1%eth0", "fe80::1"),
    ],
)
def test_a_network_has_many_spellings(text: str, network: str) -> None:
    assert read_network(text) == network
    assert read_network(network) == network


@pytest.mark.parametrize(
    "text", ["localhost", "proxy.internal", "*", "", "10.0.0.5:80", "10.0.0.0/33", "10.0.0.0/", "/8", "10.0.0.*", "10."]
)
def test_what_is_no_network_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"an address or network, such as 10\.0\.0\.5"):
        read_network(text)


def test_an_address_is_in_its_networks() -> None:
    networks = ("10.0.0.0/8", "2001:db8::/32", "::ffff:192.0.2.0/120", "203.0.113.9")
    for address in ("10.0.0.1", "::ffff:10.255.0.1", "2001:db8:1::9", "192.0.2.7", "203.0.113.9"):
        assert is_among(address, networks), address
    for address in ("11.0.0.1", "2001:db9::1", "192.0.3.1", "203.0.113.90", "10.0.0.0/8", "", "localhost"):
        assert not is_among(address, networks), address
    assert not is_among("10.0.0.1", ())


# ---- origins


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://chat.example.org", "https://chat.example.org"),
        ("https://chat.example.org/", "https://chat.example.org"),
        ("HTTPS://Chat.Example.ORG", "https://chat.example.org"),
        ("https://chat.example.org:443", "https://chat.example.org"),
        ("http://chat.example.org:80/", "http://chat.example.org"),
        ("http://chat.example.org:443", "http://chat.example.org:443"),
        ("https://chat.example.org:08443", "https://chat.example.org:8443"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        ("https://straße.example", "https://xn--strae-oqa.example"),
        ("http://[0:0::1]:8008", "http://[::1]:8008"),
        ("http://my_host", "http://my_host"),
    ],
)
def test_an_origin_is_what_browsers_send(text: str, origin: str) -> None:
    assert read_origin(text) == origin
    assert read_origin(origin) == origin


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("*", "http://"),
        ("null", "http://"),
        ("chat.example.org", "http://"),
        ("//chat.example.org", "http://"),
        ("wss://chat.example.org", "http://"),
        ("file:///x", "http://"),
        ("https://", "no host"),
        ("https://ann@chat.example.org", "http://"),
        ("https://chat.example.org?x", "http://"),
        ("https://chat.example.org#x", "http://"),
        ("https://chat.example.org/app", "use https://chat.example.org"),
        ("https://*.example.org", "not a valid host name"),
        ("https://chat example.org", "not a valid host name"),
        ("https://chat..example.org", "not a valid host name"),
        ("https://chat\n.example.org", "not a valid host name"),
        ("http://127.1", "not a valid host name"),
        ("http://0x7f000001", "not a valid host name"),
        ("http://[127.0.0.1]", "not an IPv6 address"),
        ("http://[fe80::1%eth0]", "zone"),
        ("https://chat.example.org:0", "0 is not a port"),
        ("https://chat.example.org:65536", "65536 is not a port"),
        ("https://chat.example.org:https", "http://"),
    ],
)
def test_an_origin_that_no_browser_sends_is_refused(text: str, part: str) -> None:
    with pytest.raises(ValueError, match=part):
        read_origin(text)


@given(st.text(max_size=40), st.text(max_size=10))
def test_an_origin_that_is_taken_stays_as_it_is(host: str, end: str) -> None:
    try:
        origin = read_origin(f"https://{host}{end}")
    except ValueError:
        return
    assert read_origin(origin) == origin
    assert origin.isascii()


def test_a_public_url_may_have_a_path() -> None:
    assert read_public_url("https://Example.org:443/Chat/") == "https://example.org/Chat"
    assert read_public_url("") == ""
    for text in ("chat.example.org", "https://example.org/?a=b", "https://example.org/a b", "http://0.0.0.0:8008"):
        with pytest.raises(ValueError, match=r"\w"):
            read_public_url(text)


def test_a_base_path_is_a_path_that_is_not_the_nodes_own() -> None:
    assert [read_base_path(text) for text in ("", "/", " /chat/ ", "/a/b-c.d_e~f", "/%D1%87")] == [
        "", "", "/chat", "/a/b-c.d_e~f", "/%D1%87",
    ]  # fmt: skip
    for text in (
        "chat",
        "/a b",
        "/a//b",
        "/a;b",
        "/../x",
        "/.",
        "//",
        "/a?b",
        "/ä",
        "/%d",
        "/v1",
        "/plugins/x",
        "/health",
    ):
        assert not is_base_path(text), text
    with pytest.raises(ValueError, match="the node's own paths begin with /v1"):
        read_public_url("https://example.org/v1")
    assert [below(path, "/chat") for path in ("/chat", "/chat/", "/chat/x", "/chatter", "/x/chat", "/")] == [
        "", "/", "/x", "/chatter", "/x/chat", "/",
    ]  # fmt: skip


def test_the_host_of_a_request_is_that_of_its_page() -> None:
    page = parse_url("https://chat.example.org")
    for host in ("chat.example.org", "Chat.Example.Org", "chat.example.org:443"):
        assert is_same_host(page, host), host
    others = ("", "evilchat.example.org", "example.org", "chat.example.org:80", "chat.example.org.evil.org", "a, b")
    for host in (*others, "chat.example.org/x", "ann@chat.example.org", "["):
        assert not is_same_host(page, host), host
    assert is_same_host(parse_url("http://[::1]:8008"), "[0::1]:8008")


# ---- where to listen


@pytest.mark.parametrize(
    ("text", "bind", "url"),
    [
        ("127.0.0.1:8008", Bind("127.0.0.1", 8008), "http://127.0.0.1:8008"),
        ("[::1]:8008", Bind("::1", 8008), "http://[::1]:8008"),
        ("localhost:8008", Bind("localhost", 8008), "http://localhost:8008"),
        ("8008", Bind("localhost", 8008), "http://localhost:8008"),
        (":8008", Bind("localhost", 8008), "http://localhost:8008"),
        ("*:8008", Bind("*", 8008), "http://localhost:8008"),
        ("0.0.0.0:8008", Bind("0.0.0.0", 8008), "http://127.0.0.1:8008"),
        ("[::]:8008", Bind("::", 8008), "http://[::1]:8008"),
        ("Chat.Example.Org:80", Bind("chat.example.org", 80), "http://chat.example.org"),
    ],
)
def test_where_to_listen_and_what_can_be_opened(text: str, bind: Bind, url: str) -> None:
    assert parse_bind(text) == bind
    assert bind.url("http", bind.port) == url


@pytest.mark.parametrize(
    "text",
    ["", "localhost", "127.0.0.1", "127.0.0.1:", "127.0.0.1:http", "127.0.0.1:65536", "127.0.0.1:-1", "::²", "::1:8008",
     "[::1]", "http://127.0.0.1:8008", "127.0.0.1:80 80", "[127.0.0.1]:80", "a..b:80", "a b:80", "127.1:80"],
)  # fmt: skip
def test_what_nobody_can_listen_on_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"address and a port|not a valid host name|not an IPv6 address"):
        parse_bind(text)


@given(st.ip_addresses(v=6), st.integers(1, 65_535))
def test_an_ipv6_address_to_listen_on_is_in_brackets(address: IPv6Address, port: int) -> None:
    assert parse_bind(f"[{address}]:{port}") == Bind(str(address), port)
