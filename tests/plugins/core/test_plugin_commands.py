"""What an operator sees of plugins, and does with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import trio

from chatnode.api import Consumer, Context, Metric, Row, Step, Table, Task, Write
from chatnode.node import Node
from chatnode.testing import User, refused
from chatnode.transport import metrics
from tests.services.dialogue import assert_sound, fill, outcome

from .making import SEEN, Noting, logged, made, node_with, seen


async def posts(node: Node, count: int = 3) -> list[int]:
    """So many posts; their gids."""
    ann = await User.new(node, "ann")
    await fill(ann, await ann.direct(ann), "hello", count)
    return await logged(node)


def failing_on(*gids: int) -> Any:
    def check(rows: Sequence[Row]) -> None:
        if any(row.gid in gids for row in rows):
            raise ValueError("no")

    return check


async def audited(node: Node, action: str) -> list[tuple[str, dict[str, str]]]:
    entries = (await node.call("audit.list", action=action))["entries"]
    return [(entry["target"], entry["details"]) for entry in entries]


async def health_of(node: Node, part: str) -> dict[str, Any]:
    _, parts = await node.health()
    return parts[part]


# ---- looking


async def test_plugins_consumers_and_tasks_are_listed(tmp_path: Path) -> None:
    async def run(ctx: Context) -> None:
        await trio.sleep_forever()

    broken = made("bad", steps=[Step("one", "nonsense;")])
    plugin = made(consumers=[Noting().declared()], tasks=[Task("one", run)])
    async with node_with(tmp_path, plugin, broken) as node:
        given = await node.call("plugins.list")
        assert {each["name"]: each["state"] for each in given["plugins"]} == {"bad": "broken", "made": "running"}
        assert [(each["plugin"], each["task"], each["running"]) for each in given["tasks"]] == [("made", "one", False)]
        await posts(node)
        (consumer,) = (await node.call("plugins.consumers"))["consumers"]
        assert (consumer["plugin"], consumer["consumer"], consumer["cursor"]) == ("made", "noting", 0)
        assert consumer["behind"] >= 3
        part = await health_of(node, "plugins")
        assert part == {"status": "failing", "reason": "not running: bad; see chatnode call plugins.list"}


async def test_what_the_next_start_changes_is_listed(tmp_path: Path) -> None:
    async def switched(node: Node) -> tuple[str, str | None]:
        (listed,) = (await node.call("plugins.list"))["plugins"]
        return listed["state"], listed.get("at_next_start")

    async with node_with(tmp_path, made()) as node:
        assert await switched(node) == ("running", None)
        await node.call("plugins.disable", plugin="made")
        assert await switched(node) == ("running", "disabled")
    async with node_with(tmp_path, made()) as node:
        assert await switched(node) == ("disabled", None)
        await node.call("plugins.enable", plugin="made")
        assert await switched(node) == ("disabled", "enabled")
    async with node_with(tmp_path, made()) as node:
        assert await switched(node) == ("running", None)


async def test_only_who_runs_the_node_may(tmp_path: Path) -> None:
    async with node_with(tmp_path, made(consumers=[Noting().declared()])) as node:
        ann = await User.new(node, "ann")
        for name in ("list", "consumers", "set_aside"):
            with refused("forbidden"):
                await ann.call(f"plugins.{name}")


# ---- rows that were set aside


async def test_what_was_set_aside_is_seen_retried_and_off_the_list(tmp_path: Path) -> None:
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared()]), tries=2) as node:
        first, second, third = await posts(node)
        noting.before = failing_on(first, third)
        await node.consumers.catch_up()
        assert await seen(node) == [second]
        newest, oldest = (await node.call("plugins.set_aside"))["set_aside"]
        assert [(each["gid"], each["tries"]) for each in (newest, oldest)] == [(third, 2), (first, 2)]
        assert (await node.call("plugins.set_aside", limit=1))["set_aside"] == [newest]
        assert (await node.call("plugins.set_aside", limit=1, before=newest["entry"]))["set_aside"] == [oldest]
        assert (await node.call("plugins.set_aside", plugin="other"))["set_aside"] == []
        assert "made.noting (2)" in (await health_of(node, "plugins"))["reason"]

        again = await node.call("plugins.retry", entry=oldest["entry"])
        assert (again["ok"], "ValueError" in again["error"]) == (False, True)
        (_, still) = (await node.call("plugins.set_aside"))["set_aside"]
        assert (still["gid"], still["tries"]) == (first, 3)

        noting.before = lambda rows: None
        assert (await node.call("plugins.retry", entry=oldest["entry"]))["ok"]
        assert await seen(node) == [second, first]
        assert [each["gid"] for each in (await node.call("plugins.set_aside"))["set_aside"]] == [third]
        assert node.consumers.statuses()[0].set_aside == 1
        with refused("not_found", "entry"):
            await node.call("plugins.retry", entry=oldest["entry"])

        await node.call("plugins.dismiss", entry=newest["entry"])
        assert (await node.call("plugins.set_aside"))["set_aside"] == []
        assert (await health_of(node, "plugins"))["status"] == "ok"
        with refused("not_found", "entry"):
            await node.call("plugins.dismiss", entry=newest["entry"])
        assert await seen(node) == [second, first]
        assert await audited(node, "plugins.retry") == [("made.noting", {"gid": str(first)})] * 2
        assert await audited(node, "plugins.dismiss") == [("made.noting", {"gid": str(third)})]


async def test_a_row_that_two_retry_at_once_is_done_once(tmp_path: Path) -> None:
    done: list[int] = []
    failing, meanwhile = True, dict[str, int]()

    async def consume(ctx: Context, rows: Sequence[Row]) -> Write[object]:
        if failing:
            raise ValueError("no")
        if meanwhile:
            await ctx.as_operator().call("plugins.dismiss", **meanwhile)
        return lambda tx: done.extend(row.gid for row in rows)

    consumer = Consumer("noting", consume, kinds=frozenset({"message.posted"}))
    async with node_with(tmp_path, made(consumers=[consumer]), tries=1) as node:
        first, *_ = await posts(node, 2)
        await node.consumers.catch_up()
        newest, oldest = (await node.call("plugins.set_aside"))["set_aside"]
        failing = False
        outcomes: list[str] = []

        async def retry() -> None:
            outcomes.append(await outcome(node.call("plugins.retry", entry=oldest["entry"])))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(retry)
            nursery.start_soon(retry)
        assert (sorted(outcomes), done) == (["not_found", "ok"], [first])
        assert [each.set_aside for each in node.consumers.statuses()] == [1]

        meanwhile["entry"] = newest["entry"]
        with refused("not_found", "entry"):  # it was dismissed while it was looked at
            await node.call("plugins.retry", entry=newest["entry"])
        assert ((await node.call("plugins.set_aside"))["set_aside"], done) == ([], [first])
        assert [each.set_aside for each in node.consumers.statuses()] == [0]


async def test_a_row_that_is_gone_cannot_be_retried_and_one_that_has_no_consumer(tmp_path: Path) -> None:
    noting = Noting(before=failing_on(*range(1_000)))
    async with node_with(tmp_path, made(consumers=[noting.declared()]), tries=1) as node:
        first, _, _ = await posts(node)
        await node.consumers.catch_up()
        oldest = (await node.call("plugins.set_aside"))["set_aside"][-1]
        await node.core.db.write(lambda tx: tx.execute("DELETE FROM log WHERE gid = ?", (first,)))
        with refused("gone", "entry"):
            await node.call("plugins.retry", entry=oldest["entry"])
    async with node_with(tmp_path) as node:
        with refused("not_found", "consumer"):
            await node.call("plugins.retry", entry=oldest["entry"])
        await node.call("plugins.dismiss", entry=oldest["entry"])


# ---- replaying


async def test_a_consumer_reads_again_from_where_it_is_told(tmp_path: Path) -> None:
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared()])) as node:
        gids = await posts(node, 5)
        await node.consumers.catch_up()
        await node.core.db.write(lambda tx: tx.execute("DELETE FROM made_seen WHERE gid > ?", (gids[1],)))
        given = await node.call("plugins.replay", plugin="made", consumer="noting", gid=gids[1])
        assert given == {"cursor": gids[1], "before": gids[-1]}
        (status,) = await node.consumers.catch_up()
        assert (await seen(node), status.behind) == (gids, 0)
        assert noting.batches == [gids, gids[2:]]
        details = {"before": str(gids[-1]), "after": str(gids[1])}
        assert await audited(node, "plugins.replay") == [("made.noting", details)]


async def test_it_can_be_told_to_skip_and_what_then_succeeds_is_off_the_list(tmp_path: Path) -> None:
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared(from_start=True)]), tries=1) as node:
        gids = await posts(node, 5)
        await node.call("plugins.replay", plugin="made", consumer="noting", gid=gids[2])
        noting.before = failing_on(gids[4])
        (status,) = await node.consumers.catch_up()
        assert (await seen(node), status.set_aside) == ([gids[3]], 1)
        noting.before = lambda rows: None
        await node.call("plugins.replay", plugin="made", consumer="noting", gid=gids[3])
        (status,) = await node.consumers.catch_up()
        assert (await seen(node), status.set_aside) == (gids[3:], 0)
        assert (await node.call("plugins.set_aside"))["set_aside"] == []


async def test_a_running_consumer_hears_of_it_at_once(tmp_path: Path) -> None:
    """Also one that waits after a failure."""
    noting = Noting()
    async with node_with(tmp_path, made(consumers=[noting.declared()])) as node, trio.open_nursery() as nursery:
        nursery.start_soon(node.consumers.run)
        with trio.fail_after(20):
            gids = await posts(node)
            while await seen(node) != gids:
                pass
            await node.core.db.write(lambda tx: tx.execute("DELETE FROM made_seen"))
            await node.call("plugins.replay", plugin="made", consumer="noting", gid=0)
            while await seen(node) != gids:
                pass
        nursery.cancel_scope.cancel()


async def test_what_cannot_be_replayed(tmp_path: Path) -> None:
    async with node_with(tmp_path, made(consumers=[Noting().declared()])) as node:
        with refused("not_found", "consumer"):
            await node.call("plugins.replay", plugin="made", consumer="nonsense", gid=0)
        with refused("invalid", "gid"):
            await node.call("plugins.replay", plugin="made", consumer="noting", gid=10_000)


# ---- switching, dropping, exporting


async def test_a_disabled_plugin_leaves_its_data_and_does_not_run(tmp_path: Path) -> None:
    noting = Noting()
    plugin = made(consumers=[noting.declared()])
    async with node_with(tmp_path, plugin) as node:
        gids = await posts(node)
        await node.consumers.catch_up()
        given = await node.call("plugins.disable", plugin="made")
        assert given == {"plugin": "made", "disabled": True, "takes_effect": "at the next start"}
        assert [each["state"] for each in (await node.call("plugins.list"))["plugins"]] == ["running"]
    async with node_with(tmp_path, plugin) as node:
        assert [each["state"] for each in (await node.call("plugins.list"))["plugins"]] == ["disabled"]
        assert (await node.call("plugins.consumers"))["consumers"] == []
        assert await seen(node) == gids
        await node.call("plugins.enable", plugin="made")
        with refused("not_found", "plugin"):
            await node.call("plugins.enable", plugin="nonsense")
        assert await audited(node, "plugins.disable") == await audited(node, "plugins.enable") == [("made", {})]
    async with node_with(tmp_path, plugin) as node:
        assert [each["state"] for each in (await node.call("plugins.list"))["plugins"]] == ["running"]
        assert await outcome(node.call("plugins.drop", plugin="made", confirm="made")) == "conflict"
    async with node_with(tmp_path, plugin, disabled=("made",)) as node:
        with refused("conflict", "plugin"):
            await node.call("plugins.enable", plugin="made")


PEOPLE = Step(
    "people",
    "CREATE TABLE made_people (person INTEGER NOT NULL REFERENCES people (key), photo BLOB, PRIMARY KEY (person)) "
    "WITHOUT ROWID;",
)


async def fill_tables(node: Node, ann: User) -> None:
    def write(tx: Any) -> None:
        tx.executemany("INSERT INTO made_seen VALUES ('noting', ?, 'x')", [(number,) for number in range(5)])
        tx.execute("INSERT INTO made_people VALUES (?, x'00ff')", (ann.account.key,))

    await node.core.db.write(write)


async def test_what_it_keeps_is_exported_by_the_operator_of_the_machine_only(tmp_path: Path) -> None:
    plugin = made(steps=[SEEN, PEOPLE], tables=[Table("made_people", people=("person",))])
    async with node_with(tmp_path, plugin) as node:
        ann = await User.new(node, "ann")
        root = await User.new(node, "root", admin=True)
        await fill_tables(node, ann)
    async with node_with(tmp_path) as node:  # also when it is not there any more
        listed = await node.call("plugins.export", plugin="made")
        assert listed == {"tables": ["made_people", "made_seen"], "rows": []}
        rows: list[dict[str, Any]] = []
        after: dict[str, int] = {}
        while True:
            page = await node.call("plugins.export", plugin="made", table="made_seen", limit=2, **after)
            rows += page["rows"]
            if "next" not in page:
                break
            after = {"after": page["next"]}
        assert rows == [{"consumer": "noting", "gid": number, "kind": "x"} for number in range(5)]
        page = await node.call("plugins.export", plugin="made", table="made_people")
        assert page["rows"] == [{"person": ann.account.key, "photo": {"base64": "AP8="}}]
        for table in ("people", "sessions", "made_seen; DROP TABLE people", "sqlite_schema"):
            with refused("not_found", "table"):
                await node.call("plugins.export", plugin="made", table=table)
        with refused("not_found", "plugin"):
            await node.call("plugins.export", plugin="nonsense")
        with refused("forbidden"):
            await User(node, root.account).call("plugins.export", plugin="made", table="made_seen")


async def test_dropping_takes_everything_and_nothing_else(tmp_path: Path) -> None:
    noting = Noting()
    tables = [Table("made_people", people=("person",))]
    plugin = made(steps=[SEEN, PEOPLE], tables=tables, consumers=[noting.declared()])
    async with node_with(tmp_path, plugin) as node:
        ann = await User.new(node, "ann")
        await fill_tables(node, ann)
        await node.call("plugins.disable", plugin="made")
    async with node_with(tmp_path, plugin) as node:
        with refused("invalid", "confirm"):
            await node.call("plugins.drop", plugin="made", confirm="yes")
        dropped = await node.call("plugins.drop", plugin="made", confirm="made")
        assert dropped["tables"] == ["made_people", "made_seen"]
        await node.call("people.erase", person="ann", handle="ann")  # which would look into its tables
        await assert_sound(node)
        left = await node.core.db.read(
            lambda reader: [
                reader.execute(f"SELECT count(*) FROM {table}").fetchone()[0] for table in ("consumers", "set_aside")
            ]
        )
        assert left == [0, 0]
        assert await audited(node, "plugins.drop") == [("made", {"tables": "made_people made_seen"})]
        assert [each["state"] for each in (await node.call("plugins.list"))["plugins"]] == ["disabled"]
    async with node_with(tmp_path, plugin) as node:  # still disabled, as it is installed still
        assert [each["state"] for each in (await node.call("plugins.list"))["plugins"]] == ["disabled"]
        await node.call("plugins.enable", plugin="made")
    async with node_with(tmp_path, plugin) as node:  # and new when it is wanted again
        assert await seen(node) == []
        await User.new(node, "bob")
    async with node_with(tmp_path) as node:
        await node.call("plugins.drop", plugin="made", confirm="made")
        with refused("not_found", "plugin"):
            await node.call("plugins.drop", plugin="made", confirm="made")
        assert (await node.call("plugins.list"))["plugins"] == []


# ---- health and figures


async def test_a_plugin_has_a_word_on_its_health(tmp_path: Path) -> None:
    async def well(ctx: Context) -> dict[str, Any]:
        return {"waiting": 3, "status": "splendid"}

    async def unwell(ctx: Context) -> None:
        raise RuntimeError("the printer is on fire")

    async def odd(ctx: Context) -> Any:
        return {"what": object()}

    plugins = [made(name, steps=(), health=health) for name, health in (("well", well), ("sick", unwell), ("odd", odd))]
    async with node_with(tmp_path, *plugins) as node:
        healthy, parts = await node.health()
        assert not healthy
        assert parts["plugin.well"] == {"waiting": 3, "status": "ok"}
        assert parts["plugin.sick"] == {"status": "failing", "reason": "the printer is on fire"}
        assert parts["plugin.odd"]["status"] == "failing"
        assert parts["plugins"] == {"status": "ok", "running": 3}


async def test_what_plugins_count_and_what_of_them_is_counted(tmp_path: Path) -> None:
    async def value(ctx: Context) -> float:
        return 2.5

    async def late(ctx: Context) -> float:
        await trio.sleep_forever()
        return 0

    async def raising(ctx: Context) -> float:
        raise ValueError("no")

    noting = Noting()
    figures = [
        Metric("things", "Things that were counted."),
        Metric("never", "What never happened."),
        Metric("size", "How large.", value),
        Metric("late", "Late.", late),
        Metric("raising", "Raising.", raising),
    ]
    plugin = made(metrics=figures, consumers=[noting.declared()])
    async with node_with(tmp_path, plugin, tries=1, hook_seconds=0.05) as node:
        first, _, _ = await posts(node)
        noting.before = failing_on(first)
        await node.consumers.catch_up()
        for loaded in node.plugins:
            loaded.context.count("things")
            loaded.context.count("things", 2)
        text = await metrics.page(node.core, node.sessions, (await node.health())[1])
    found = dict(re.findall(r"^(chatnode_(?:made|plugin|consumer)\S*) (\S+)$", text, re.MULTILINE))
    consumer = '{plugin="made",consumer="noting"}'
    assert {name: float(value) for name, value in found.items()} == {
        "chatnode_made_things_total": 3,
        "chatnode_made_never_total": 0,
        "chatnode_made_size": 2.5,
        'chatnode_plugin_running{plugin="made"}': 1,
        'chatnode_plugin_failures_total{plugin="made"}': 2,
        'chatnode_plugin_held_thread_total{plugin="made"}': 0,
        f"chatnode_consumer_behind{consumer}": 0,
        f"chatnode_consumer_set_aside{consumer}": 1,
        f"chatnode_consumer_failing{consumer}": 0,
    }
    assert "# TYPE chatnode_made_things_total counter" in text
    assert "# TYPE chatnode_made_size gauge" in text
    assert {each.failures for each in node.plugins.statuses()} == {4}  # and those whose value could not be had
