"""The table of public addresses, against IANA's registries written as data; and how URLs are read."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from chatnode.outbound.addresses import METADATA, is_public_name, parse_target, public, with_embedded
from chatnode.outbound.errors import Blocked

NOT_REACHABLE = [
    # iana-ipv4-special-registry: what is not globally reachable
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/29",
    "192.0.0.8/32", "192.0.0.170/32", "192.0.0.171/32", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24",
    "192.88.99.2/32", "192.168.0.0/16", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
    "255.255.255.255/32",
    # and multicast
    "224.0.0.0/4",
    # iana-ipv6-special-registry
    "::1/128", "::/128", "::ffff:0:0/96", "64:ff9b:1::/48", "100::/64", "100:0:0:1::/64", "2001::/32", "2001:2::/48",
    "2001:db8::/32", "2001:10::/28", "2002::/16", "3fff::/20", "5f00::/16", "fc00::/7", "fe80::/10",
    # and what RFC 4291 and others took from unicast: compatible, site-local, multicast
    "::/96", "fec0::/10", "ff00::/8",
]  # fmt: skip
REACHABLE_BUT_SPECIAL = [
    "192.0.0.9/32", "192.0.0.10/32", "64:ff9b::/96", "2001:1::1/128", "2001:1::2/128", "2001:1::3/128", "2001:3::/32",
    "2001:4:112::/48", "2001:20::/28", "2001:30::/28",
]  # fmt: skip
"""Anycast, translation and identifiers: nobody has a web server there, so the table refuses them too."""
PLAIN_BUT_LISTED = ["192.31.196.0/24", "192.52.193.0/24", "192.175.48.0/24", "2620:4f:8000::/48"]
"""AS112 and AMT: listed, and hosts like any others."""
UNASSIGNED_V6 = [str(network) for network in ip_network("::/0").address_exclude(IPv6Network("2000::/3"))]

CLOSED = [ip_network(text) for text in (*NOT_REACHABLE, *REACHABLE_BUT_SPECIAL, *UNASSIGNED_V6)]
ALSO_CLOSED = [ip_network("192.0.0.0/24"), ip_network("2001::/23")]
"""Blocks of which only parts are assigned; the rest is for future protocols."""


def addresses_in(network: IPv4Network | IPv6Network) -> st.SearchStrategy[IPv4Address | IPv6Address]:
    first = network.network_address
    return st.integers(0, network.num_addresses - 1).map(lambda offset: first + offset)


@given(st.sampled_from(CLOSED + ALSO_CLOSED).flatmap(addresses_in))
def test_no_special_address_is_public(address: IPv4Address | IPv6Address) -> None:
    assert not public(address)


@pytest.mark.parametrize("network", [*NOT_REACHABLE, *REACHABLE_BUT_SPECIAL])
def test_the_ends_of_special_networks_are_not_public(network: str) -> None:
    block = ip_network(network)
    assert not public(block[0])
    assert not public(block[-1])


@given(st.one_of(st.ip_addresses(v=4), addresses_in(IPv6Network("2000::/3"))))
def test_every_other_address_is_public(address: IPv4Address | IPv6Address) -> None:
    assert public(address) == (not any(address in network for network in CLOSED + ALSO_CLOSED))


@pytest.mark.parametrize("network", PLAIN_BUT_LISTED)
def test_listed_networks_with_ordinary_hosts_are_public(network: str) -> None:
    assert public(ip_network(network)[1])


@given(st.ip_addresses(v=4))
def test_nat64_is_judged_by_the_address_in_it_and_only_if_the_operator_has_it(inside: IPv4Address) -> None:
    outside = IPv6Address(int(IPv6Address("64:ff9b::")) | int(inside))
    assert not public(outside)
    assert public(outside, nat64=True) == public(inside)


@pytest.mark.parametrize(
    "address",
    [
        "::ffff:127.0.0.1", "::127.0.0.1", "::ffff:0:127.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b:1::127.0.0.1",
        "2002:7f00:1::", "2001:0:1234::80ff:fffe",
    ],
)  # fmt: skip
def test_an_ipv4_address_is_found_inside_ipv6(address: str) -> None:
    assert IPv4Address("127.0.0.1") in set(with_embedded(ip_address(address)))


def test_an_address_with_a_zone_is_not_public() -> None:
    assert not public(ip_address("2606:2800:21f::1%eth0"))


def test_metadata_services_are_known() -> None:
    assert {ip_address(text) for text in ("169.254.169.254", "fd00:ec2::254", "100.100.100.200")} <= METADATA
    assert ip_address("168.63.129.16") in METADATA  # which the table of addresses alone would let through
    assert public(ip_address("168.63.129.16"))


# ---- URLs


@pytest.mark.parametrize(
    ("url", "read"),
    [
        ("https://example.org", "https://example.org/"),
        ("HTTPS://EXAMPLE.org:443/A?b#c", "https://example.org/A?b"),
        ("http://example.org:8080", "http://example.org:8080/"),
        ("http://example.org.", "http://example.org/"),
        ("http://example.org:/x", "http://example.org/x"),
        ("http://example.org?x", "http://example.org/?x"),
        ("https://bücher.example/käse?für=1", "https://xn--bcher-kva.example/k%C3%A4se?f%C3%BCr=1"),
        ("https://example.org/a%20b?c=%2F&d=e/f?g", "https://example.org/a%20b?c=%2F&d=e/f?g"),
        ('https://example.org/a\\b<>"{}|^`', "https://example.org/a%5Cb%3C%3E%22%7B%7D%7C%5E%60"),
        ("http://93.184.215.14/", "http://93.184.215.14/"),
        ("http://[2606:2800:21F:0::1]:81/", "http://[2606:2800:21f::1]:81/"),
        ("https://example.org/?q=user@host:1", "https://example.org/?q=user@host:1"),
    ],
)
def test_a_url_is_read_as_browsers_do(url: str, read: str) -> None:
    assert parse_target(url).url == read


@pytest.mark.parametrize(
    "url",
    [
        "", "example.org", "//example.org/", "http:", "http:example.org", "http:/example.org", "http:///example.org",
        "file:///etc/passwd", "gopher://example.org/", "ftp://example.org/", "javascript:alert(1)", "data:text/html,x",
        "http://", "http://:80/", "http://.", "http://..", "http://.example.org", "http://a..example.org",
        "http://user@example.org", "http://user:word@example.org", "http://@example.org", "http://a@b@example.org",
        "http://example.org\\@93.184.215.14", "http:\\\\example.org", "http://93.184.215.14\\.example.org",
        "http://example.org%2f@evil.example", "http://%31%32%37.0.0.1", "http://example.org%00.example.net",
        "http://[::1%25lo]/", "http://[fe80::1%eth0]/", "http://[::1", "http://::1/", "http://[::1]x/", "http://[]/",
        "http://[127.0.0.1]/", "http://[v1.x]/", "http://[[::1]]/",
        "http://example.org:0/", "http://example.org:65536/", "http://example.org:+80/", "http://example.org:8 0/",
        "http://example.org:٨٠/", "http://example.org:80:80/", "http://example.org:-1/",
        " http://example.org", "http://example.org ", "http://exa mple.org", "http://example.org/a b",
        "ht\ntp://example.org", "http://example.org/\r\nHost: x", "http://example.org/\t", "http://example.org/\x00",
        "http://2130706433", "http://0x7f000001", "http://0x7f.1", "http://0177.0.0.1", "http://017700000001",
        "http://127.1", "http://127.0.1", "http://0", "http://1.2.3.4.5", "http://256.1.1.1", "http://1.2.3.0x4",
        "http://a.0x7f", "http://example.1", "http://℀.example", "http://-\ud800.example", "http://example.org/\ud800",
        "http://exa$mple.org", "http://" + "a" * 64 + ".example", "http://" + "a." * 127 + "example",
        "http://example.org/" + "a" * 2_048, "http://example.org/" + "ä" * 1_000, "http://exa;mple.org",
    ],
)  # fmt: skip
def test_a_url_that_could_be_read_in_two_ways_is_refused(url: str) -> None:
    with pytest.raises(Blocked) as refused:
        parse_target(url)
    assert "evil" not in refused.value.why
    assert "/etc" not in refused.value.why


@given(st.text(max_size=40))
def test_any_text_is_a_target_or_refused(text: str) -> None:
    for url in (text, f"http://{text}", f"http://example.org/{text}", f"http://{text}@example.org"):
        try:
            target = parse_target(url)
        except Blocked:
            continue
        assert target.url.isascii()
        assert target.url.isprintable()
        assert parse_target(target.url) == target
        assert target.host == target.host.lower().rstrip(".")


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://①②⑦.0.0.1", "127.0.0.1"),
        ("http://１２７．０．０．１", "127.0.0.1"),
        ("http://127。0。0。1", "127.0.0.1"),
        ("http://ⓛⓞⓒⓐⓛⓗⓞⓢⓣ", "localhost"),
        ("http://lo\u00adcal\u200bhost", "localhost"),
        ("http://LOCALHOST...", "localhost"),
    ],
)
def test_letters_that_look_alike_become_the_host_that_is_judged(url: str, host: str) -> None:
    assert parse_target(url).host == host


@pytest.mark.parametrize(
    ("name", "is_public"),
    [
        ("example.org", True), ("93.184.215.14", True), ("2606:2800:21f::1", True), ("localhost", False),
        ("a.localhost", False), ("printer.local", False), ("metadata.google.internal", False), ("intranet", False),
        ("1.0.0.127.in-addr.arpa", False), ("localhost.localdomain", False), ("local.example", True),
    ],
)  # fmt: skip
def test_names_for_private_use_are_not_public(name: str, is_public: bool) -> None:
    assert is_public_name(name) == is_public
