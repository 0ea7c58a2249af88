"""`/health` and `/metrics`: what a machine reads, what it means, and who may."""

from __future__ import annotations

import re
from pathlib import Path

import attrs
import pytest
import trio

from chatnode.config import Acme, Config, Server
from chatnode.model.times import now_ms
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from chatnode.testing import User, refused
from chatnode.transport.monitoring import is_trusted
from tests.declared import JOBS

from .clients import Address, ChatSocket, Http, bearer

OPERATING = Path(__file__).parents[2] / "docs" / "operating.md"
PROXIED = {"X-Forwarded-For": "192.0.2.7"}


@pytest.fixture
async def roots(node: Node) -> str:
    """A token of an administrator."""
    return (await (await User.new(node, "root", admin=True)).call("tokens.create"))["token"]


# ---- what the page says


class Samples:
    """A page of metrics, read as strictly as Prometheus and its linter do."""

    def __init__(self, text: str) -> None:
        self.kinds: dict[str, str] = {}
        self.values: dict[str, dict[str, float]] = {}
        assert text.endswith("\n")
        helped, current = "", ""
        for line in text.splitlines():
            if found := re.fullmatch(r"# HELP (\w+) (\S.*)", line):
                helped = found[1]
                assert helped not in self.kinds, f"{helped} comes twice"
            elif found := re.fullmatch(r"# TYPE (\w+) (counter|gauge|histogram)", line):
                current, kind = found[1], found[2]
                assert current == helped, f"{current} has no HELP before its TYPE"
                self.kinds[current] = kind
            else:
                found = re.fullmatch(r'(\w+)((?:\{(?:\w+="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)', line)
                assert found, line
                name, labels, value = found.groups()
                base = re.sub("_(bucket|sum|count)$", "", name) if self.kinds[current] == "histogram" else name
                assert base == current, f"{name} stands under {current}"
                samples = self.values.setdefault(name, {})
                assert labels not in samples, f"{name}{labels} comes twice"
                samples[labels] = float(value)

    def lint(self) -> None:
        for name, kind in self.kinds.items():
            assert re.fullmatch("(chatnode|process)_[a-z_]+", name), name
            assert name.endswith("_total") == (kind == "counter"), name
            assert not re.search("_(ms|millis|kb|mib|minutes|hours|count|sum|bucket)(_|$)", name), f"the unit of {name}"
            if kind == "histogram":
                self._lint_histogram(name)
            for label in re.findall(r'(\w+)="', "".join(self.values.get(name, ()))):
                assert label in (
                    "version",
                    "command",
                    "outcome",
                    "job",
                    "part",
                    "plugin",
                    "consumer",
                    "task",
                    "status",
                ), label

    def _lint_histogram(self, name: str) -> None:
        for labels, count in self.values[f"{name}_count"].items():
            inside = labels.strip("{}")
            buckets = [
                value for each, value in self.values[f"{name}_bucket"].items()
                if re.sub(r',?le="[^"]*"', "", each.strip("{}")) == inside
            ]  # fmt: skip
            assert buckets == sorted(buckets)
            assert buckets[-1] == count
            assert labels in self.values[f"{name}_sum"]


async def page(http: Http) -> Samples:
    answer = await http.request("GET", "/metrics")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    return Samples(answer.body.decode())


async def test_metrics_are_well_formed_and_count(
    http: Http, node: Node, address: Address, ann: User, anns: str
) -> None:
    notes = await ann.direct(ann)
    async with await ChatSocket.open(address) as chat:
        await chat.hello(anns)
        for _ in range(3):
            await ann.says(notes, "hello")
        with refused("not_found"):
            await ann.says("0" * 32, "hello")
        with refused("unknown_command"):
            await ann.call("make.tea")
        await node.call("jobs.run", job="expired")
        samples = await page(http)
    samples.lint()
    value = {name: values.get("") for name, values in samples.values.items()}
    requests = samples.values["chatnode_requests_total"]
    assert requests['{command="messages.post",outcome="ok"}'] == 3
    assert requests['{command="messages.post",outcome="not_found"}'] == 1
    assert requests['{command="unknown",outcome="unknown_command"}'] == 1
    assert value["chatnode_messages_posted_total"] == 3
    assert value["chatnode_live_sessions"] == 1
    assert value["chatnode_deliveries_total"] >= 3
    assert samples.values["chatnode_job_ok"]['{job="expired"}'] == 1
    assert set(samples.values["chatnode_part_ok"].values()) == {1}
    assert value["chatnode_log_head"] > 3
    assert value["chatnode_commit_seconds_count"] > 3
    assert value["process_resident_memory_bytes"] > 10_000_000


async def test_a_name_that_a_client_makes_up_is_no_label(http: Http, ann: User) -> None:
    for name in ('tea"} 1\nmy_metric{x="', "x" * 10_000, "\N{SNOWMAN}"):
        with refused("unknown_command"):
            await ann.call(name)
    samples = await page(http)
    samples.lint()
    assert samples.values["chatnode_requests_total"]['{command="unknown",outcome="unknown_command"}'] == 3


async def test_each_metric_is_in_the_manual(http: Http, node: Node) -> None:
    rows = re.findall(r"^\| `((?:chatnode|process)_\w+)`\s*\| (\w+)\s*\|.*\S.*\|$", OPERATING.read_text(), re.MULTILINE)
    of_plugins = {figure.shown for figure in node.plugins.figures()}
    assert dict(rows) == {name: kind for name, kind in (await page(http)).kinds.items() if name not in of_plugins}
    assert len(rows) == len(dict(rows))


def test_each_job_is_in_the_manual() -> None:
    text = OPERATING.read_text()
    assert [job.name for job in JOBS if f"`{job.name}`" not in text] == []


async def test_metrics_name_nobody_and_nothing_that_was_said(http: Http, ann: User, bob: User) -> None:
    room = await ann.group(bob, title="zebrafinch")
    await ann.says(room, "bluethroat @bob")
    text = (await http.request("GET", "/metrics")).body.decode()
    for word in ("zebrafinch", "bluethroat", "ann", "bob", room, ann.id, bob.id):
        assert not re.search(rf"\b{word}\b", text)


# ---- who may


async def test_strangers_get_no_metrics(http: Http, anns: str, roots: str, node: Node) -> None:
    for headers, status in (
        (PROXIED, 401),
        ({"Forwarded": "for=192.0.2.7"}, 401),
        ({"X-Real-IP": "192.0.2.7"}, 401),
        ({"Via": "1.1 proxy"}, 401),
        (PROXIED | bearer("nonsense"), 401),
        (PROXIED | bearer(anns), 403),
        (PROXIED | bearer(roots), 200),
    ):
        answer = await http.request("GET", "/metrics", headers=headers)
        assert answer.status == status, headers
        assert (b"chatnode_" in answer.body) == (status == 200)
    scoped = {name: await scope(node, name) for name in ("operate", "operate:read", "chat")}
    for name, token in scoped.items():
        answer = await http.request("GET", "/metrics", headers=PROXIED | bearer(token))
        assert answer.status == (403 if name == "chat" else 200), name


async def scope(node: Node, name: str) -> str:
    """A token of root's that may only that."""
    return (await node.call("tokens.create", person="root", scopes=[name]))["token"]


def test_who_is_trusted_by_address() -> None:
    local, lan, host = ("127.0.0.1", 5), ("10.0.0.5", 5), {"host": "127.0.0.1:8008"}
    plain = Server()

    def trusted(server: Server, client: tuple[str, int] | None, headers: dict[str, str], acme: bool = False) -> bool:
        return is_trusted(Config(server=server, acme=Acme(accept_terms=acme)), client, headers)

    assert trusted(plain, local, host)
    assert trusted(plain, ("::1", 5), {"host": "[::1]:8008"})
    assert trusted(plain, local, {"host": "localhost"})
    assert not trusted(plain, local, {"host": "rebound.example.com:8008"})
    assert not trusted(plain, local, {})
    assert not trusted(plain, lan, host)
    assert not trusted(plain, None, host)
    assert trusted(Server(metrics_addresses=("10.0.0.5",)), lan, {"host": "chat.example.org"})
    assert not trusted(Server(metrics_addresses=("10.0.0.5",), trusted_proxies=("10.0.0.5",)), lan, host)
    assert not trusted(Server(metrics_addresses=()), local, host)
    # In networks, and however an address is written.
    assert trusted(Server(metrics_addresses=("10.0.0.0/24",)), ("::ffff:10.0.0.5", 5), host)
    assert not trusted(Server(metrics_addresses=("10.0.1.0/24",)), lan, host)
    both = Server(metrics_addresses=("10.0.0.0/8",), trusted_proxies=("10.0.0.0/24",))
    assert not trusted(both, lan, host)
    assert trusted(both, ("10.0.1.5", 5), host)
    assert trusted(plain, local, {"host": "LOCALHOST:8008"})
    assert not trusted(plain, local, {"host": "localhost.evil.org"})
    assert not trusted(plain, local, {"host": "localhost/"})
    # A proxy that was not named, and does not name itself.
    assert not trusted(Server(public_url="https://chat.example.org"), local, host)
    assert trusted(Server(public_url="https://chat.example.org", tls_certificate="c", tls_key="k"), local, host)
    assert trusted(Server(public_url="https://chat.example.org"), local, host, acme=True)


async def test_strangers_are_told_that_a_part_fails_and_not_why(http: Http, node: Node, anns: str, roots: str) -> None:
    node.core.db.broken = "disk I/O error at /var/lib/chatnode/chatnode.sqlite3"
    for headers in (PROXIED, PROXIED | bearer("nonsense"), PROXIED | bearer(anns)):
        for path in ("/health", "/health/ready"):
            answer = await http.request("GET", path, headers=headers)
            assert answer.status == 503
            assert answer.json["parts"]["writing"] == {"status": "failing"}
            assert all(set(part) == {"status"} for part in answer.json["parts"].values())
        assert (await http.request("GET", "/health/live", headers=headers)).json == {"status": "ok", "parts": {}}
    for headers in ({}, PROXIED | bearer(roots)):
        answer = await http.request("GET", "/health", headers=headers)
        assert "reason" in answer.json["parts"]["writing"]
        assert "free_mib" in answer.json["parts"]["disk"]


# ---- what makes a part fail


async def parts_failing(node: Node) -> list[str]:
    _, parts = await node.health()
    return [name for name, part in parts.items() if part["status"] != "ok"]


@pytest.mark.parametrize("config", [Config()])
async def test_each_part_fails_for_its_own_reason(node: Node, ann: User) -> None:
    await ann.direct(ann)
    assert await parts_failing(node) == []

    def from_the_future(tx: Transaction) -> None:
        tx.execute("UPDATE log SET at = ? WHERE gid = (SELECT max(gid) FROM log)", (now_ms() + 600_000,))

    await node.core.db.write(from_the_future)
    assert await parts_failing(node) == ["clock"]
    await ann.says(await ann.direct(ann), "time has passed")
    assert await parts_failing(node) == []

    last = await node.jobs.run("expired")
    node.jobs.last["expired"] = attrs.evolve(last, ok=False, result="as in a test")
    assert await parts_failing(node) == ["jobs"]
    await node.jobs.run("expired")
    node.jobs.running["expired"] = trio.current_time() - 7 * 3600
    assert await parts_failing(node) == ["jobs"]
    node.jobs.running.clear()
    assert await parts_failing(node) == []

    node.core.db.broken = "as in a test"
    assert await parts_failing(node) == ["writing"]


async def test_many_who_ask_at_once_cost_one_look(node: Node) -> None:
    before = node.core.db.commits.jobs.count
    async with trio.open_nursery() as nursery:
        for _ in range(50):
            nursery.start_soon(node.health)
    assert node.core.db.commits.jobs.count - before <= 2
