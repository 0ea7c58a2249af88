"""Attempts to make the node connect to what only it can reach: each is refused before anything is sent.

A server on this machine's loopback addresses is what they are after. It counts connections.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import AsyncGenerator, Iterator, Sequence
from ipaddress import ip_address, ip_network
from pathlib import Path

import dns.flags
import dns.message
import dns.rdatatype
import dns.resolver
import dns.rrset
import pytest
import trio

from chatnode.config import OutboundSettings
from chatnode.metrics import Metrics
from chatnode.outbound.addresses import parse_target
from chatnode.outbound.errors import Blocked, Failed
from chatnode.outbound.policy import EgressPolicy
from chatnode.outbound.resolve import look_up, own_addresses
from tests.outbound.sites import PUBLIC, Site, answer, answers, outbound, purpose, site

HOSTS = [
    # this machine, in every spelling
    "127.0.0.1", "127.1", "127.0.1", "127.255.255.254", "2130706433", "0x7f000001", "0x7f.1", "0177.0.0.1",
    "017700000001", "0", "0.0.0.0", "①②⑦.0.0.1", "１２７.0.0.1", "127。0。0。1", "127.0.0.1.", "127.0.0.1..",
    "[::1]", "[::]", "[0:0:0:0:0:0:0:1]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]",
    "[::ffff:0:127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]", "[2001:0:7f00:1::]",
    "[::1%25lo]", "[fe80::1%25lo]", "localhost", "LOCALHOST", "localhost.", "a.localhost", "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "localhost.localdomain",
    # private networks, and what has no hosts of the internet
    "10.0.0.1", "172.16.0.1", "192.168.0.1", "169.254.0.1", "100.64.0.1", "192.0.0.1", "192.0.2.1", "192.88.99.1",
    "198.18.0.1", "198.51.100.1", "203.0.113.1", "224.0.0.1", "240.0.0.1", "255.255.255.255", "[fc00::1]", "[fd12::1]",
    "[fe80::1]", "[fec0::1]", "[ff02::1]", "[3fff::1]", "[2001:db8::1]", "[100::1]", "[5f00::1]",
    # clouds
    "169.254.169.254", "[fd00:ec2::254]", "100.100.100.200", "168.63.129.16", "metadata.google.internal",
    # names that only this network knows
    "intranet", "printer.local", "db.internal", "1.0.0.127.in-addr.arpa",
    # hosts that are read in two ways
    "example.org@127.0.0.1", "127.0.0.1@example.org", "example.org\\@127.0.0.1", "127.0.0.1\\.example.org",
    "127.0.0.1%2f@example.org", "127.0.0.1%00.example.org", "127.0.0.1#@example.org", "%31%32%37.0.0.1", "127.0.0.1\t",
]  # fmt: skip
ADDRESSES = [
    "127.0.0.1", "::1", "0.0.0.0", "::", "::ffff:127.0.0.1", "::127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "2001:0:7f00:1::", "fec0::1", "fe80::1", "fe80::1%lo", "10.0.0.1", "192.168.0.1", "169.254.169.254", "224.0.0.1",
]  # fmt: skip
"""What a name of the attacker's may mean."""


@pytest.fixture
async def victim() -> AsyncGenerator[Site]:
    async with site() as there:
        yield there


async def test_the_victim_can_be_reached_by_who_may(victim: Site) -> None:
    """Otherwise the tests below would prove nothing."""
    async with outbound(victim.place) as client:
        assert (await client.request(purpose(), "GET", victim.url())).body == b"ok"
    assert victim.connections == 1


async def test_no_form_of_a_host_is_let_through(victim: Site) -> None:
    async with outbound(names={}) as client:
        let_through = []
        for host in HOSTS:
            try:
                await client.request(purpose(ports=(victim.port,)), "GET", f"http://{host}:{victim.port}/")
            except Blocked:
                continue
            let_through.append(host)
    assert let_through == []
    assert victim.connections == 0


async def test_no_name_that_means_such_an_address_is_let_through(victim: Site) -> None:
    names: dict[str, list[str]] = {}
    async with outbound(names=names) as client:
        for address in ADDRESSES:
            for found in ([address], [PUBLIC, address], [address, PUBLIC]):
                names["evil.example"] = found
                with pytest.raises(Blocked):
                    await client.request(purpose(ports=(victim.port,)), "GET", f"http://evil.example:{victim.port}/")
    assert victim.connections == 0


@pytest.mark.parametrize("form", ["2130706433", "0x7f.1", "0177.0.0.1", "127.1", "127.0.0.1"])
def test_the_table_refuses_what_the_system_makes_of_numbers(form: str) -> None:
    """Even if the URL's reader let such a text through: the address counts, not the text."""
    found = look_up(form)
    assert found == ["127.0.0.1"]
    with pytest.raises(Blocked, match="not public"):
        EgressPolicy(OutboundSettings()).check_address(
            parse_target("http://evil.example/"), ip_address(found[0]), purpose(), []
        )


async def test_no_redirect_leads_there(victim: Site) -> None:
    locations = [f"http://{host}:{victim.port}/" for host in HOSTS if host.isascii() and "\t" not in host]
    locations += [f"//127.0.0.1:{victim.port}/", "file:///etc/passwd", f"http://evil.example:{victim.port}/"]
    kind = purpose(ports=(80, victim.port), redirects=5)
    for status, some in ((302, locations), *((status, locations[:3]) for status in (301, 303, 307, 308))):
        script = answers(*(answer(status=status, location=location) for location in some))
        names = {"hop.example": ["127.0.0.1"], "evil.example": ["127.0.0.1"]}
        async with site(script) as hop, outbound(f"hop.example:{hop.port}", names=names) as client:
            for _ in some:
                with pytest.raises(Blocked):
                    await client.request(kind, "GET", hop.url(host="hop.example"))
            assert len(hop.requests) == len(some)
    assert victim.connections == 0


async def test_an_own_public_address_is_refused_before_it_is_connected_to() -> None:
    async with outbound(names={"me.example": [PUBLIC]}, own=[ip_network(PUBLIC)]) as client:
        for url in ("http://me.example/", f"http://{PUBLIC}/"):
            with pytest.raises(Blocked, match="this machine"):
                await client.request(purpose(), "GET", url)


def test_the_addresses_of_this_machine_are_found() -> None:
    found = own_addresses()
    assert ip_network("127.0.0.1") in found
    for line in Path("/proc/net/if_inet6").read_text().splitlines():
        assert any(ip_address(bytes.fromhex(line[:32])) in network for network in found)


async def test_without_knowing_the_own_addresses_nothing_is_sent() -> None:
    def unreadable() -> frozenset[object]:
        raise PermissionError

    async with outbound(names={"a.example": [PUBLIC]}) as client:
        client._own._read = unreadable  # type: ignore[assignment]
        with pytest.raises(Failed, match="own addresses"):
            await client.request(purpose(), "GET", "http://a.example/")


# ---- a DNS server that changes its answer


class NameServer:
    """Speaks DNS. `turns` are the addresses that it gives, each to one look-up of a type; the last are repeated."""

    def __init__(self, *turns: Sequence[str]) -> None:
        self.port = 0
        self.asked: Counter[str] = Counter()
        self._turns = turns

    async def serve(self, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED, *, port: int = 0) -> None:
        with trio.socket.socket(trio.socket.AF_INET, trio.socket.SOCK_DGRAM) as sock:
            await sock.bind(("127.0.0.1", port))
            self.port = sock.getsockname()[1]
            task_status.started()
            while True:
                data, client = await sock.recvfrom(4_096)
                await sock.sendto(self._reply(dns.message.from_wire(data)).to_wire(), client)

    def _reply(self, query: dns.message.Message) -> dns.message.Message:
        question = query.question[0]
        kind = dns.rdatatype.to_text(question.rdtype)
        found = self._turns[min(self.asked[kind], len(self._turns) - 1)]
        self.asked[kind] += 1
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        addresses = [each for each in found if (":" in each) == (kind == "AAAA")]
        if addresses:
            reply.answer.append(dns.rrset.from_text(question.name, 0, "IN", kind, *addresses))
        return reply

    def look_up(self, host: str) -> list[str]:
        """As the system would; blocks."""
        resolver = dns.resolver.Resolver(configure=False)
        resolver.nameservers, resolver.port, resolver.lifetime = ["127.0.0.1"], self.port, 10.0
        found: list[str] = []
        for kind in ("A", "AAAA"):
            answers = resolver.resolve(host, kind, raise_on_no_answer=False, search=False)
            found += [str(each) for each in answers.rrset or ()]
        return found


async def test_a_name_is_looked_up_once_and_the_judged_address_is_the_one_that_is_used(victim: Site) -> None:
    """The attacker's name means a harmless address when it is judged, and the victim's at any later look-up."""
    server = NameServer(["127.0.0.2"], ["127.0.0.1"])
    async with site(answers(answer(b"harmless", connection="close")), host="127.0.0.2", port=victim.port) as harmless:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            async with outbound(harmless.place, names=server.look_up) as client:
                url, kind = f"http://rebind.example:{victim.port}/", purpose(ports=(victim.port,))
                answered = await client.request(kind, "GET", url)
                assert (answered.body, answered.address) == (b"harmless", "127.0.0.2")
                assert server.asked == {"A": 1, "AAAA": 1}
                with pytest.raises(Blocked, match="not public"):
                    await client.request(kind, "GET", url)
                assert server.asked == {"A": 2, "AAAA": 2}
            nursery.cancel_scope.cancel()
    assert victim.connections == 0


async def test_a_kept_connection_stays_with_the_address_it_was_judged_for(victim: Site) -> None:
    server = NameServer(["127.0.0.2"], ["127.0.0.1"])
    async with site(answers(answer(b"harmless")), host="127.0.0.2", port=victim.port) as harmless:
        async with trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            async with outbound(harmless.place, names=server.look_up) as client:
                for _ in range(3):
                    answered = await client.request(purpose(), "GET", f"http://rebind.example:{victim.port}/")
                    assert answered.address == "127.0.0.2"
            nursery.cancel_scope.cancel()
    assert harmless.connections == 1
    assert server.asked["A"] == 1
    assert victim.connections == 0


async def test_mixed_answers_of_a_server_are_refused(victim: Site) -> None:
    for mixed in (["127.0.0.2", "127.0.0.1"], ["127.0.0.2", "::1"], [PUBLIC, "127.0.0.1"]):
        server = NameServer(mixed)
        async with site(host="127.0.0.2", port=victim.port) as harmless, trio.open_nursery() as nursery:
            await nursery.start(server.serve)
            async with outbound(harmless.place, names=server.look_up) as client:
                with pytest.raises(Blocked):
                    await client.request(purpose(ports=(victim.port,)), "GET", f"http://mixed.example:{victim.port}/")
            nursery.cancel_scope.cancel()
            assert harmless.connections == 0
    assert victim.connections == 0


# ---- what is written down


@pytest.fixture
def everything_logged(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Every logger at its most talkative, as an embedding program may have set it."""
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.DEBUG, "chatnode"):
        yield caplog


async def test_no_log_and_no_error_has_a_path_a_query_a_header_or_a_body(
    victim: Site, everything_logged: pytest.LogCaptureFixture
) -> None:
    canary = "c4n4ry"
    long = purpose(redirects=3, most_bytes=10)
    urls = [
        victim.url(f"/{canary}?{canary}={canary}"), f"http://127.0.0.1:1/{canary}?{canary}", f"http://10.0.0.1/{canary}",
        f"http://{canary}:{canary}@example.org/{canary}", f"http://example.org:99999/{canary}",
        f"{canary}://example.org/{canary}", f"http://ex ample.org/{canary}", f"http://unknown.example/{canary}",
    ]  # fmt: skip
    scripts = [
        answer(f"{canary}{canary}".encode()), answer(canary.encode(), content_encoding="gzip"),
        answer(status=302, location=f"http://10.0.0.1/{canary}?{canary}"), f"{canary} {canary}\r\n\r\n".encode(),
        answer(status=302, location=f"http://{canary}@example.org/{canary}"), answer(status=500, x=canary),
    ]  # fmt: skip
    whys: list[str] = []
    async with site(answers(*scripts)) as talker, outbound(victim.place, talker.place, names={}) as client:
        for url in [*urls, *[talker.url(f"/{canary}")] * len(scripts)]:
            try:
                await client.request(
                    long, "POST", url, headers=[("Authorization", canary), ("X-Own", canary)], body=canary.encode()
                )
            except (Blocked, Failed) as error:
                whys.append(f"{error} {error.why} {error!r} {error.__cause__!r}")
        for name, value in ((canary, "ä"), ("X-Own", f"{canary}\r\nX: y"), ("Host", canary)):
            with pytest.raises(Blocked) as refused:
                await client.request(long, "GET", victim.url(), headers=[(name, value)])
            whys.append(f"{refused.value} {refused.value.__cause__!r}".replace(f"header {canary}", ""))
    assert len(whys) >= len(urls) + len(scripts)
    assert canary not in "\n".join(whys)
    assert "10.0.0.1" in everything_logged.text  # an origin that was refused is logged
    assert "not public" in everything_logged.text
    assert canary not in everything_logged.text


async def test_requests_are_counted_by_purpose_and_outcome(victim: Site) -> None:
    metrics = Metrics()
    async with outbound(victim.place, names={}, metrics=metrics) as client:
        await client.request(purpose(), "GET", victim.url())
        for url in ("http://10.0.0.1/", "not a URL"):
            with pytest.raises(Blocked):
                await client.request(purpose(), "GET", url)
        with pytest.raises(Failed):
            await client.request(purpose(), "GET", "http://unknown.example/")
    assert metrics.outbound_requests == {("test", "2xx"): 1, ("test", "blocked"): 2, ("test", "failed"): 1}
