"""What the operator allows and denies: exactly that, and nothing beside it."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from chatnode import config_file
from chatnode.config import OutboundSettings
from chatnode.errors import StartError
from chatnode.outbound.addresses import parse_target
from chatnode.outbound.errors import Blocked
from chatnode.outbound.policy import EgressPolicy
from tests.outbound.sites import PUBLIC, purpose


def verdict(
    url: str,
    *addresses: str,
    allow: Sequence[str] = (),
    deny: Sequence[str] = (),
    own: Sequence[str] = (),
    nat64: bool = False,
    https_only: bool = False,
) -> str:
    """Empty if a request may be sent, else why not. `addresses` are the host's, or the URL's own."""
    policy = EgressPolicy(OutboundSettings(allow=tuple(allow), deny=tuple(deny), nat64=nat64))
    kind, mine = purpose(https_only=https_only), [ip_network(text) for text in own]
    try:
        target = parse_target(url)
        policy.check_target(target, kind)
        for text in addresses or [target.host]:
            policy.check_address(target, ip_address(text), kind, mine)
    except Blocked as refused:
        return refused.why
    return ""


def test_a_public_host_may_be_reached_at_the_usual_ports() -> None:
    assert verdict("https://example.org/", PUBLIC) == ""
    assert verdict("http://example.org/", PUBLIC, "2606:2800:21f::1") == ""
    assert "port" in verdict("https://example.org:22/", PUBLIC)
    assert "https://" in verdict("http://example.org/", PUBLIC, https_only=True)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1", "100.64.0.1", "0.0.0.0", "224.0.0.1",
        "255.255.255.255", "::1", "::", "::ffff:93.184.215.14", "::93.184.215.14", "64:ff9b::5db8:d70e", "fec0::1",
        "64:ff9b:1::1", "2002:5db8:d70e::", "2001:0:5db8:d70e::", "fc00::1", "fe80::1", "ff02::1", "3fff::1",
    ],
)  # fmt: skip
def test_one_address_that_is_not_public_is_enough(address: str) -> None:
    assert "not public" in verdict("https://example.org/", address)
    assert "not public" in verdict("https://example.org/", PUBLIC, address)
    assert "not public" in verdict("https://example.org/", address, PUBLIC)


def test_the_verdict_does_not_name_the_private_address() -> None:
    assert "10." not in verdict("https://example.org/", "10.11.12.13")


def test_an_address_of_this_machine_is_refused_although_it_is_public() -> None:
    assert "this machine" in verdict("https://example.org/", PUBLIC, own=[PUBLIC])
    assert "this machine" in verdict(f"https://{PUBLIC}/", own=["93.184.215.0/24"])
    assert "this machine" in verdict("https://example.org/", "64:ff9b::5db8:d70e", own=[PUBLIC], nat64=True)
    assert verdict("https://example.org/", PUBLIC, own=[PUBLIC], allow=[PUBLIC]) == ""


ALLOWED = [
    # allow, URL, address, may it be reached?
    ("10.1.0.0/16", "http://10.1.2.3/", None, True),
    ("10.1.0.0/16", "http://10.2.0.1/", None, False),
    ("10.1.0.0/16", "http://a.example/", "10.1.0.1", True),
    ("10.1.0.0/16", "http://a.example:8080/", "10.1.0.1", False),
    ("10.1.0.0/16", "http://intranet/", "10.1.0.1", False),  # names for private use are allowed by name
    ("10.1.0.0/16", "http://[::ffff:10.1.0.1]/", None, False),
    ("10.1.0.0/16", "http://[2002:a01:1::]/", None, False),
    ("10.1.0.5", "http://10.1.0.5/", None, True),
    ("10.1.0.5", "http://10.1.0.50/", None, False),
    ("10.1.0.5:8080", "http://10.1.0.5:8080/", None, True),
    ("10.1.0.5:8080", "http://10.1.0.5/", None, False),
    ("10.1.0.5:8080", "http://10.1.0.5:80800/", None, False),
    ("[fd00::5]:8080", "http://[fd00::5]:8080/", None, True),
    ("[fd00::5]:8080", "http://[fd00::5]/", None, False),
    ("fd00::/8", "https://a.example/", "fd12::1", True),
    ("ntfy.lan", "http://ntfy.lan/", "192.168.1.7", True),
    ("ntfy.lan", "http://NTFY.lan./", "192.168.1.7", True),
    ("ntfy.lan", "http://ntfy.lan:8080/", "192.168.1.7", False),
    ("ntfy.lan:8080", "http://ntfy.lan:8080/", "192.168.1.7", True),
    ("ntfy.lan:8080", "http://ntfy.lan/", "192.168.1.7", False),
    ("ntfy.lan:8080", "http://evil.ntfy.lan:8080/", "192.168.1.7", False),
    ("ntfy.lan:8080", "http://evilntfy.lan:8080/", "192.168.1.7", False),
    ("ntfy.lan:8080", "http://ntfy.lan.evil.example:8080/", "192.168.1.7", False),
    ("ntfy.lan:8080", "http://192.168.1.7:8080/", None, False),
    ("localhost:8080", "http://localhost:8080/", "127.0.0.1", True),
    ("localhost:8080", "http://a.localhost:8080/", "127.0.0.1", False),
    ("bücher.example", "http://xn--bcher-kva.example/", "10.0.0.1", True),
]


@pytest.mark.parametrize(("allow", "url", "address", "reached"), ALLOWED)
def test_what_is_allowed_is_exact(allow: str, url: str, address: str | None, reached: bool) -> None:
    """Without TLS too, which is for the operator to decide."""
    assert (verdict(url, *([address] if address else []), allow=[allow], https_only=True) == "") == reached


def test_a_mixed_answer_is_refused_unless_all_of_it_is_allowed() -> None:
    assert verdict("http://a.example/", "10.1.0.1", "10.2.0.1", allow=["10.1.0.0/16"]) != ""
    assert verdict("http://a.example/", "10.1.0.1", PUBLIC, allow=["10.1.0.0/16"]) == ""


METADATA_URLS = [
    ("http://169.254.169.254/", "169.254.169.254"), ("http://[fd00:ec2::254]/", "fd00:ec2::254"),
    ("http://100.100.100.200/", "100.100.100.200"), ("http://168.63.129.16/", "168.63.129.16"),
]  # fmt: skip


@pytest.mark.parametrize(("url", "address"), METADATA_URLS)
def test_metadata_services_are_reached_only_if_named_exactly(url: str, address: str) -> None:
    assert "metadata" in verdict(url)
    assert "metadata" in verdict(url, allow=["0.0.0.0/0", "::/0"])
    assert "metadata" in verdict("http://a.example/", address, allow=["a.example", "0.0.0.0/0", "::/0"])
    assert verdict(url, allow=[address]) == ""


def test_metadata_services_are_found_inside_ipv6() -> None:
    for form in ("::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::"):
        assert "metadata" in verdict(f"http://[{form}]/", allow=["::/0"], nat64=True)


@pytest.mark.parametrize(
    ("deny", "url", "address"),
    [
        ("example.org", "https://example.org/", PUBLIC),
        ("93.184.0.0/16", "https://example.org/", PUBLIC),
        ("93.184.0.0/16", f"https://{PUBLIC}/", PUBLIC),
        ("93.184.0.0/16", "https://example.org/", "64:ff9b::5db8:d70e"),
        ("example.org:443", "https://example.org/", PUBLIC),
    ],
)
def test_what_is_denied_is_refused_even_if_it_is_allowed_too(deny: str, url: str, address: str) -> None:
    for allow in ([], ["example.org", "0.0.0.0/0", "::/0"]):
        assert "denied" in verdict(url, address, deny=[deny], allow=allow, nat64=True)


def test_denying_is_exact_too() -> None:
    assert verdict("https://www.example.org/", PUBLIC, deny=["example.org", "93.185.0.0/16"]) == ""
    assert verdict("https://example.org/", PUBLIC, deny=["example.org:80"]) == ""


def test_nat64_is_for_networks_that_have_it() -> None:
    assert verdict("https://example.org/", "64:ff9b::5db8:d70e", nat64=True) == ""
    assert "not public" in verdict("https://example.org/", "64:ff9b::a00:1", nat64=True)


# ---- settings


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10.1.2.3/16", "10.1.0.0/16"), ("10.0.0.5", "10.0.0.5"), ("10.0.0.5:80", "10.0.0.5:80"),
        ("FD00::5", "fd00::5"), ("[fd00::5]", "fd00::5"), ("[fd00::5]:80", "[fd00::5]:80"),
        ("::ffff:10.0.0.5", "10.0.0.5"), (" Ntfy.LAN. ", "ntfy.lan"), ("ntfy.lan:8080", "ntfy.lan:8080"),
        ("bücher.example:1", "xn--bcher-kva.example:1"), ("localhost", "localhost"),
    ],
)  # fmt: skip
def test_rules_are_normalized(text: str, read: str) -> None:
    assert OutboundSettings(allow=(text,), deny=(text,)).allow == (read,)


@pytest.mark.parametrize(
    "text",
    [
        "", "*", "*.lan", "http://ntfy.lan", "ntfy.lan/x", "ntfy.lan:0", "ntfy.lan:99999", "ntfy.lan:http",
        "10.0.0.5/33", "10.0.0.0/8:80", "127.1", "0x7f000001", "fe80::1%eth0", "[fd00::5", "a b", "ntfy.lan,other.lan",
    ],
)  # fmt: skip
def test_a_rule_that_cannot_be_understood_stops_the_start(text: str, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    file.write_text(f"[outbound]\nallow = [{text!r}]\n")
    with pytest.raises(StartError, match=r"outbound\.allow is .*; expected a network, an address or the exact name"):
        config_file.load(file)


def test_a_wrong_proxy_stops_the_start_and_its_password_is_not_shown(tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    for text in ("proxy:3128", "socks5://u:hunter2@p:1", "http://u:hunter2@p:1/x", "http://u:hunter2@"):
        file.write_text(f"[outbound]\nproxy = {text!r}\n")
        with pytest.raises(StartError, match=r"outbound\.proxy is not valid; expected http://") as stopped:
            config_file.load(file)
        assert "hunter2" not in str(stopped.value)
    file.write_text("[outbound]\nproxy = 'http://u:hunter2@proxy.example:3128'\n")
    assert "hunter2" not in repr(config_file.load(file))
