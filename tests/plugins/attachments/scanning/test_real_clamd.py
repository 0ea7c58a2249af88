"""With a real clamd: what it finds is gone, what it passes is served, and nothing else ever is."""

from __future__ import annotations

import io
import signal
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from chatnode_attachments.scanning.canary import EICAR

from chatnode.api import Transaction
from chatnode.errors import Refusal
from chatnode.testing import User
from tests.plugins.attachments.scanning.clamd import BY_HASH, BY_TEXT, Clamd, installed_clamd, relayed
from tests.plugins.attachments.scanning.scanned import ScanningNode, infected, scanning_node

pytestmark = pytest.mark.slow

MIB = 1 << 20
WAYS = ("unix", "tcp")


@pytest.fixture
def clamd() -> Iterator[Clamd]:
    with installed_clamd() as clamd:
        yield clamd


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("database", [BY_TEXT, BY_HASH], ids=["by-text", "by-hash"])
async def test_what_is_found_is_gone_and_what_is_clean_is_served(
    tmp_path: Path, clamd: Clamd, way: str, database: dict[str, str]
) -> None:
    clamd.knows(database)
    await clamd.start()
    async with scanning_node(tmp_path, getattr(clamd, way)) as scanning:
        bad = await scanning.ann.uploads(EICAR, "eicar.com")
        good = await scanning.ann.uploads(b"hello")
        large = await scanning.ann.uploads(bytes(3 * MIB))
        assert await scanning.served(bad) in ("pending", "gone")
        await scanning.becomes(bad, "gone")
        for file in (good, large):
            await scanning.becomes(file, "yes")
        found = await scanning.scan_of(bad)
        assert (found["scan"], found["place"]) == ("unsafe", "removed")
        assert "Eicar" in found["scan_says"]
        await scanning.leaves_the_disk(bad)
        assert (await scanning.scan_of(good))["scan_with"].startswith("ClamAV")
        assert (await scanning.health())["scanner"] == "ok"


@pytest.mark.parametrize("way", WAYS)
async def test_many_scans_share_one_connection_and_none_gets_the_verdict_of_another(
    tmp_path: Path, clamd: Clamd, way: str
) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, getattr(clamd, way), scans_at_a_time=8) as scanning:
        files = [
            await scanning.ann.uploads(infected(500 + n) if n % 3 == 0 else b"%d" % n * (n + 1)) for n in range(30)
        ]
        for n, file in enumerate(files):
            await scanning.becomes(file, "gone" if n % 3 == 0 else "yes")


@pytest.mark.parametrize("way", WAYS)
async def test_while_clamd_is_stopped_new_files_wait_and_safe_ones_are_served(
    tmp_path: Path, clamd: Clamd, way: str
) -> None:
    async with scanning_node(tmp_path, getattr(clamd, way)) as scanning:
        good = await scanning.ann.uploads(b"before it started")
        assert (scanning.scanner.state, await scanning.served(good)) == ("down", "pending")
        await clamd.start()
        await scanning.becomes(good, "yes")
        clamd.stop()
        await scanning.scanner_becomes("down")
        bad = await scanning.ann.uploads(infected(100))
        assert [await scanning.served(each) for each in (good, bad)] == ["yes", "pending"]
        health = await scanning.health()
        assert health["status"] == "failing"
        assert "scanner down" in health["reason"]
        assert "1 file waiting" in health["reason"]
        await clamd.start()
        await scanning.becomes(bad, "gone")


BLIND = {
    "it skips large files": {"MaxFileSize": "1M"},
    "it skips what is much in all": {"MaxScanSize": "2M", "MaxFileSize": "2M"},
    "it reports what it skips": {"MaxFileSize": "1M", "AlertExceedsMax": "yes"},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("settings", BLIND.values(), ids=BLIND)
async def test_nothing_is_served_while_limits_of_clamd_are_below_ours(
    tmp_path: Path, clamd: Clamd, way: str, settings: dict[str, str]
) -> None:
    await clamd.start(**settings)
    async with scanning_node(tmp_path, getattr(clamd, way)) as scanning:
        bad = await scanning.ann.uploads(infected(2 * MIB + 500))
        good = await scanning.ann.uploads(b"good")
        await scanning.scanner_becomes("misconfigured")
        reason = (await scanning.health())["reason"]
        for name in ("MaxFileSize", "MaxScanSize", "AlertExceedsMax", "scan_max_mib"):
            assert name in reason
        assert [await scanning.served(each) for each in (bad, good)] == ["pending", "pending"]
        await clamd.restart()
        await scanning.becomes(bad, "gone")
        await scanning.becomes(good, "yes")


async def test_a_limit_for_streams_matters_only_where_files_are_streamed(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start(StreamMaxLength="1M")
    async with scanning_node(tmp_path / "a", clamd.unix) as passing:
        await passing.scanner_becomes("ok")
    async with scanning_node(tmp_path / "b", clamd.tcp) as streaming:
        await streaming.scanner_becomes("misconfigured")
        assert "INSTREAM size limit exceeded" in streaming.scanner.why


async def test_an_empty_database_is_a_blind_scanner(tmp_path: Path, clamd: Clamd) -> None:
    clamd.knows({"other.ndb": "Other:0:*:00112233445566778899"})
    await clamd.start()
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        file = await scanning.ann.uploads(b"hello")
        await scanning.scanner_becomes("misconfigured")
        assert "freshclam" in scanning.scanner.why
        assert await scanning.served(file) == "pending"


async def test_a_clamd_that_restarts_blind_passes_nothing(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        await scanning.scanner_becomes("ok")
        await clamd.restart(MaxFileSize="1M")
        files = [await scanning.ann.uploads(infected(2 * MIB + n)) for n in range(5)]
        await scanning.scanner_becomes("misconfigured")
        assert {await scanning.served(each) for each in files} == {"pending"}
        await clamd.restart()
        for file in files:
            await scanning.becomes(file, "gone")


async def test_archives_that_clamd_did_not_scan_to_their_end_wait(tmp_path: Path, clamd: Clamd) -> None:
    """They are neither served nor removed: with higher limits, they are scanned."""
    nested = _nested(20)
    await clamd.start(AlertExceedsMax="yes", MaxRecursion="10")
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        file = await scanning.ann.uploads(nested)
        await scanning.fails(file, "Heuristics.Limits.Exceeded")
        assert scanning.on_disk(file)
        await clamd.restart(AlertExceedsMax="yes", MaxRecursion="50")
        await scanning.becomes(file, "yes")


def _nested(depth: int) -> bytes:

    content = b"innermost"
    for _ in range(depth):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w") as archive:
            archive.writestr("inner.zip", content)
        content = packed.getvalue()
    return content


@pytest.mark.parametrize("way", WAYS)
async def test_a_scan_that_takes_too_long_is_repeated(tmp_path: Path, clamd: Clamd, way: str) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, getattr(clamd, way), scan_seconds=2.0) as scanning:
        await scanning.scanner_becomes("ok")
        clamd.send(signal.SIGSTOP)
        good, bad = await scanning.ann.uploads(b"hello"), await scanning.ann.uploads(infected(1000))
        for file in (good, bad):
            await scanning.fails(file, " s")
        clamd.send(signal.SIGCONT)
        await scanning.becomes(good, "yes")
        await scanning.becomes(bad, "gone")


@pytest.mark.parametrize("way", WAYS)
async def test_a_clamd_killed_during_a_scan_has_said_nothing(tmp_path: Path, clamd: Clamd, way: str) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, getattr(clamd, way)) as scanning:
        await scanning.scanner_becomes("ok")
        clamd.send(signal.SIGSTOP)
        good, bad = await scanning.ann.uploads(b"hello"), await scanning.ann.uploads(infected(2 * MIB))
        await trio.sleep(0.2)  # they are on their way
        clamd.stop(signal.SIGKILL)
        for file in (good, bad):
            await scanning.fails(file, "clamd closed the connection")
        await clamd.start()
        await scanning.becomes(good, "yes")
        await scanning.becomes(bad, "gone")


async def test_another_version_is_proved_before_it_is_believed(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with relayed(clamd) as relay, scanning_node(tmp_path, relay.address) as scanning:
        first = await scanning.ann.uploads(b"first")
        await scanning.becomes(first, "yes")
        assert (await scanning.scan_of(first))["scan_with"].endswith("/27000")
        relay.version = "27001"
        second = await scanning.ann.uploads(b"second")
        await scanning.fails(second, "another database")
        await scanning.becomes(second, "yes")
        assert (await scanning.scan_of(second))["scan_with"].endswith("/27001")

        again = await scanning.ann.uploads(b"first")
        assert await scanning.served(again) == "yes"

        async def is_scanned_again() -> bool:
            return (await scanning.scan_of(first))["scan_with"].endswith("/27001")

        await scanning.until(is_scanned_again)


async def test_a_database_that_was_reloaded_blind_passes_nothing(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with relayed(clamd) as relay, scanning_node(tmp_path, relay.address) as scanning:
        await scanning.scanner_becomes("ok")
        clamd.knows({"other.ndb": "Other:0:*:00112233445566778899"})
        await clamd.restart()
        relay.version = "27001"
        bad = await scanning.ann.uploads(EICAR)
        await scanning.scanner_becomes("misconfigured")
        assert await scanning.served(bad) == "pending"


async def test_what_is_known_to_be_unsafe_is_unsafe_at_once(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        bad = await scanning.ann.uploads(EICAR)
        await scanning.becomes(bad, "gone")
        clamd.stop()
        await scanning.scanner_becomes("down")
        again = await scanning.ann.uploads(EICAR, "innocent.txt")
        assert (await scanning.served(again), again.place) == ("gone", "removed")
        await scanning.leaves_the_disk(again)


async def test_turning_the_scanner_on_and_off_again(tmp_path: Path, clamd: Clamd) -> None:
    async with scanning_node(tmp_path) as plain:
        good, bad = await plain.ann.uploads(b"hello"), await plain.ann.uploads(infected(300))
        assert [await plain.served(each) for each in (good, bad)] == ["yes", "yes"]
        assert (await plain.health())["scanner"] == "off"
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        assert [await scanning.served(each) for each in (good, bad)] == ["pending", "pending"]
        await clamd.start()
        await scanning.becomes(good, "yes")
        await scanning.becomes(bad, "gone")
        clamd.stop()
        waiting = await scanning.ann.uploads(b"waits")
        assert await scanning.served(waiting) == "pending"
    async with scanning_node(tmp_path) as plain:
        await plain.becomes(waiting, "yes")
        assert [await plain.served(each) for each in (good, bad)] == ["yes", "gone"]


async def test_scanning_again_finds_what_a_newer_database_knows(tmp_path: Path, clamd: Clamd) -> None:
    await clamd.start()
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        file = await scanning.ann.uploads(b"the new worm")
        await scanning.becomes(file, "yes")
        clamd.knows({**BY_TEXT, "worm.ndb": f"Worm:0:*:{b'the new worm'.hex()}"})
        await clamd.restart()
        await scanning.scanner_becomes("ok")
        assert await scanning.served(file) == "yes"
        assert await scanning.node.call("attachments.rescan") == {"contents": 1}

        async def is_gone() -> bool:
            return await scanning.served(file) == "gone"

        await scanning.until(is_gone)
        assert "Worm" in (await scanning.scan_of(file))["scan_says"]

        # A false alarm: the database drops it, and a moderator lets the content be scanned again.
        clamd.knows(BY_TEXT)
        await clamd.restart()
        await scanning.node.call("attachments.rescan", file=file.id)
        assert await scanning.served(file) == "gone"
        again = await scanning.ann.uploads(b"the new worm")
        await scanning.becomes(again, "yes")
        assert await scanning.served(file) == "yes"


async def test_files_larger_than_what_is_scanned_are_refused(tmp_path: Path) -> None:
    async with scanning_node(tmp_path, "unix:/nowhere/clamd.ctl") as scanning:
        with pytest.raises(Refusal, match="not scanned") as refused:
            await scanning.ann.creates(3 * MIB + 1)
        assert (refused.value.status, refused.value.path) == (413, "length")
        assert await scanning.ann.creates(3 * MIB)


async def test_the_uploader_the_readers_and_the_moderators_are_told(tmp_path: Path, clamd: Clamd) -> None:
    async with scanning_node(tmp_path, clamd.unix) as scanning:
        node = scanning.node
        bob, mod, eve = (
            await User.new(node, "bob"), await User.new(node, "mod", role="moderator"), await User.new(node, "eve"),
        )  # fmt: skip
        talk = await scanning.ann.user.direct(bob)
        good, bad = await scanning.ann.uploads(b"hello"), await scanning.ann.uploads(EICAR)
        message = await scanning.ann.user.says(talk, "two files")
        await _bind(scanning, message, good.id, bad.id)
        begin = await node.core.db.read(lambda reader: reader.execute("SELECT max(gid) FROM log").fetchone()[0])
        await clamd.start()
        await scanning.becomes(good, "yes")
        await scanning.becomes(bad, "gone")

        ctx = scanning.ann.ctx
        told = {each.handle: (await ctx.events_for(each.key, begin))[0] for each in (scanning.ann.user, bob, mod, eve)}
        changed = [each for each in told["bob"] if each["event"] == "attachments.changed"]
        assert changed[-1]["files"] == [{"file": good.id, "scan": "safe"}, {"file": bad.id, "scan": "unsafe"}]
        assert (changed[-1]["conversation"], changed[-1]["message"]) == (talk, message)
        infected_events = {
            who: [e for e in events if e["event"] == "attachments.infected"] for who, events in told.items()
        }
        assert {who: len(events) for who, events in infected_events.items()} == {"ann": 1, "bob": 0, "mod": 1, "eve": 0}
        event = infected_events["mod"][0]
        assert (event["file"], event["uploader"]["handle"], event["message"]) == (bad.id, "ann", message)
        assert "Eicar" in event["found"]
        assert not any(each["event"] == "attachments.changed" for each in [*told["mod"], *told["eve"]])


async def _bind(scanning: ScanningNode, message: str, *files: str) -> None:
    def bind(tx: Transaction) -> None:
        for position, file in enumerate(files):
            tx.execute(
                "UPDATE attachments_files SET message = (SELECT key FROM messages WHERE id = ?), position = ?, "
                "conversation = (SELECT conversation FROM messages WHERE id = ?) WHERE id = ?",
                (message, position, message, file),
            )

    await scanning.ann.ctx.write(bind)
