"""A state machine of the store against a dict, with kills at any step; and proof that it finds planted bugs.

After every step: every row has its file, what was acknowledged is there, usage is what counting gives. After a
collection and a sweep, there is not a byte on the disk that no row knows of.
"""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import pytest
import trio
from chatnode_attachments.images.prepared import DerivedImage, Prepared
from chatnode_attachments.state import Attachments
from chatnode_attachments.store import receiving, sink, uploads
from chatnode_attachments.store.checking import problems
from chatnode_attachments.store.files import find_file
from chatnode_attachments.store.receiving import Receiver
from chatnode_attachments.store.sweeping import sweep
from chatnode_attachments.types import proven_type
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test

from chatnode.config import Config
from chatnode.node import Node, open_node
from chatnode.testing import User
from tests.plugins.attachments.store.crashing import Fuse
from tests.plugins.attachments.store.storing import PLUGINS, Uploader, broken, context, pieces
from tests.quick import examples

PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
CONTENTS = (b"", b"a", b"hello " * 30, bytes(range(256)) * 2, PNG + b"a picture, with a place in it" * 9)
HANDLES = ("ann", "bob")

which = st.integers(0, 20)
kill = st.one_of(st.just(0), st.just(0), st.integers(1, 30))
"""At which step the node is killed; 0 for not at all."""


class Cutter:
    """Removes the place from pictures."""

    def __init__(self, work: Path) -> None:
        self._work = work
        self._count = 0

    async def prepare(self, path: Path, *, clean: bool) -> Prepared:
        self._count += 1
        cleaned = self._work / f"clean{self._count}" if clean else None
        content = await trio.Path(path).read_bytes()
        if cleaned is not None:
            cleaned.write_bytes(clean_of(content))
        small = self._work / f"small{self._count}"
        small.write_bytes(content[:20])
        return Prepared("image/png", 30, 20, cleaned, (DerivedImage("thumb320", small, "image/webp", 3, 2),), None)


def clean_of(content: bytes) -> bytes:
    return content.replace(b"place", b".....") if content.startswith(PNG) else content


@attrs.define
class Sent:
    """An upload, as its client knows it."""

    owner: str
    content: bytes
    acknowledged: int = 0


@attrs.define
class Kept:
    """A file that was acknowledged. `message` is where it was posted."""

    owner: str
    content: bytes
    message: str | None = None


class StoreMachine(RuleBasedStateMachine):
    """Two people upload, post and delete; the node is killed and started again."""

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self._copies = 0
        self.data = Path(self._folder.name) / "data"
        self.uploads: dict[str, Sent] = {}
        self.files: dict[str, Kept] = {}
        self.erased: set[str] = set()
        self.killed = False
        self._portal = Portal()

    def teardown(self) -> None:
        self._portal.run(self._close)
        self._portal.end()
        self._folder.cleanup()

    @initialize()
    def begin(self) -> None:
        self._touched = self._ending = ""
        self._portal.run(self._open)
        self._portal.run(self._sign_up)

    # ---- the node

    async def _open(self) -> None:
        self._stack = AsyncExitStack()
        self.node: Node = await self._stack.enter_async_context(
            open_node(self.data, Config(), only=PLUGINS, inline=True)
        )
        self.store = self.node.core.state(Attachments).store
        self.store._finisher = attrs.evolve(self.store._finisher, pictures=Cutter(self.store.layout.work))
        self.fuse = Fuse(self.data, Path(self._folder.name) / f"copy{self._copies}")
        self._stack.enter_context(self.fuse.wired(self.node))

    async def _close(self) -> None:
        await self._stack.aclose()

    async def _sign_up(self) -> None:
        self.users = {handle: await User.new(self.node, handle) for handle in HANDLES}
        self.root = await User.new(self.node, "root", admin=True)
        self.talk = await self.users["ann"].group(self.users["bob"])

    def _uploader(self, owner: str) -> Uploader:
        return Uploader(self.node, self.users[owner])

    def do(self, at: int, step: Callable[[], Awaitable[Any]]) -> bool:
        """Do a step; False if the node was killed in the middle of it, and runs again: the client got no answer."""
        return self._portal.run(self._do, at, step)

    async def _do(self, at: int, step: Callable[[], Awaitable[Any]]) -> bool:
        self.fuse.light(at)
        await step()
        self.fuse.left = 0
        if not self.fuse.blew:
            return True
        self.killed = True
        await self._close()
        self.data = Path(self._folder.name) / f"copy{self._copies}"
        self._copies += 1
        await self._open()
        self.users = {handle: await User.of(self.node, handle) for handle in HANDLES if handle not in self.erased}
        self.root = await User.of(self.node, "root")
        await self.store.finish_waiting(context(self.node))
        await self._see_what_is_there()
        return False

    async def _see_what_is_there(self) -> None:
        """What the client had no answer for is there or not, but nothing else is different."""
        for id, sent in list(self.uploads.items()):
            found = await self.node.core.db.read(lambda reader, id=id: uploads.find(reader, id))
            assert found is not None
            if found.state == "gone":
                assert id == self._ending, "an upload is gone that nobody ended"
                del self.uploads[id]
            elif found.state == "done":
                self.files[id] = Kept(sent.owner, clean_of(sent.content))
                del self.uploads[id]
            else:
                assert found.durable == sent.acknowledged or id == self._touched
                assert found.durable >= sent.acknowledged
                sent.acknowledged = found.durable
        if self._touched in self.files and await self._row(self._touched) is None:
            del self.files[self._touched]

    async def _row(self, id: str) -> Any:
        return await self.node.core.db.read(lambda reader: find_file(reader, id))

    def pick(self, of: dict[str, Any], number: int) -> str | None:
        self._touched = list(of)[number % len(of)] if of else ""
        self._ending = ""
        return self._touched or None

    # ---- what people do

    @rule(owner=st.sampled_from(HANDLES), content=st.sampled_from(CONTENTS), at=kill)
    def create(self, owner: str, content: bytes, at: int) -> None:
        made: list[str] = []

        async def step() -> None:
            made.append(await self._uploader(owner).creates(len(content), "x"))

        if owner not in self.erased and self.do(at, step):
            self.uploads[made[0]] = Sent(owner, content)

    @rule(number=which, count=st.integers(0, 600), cut=st.booleans(), at=kill)
    def send(self, number: int, count: int, cut: bool, at: int) -> None:
        if (id := self.pick(self.uploads, number)) is None:
            return
        sent = self.uploads[id]
        part = sent.content[sent.acknowledged :][:count]
        parts = [part[:90], part[90:]]

        async def step() -> None:
            chunks = broken(ConnectionError(), *parts) if cut else pieces(*parts)
            try:
                await self._uploader(sent.owner).sends(id, chunks, sent.acknowledged)
            except ConnectionError:
                assert cut

        if self.do(at, step):
            sent.acknowledged += len(part)
            if sent.acknowledged == len(sent.content) and not cut:
                self.files[id] = Kept(sent.owner, clean_of(sent.content))
                del self.uploads[id]

    @rule(number=which, at=kill)
    def terminate(self, number: int, at: int) -> None:
        if (id := self.pick(self.uploads, number)) is None:
            return
        self._ending = id

        async def step() -> None:
            ann = self._uploader(self.uploads[id].owner)
            async with self.store.lock(id):
                await self.store.terminate(ann.ctx, await self.store.find(ann.ctx, id))

        if self.do(at, step):
            del self.uploads[id]

    @rule(number=which)
    def post(self, number: int) -> None:
        unposted = {id: kept for id, kept in self.files.items() if kept.message is None}
        if (id := self.pick(unposted, number)) is None:
            return

        async def step() -> None:
            kept = self.files[id]
            kept.message = (await self.users[kept.owner].posts(self.talk, "look"))["message"]
            sql = "UPDATE attachments_files SET message = (SELECT key FROM messages WHERE id = ?) WHERE id = ?"
            await self.node.core.db.write(lambda tx: tx.execute(sql, (kept.message, id)))

        self.do(0, step)

    @rule(number=which, at=kill)
    def delete_message(self, number: int, at: int) -> None:
        posted = {id: kept for id, kept in self.files.items() if kept.message is not None}
        if (id := self.pick(posted, number)) is None:
            return

        async def step() -> None:
            kept = self.files[id]
            await self.users[kept.owner].call("messages.delete", message=kept.message)

        if self.do(at, step):
            del self.files[id]

    @rule(number=which)
    def forget_to_post(self, number: int) -> None:
        unposted = {id: kept for id, kept in self.files.items() if kept.message is None}
        if (id := self.pick(unposted, number)) is not None:
            self._age("UPDATE attachments_files SET created_at = 0 WHERE id = ?", id)
            self.files.pop(id)

    @rule(number=which)
    def expire(self, number: int) -> None:
        if (id := self.pick(self.uploads, number)) is not None:
            self._age("UPDATE attachments_uploads SET expires_at = 0 WHERE id = ?", id)
            self.uploads.pop(id)

    def _age(self, sql: str, id: str) -> None:
        async def step() -> None:
            await self.node.core.db.write(lambda tx: tx.execute(sql, (id,)))
            await self._collect()

        self.do(0, step)

    @rule()
    def erase_bob(self) -> None:
        async def step() -> None:
            await self.root.call("people.erase", person="bob", handle="bob")

        if "bob" not in self.erased:
            self.do(0, step)
            self.erased.add("bob")
            self.files = {id: kept for id, kept in self.files.items() if kept.owner != "bob"}
            self.uploads = {id: sent for id, sent in self.uploads.items() if sent.owner != "bob"}

    # ---- what the node does

    @rule(at=kill)
    def collect(self, at: int) -> None:
        self._touched = ""
        if not self.do(at, self._collect):
            return

        async def no_stray_byte() -> None:
            here = self.node.core.state(Attachments)
            swept = await sweep(context(self.node), here.layout, here.store.run, older_than=-1)
            assert swept == [] or self.killed, "there are stray files, though nothing was killed"
            self.killed = False
            await self._compare_disk()

        self.do(0, no_stray_byte)

    async def _collect(self) -> None:
        await self.node.core.state(Attachments).collector.collect(context(self.node))

    async def _compare_disk(self) -> None:
        on_disk = {
            path.name for _, folder in self.store.layout.folders() for path in folder.iterdir() if path.is_file()
        }
        sql = (
            "SELECT name FROM attachments_blobs WHERE place = 'local' UNION SELECT name FROM attachments_derived "
            "UNION SELECT id FROM attachments_uploads WHERE state = 'open'"
        )
        known = {name for (name,) in await self.node.core.db.read(lambda reader: reader.execute(sql).fetchall())}
        assert on_disk <= known
        assert known - on_disk <= {id for id, sent in self.uploads.items() if not sent.acknowledged}

    # ---- what always holds

    @invariant()
    def everything_acknowledged_is_there(self) -> None:
        if hasattr(self, "node"):
            self._portal.run(self._check)

    async def _check(self) -> None:
        for id, kept in self.files.items():
            row = await self._row(id)
            assert row is not None, "an acknowledged file is gone"
            assert self.store.layout.blob(row.blob_name).read_bytes() == kept.content
        rows = await self.node.core.db.read(
            lambda reader: reader.execute("SELECT id FROM attachments_files").fetchall()
        )
        assert {id for (id,) in rows} == set(self.files), "there are files that nobody was told of"
        layout = self.store.layout
        assert await self.node.core.db.read(lambda reader: list(problems(reader, layout))) == []


class Portal:
    """Runs async functions one after the other in a trio run of its own, for a machine whose steps are not async."""

    def __init__(self) -> None:
        self._ready = threading.Event()
        self._thread = threading.Thread(target=trio.run, args=(self._main,), daemon=True)
        self._thread.start()
        self._ready.wait()

    async def _main(self) -> None:
        self._token = trio.lowlevel.current_trio_token()
        self._send, receive = trio.open_memory_channel[tuple[Callable[[], Awaitable[Any]], Any, threading.Event]](0)
        self._ready.set()
        async for function, results, done in receive:
            try:
                results.append((await function(), None))
            except BaseException as error:
                results.append((None, error))
            done.set()

    def run(self, function: Callable[..., Awaitable[Any]], *arguments: Any) -> Any:
        results: list[tuple[Any, BaseException | None]] = []
        done = threading.Event()
        task = (lambda: function(*arguments), results, done)
        trio.from_thread.run(self._send.send, task, trio_token=self._token)
        done.wait()
        result, error = results[0]
        if error is not None:
            raise error
        return result

    def end(self) -> None:
        trio.from_thread.run_sync(self._send.close, trio_token=self._token)
        self._thread.join()


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a small file takes many steps."""
    monkeypatch.setattr(receiving, "BLOCK", 50)
    monkeypatch.setattr(receiving, "SAVE_SECONDS", 0.0)
    monkeypatch.setattr(sink, "SYNC_EVERY", 100)


def run(count: int, steps: int, *phases: Phase, **options: Any) -> None:
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=count, stateful_step_count=steps, deadline=None, phases=phases or tuple(Phase),
            suppress_health_check=list(HealthCheck), **options,
        ),
    )  # fmt: skip


def test_nothing_acknowledged_is_lost_and_nothing_else_stays() -> None:
    run(examples(12), 20)


def test_the_machine_has_a_picture() -> None:
    assert [proven_type(content) for content in CONTENTS] == [None, None, None, None, "image/png"]


@pytest.mark.slow
def test_nothing_acknowledged_is_lost_at_length() -> None:
    run(100, 50)


# ---- the machine finds bugs


def second_copy_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(uploads, "discard", lambda tx, tree, name: None)


def offset_is_told_and_not_stored(patch: pytest.MonkeyPatch) -> None:
    async def save_nothing(self: Receiver) -> None:
        pass

    patch.setattr(Receiver, "_save_synced", save_nothing)


#: What the collector must not do, and what a kill between two steps leaves, is tried step by step in
#: test_collecting.py and test_kills.py.
BUGS = (second_copy_is_forgotten, offset_is_told_and_not_stored)


@pytest.mark.slow
@pytest.mark.parametrize("bug", BUGS)
def test_the_machine_finds_a_planted_bug(
    bug: Callable[[pytest.MonkeyPatch], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    bug(monkeypatch)
    with pytest.raises(BaseException):  # noqa: B017, PT011 -- whatever goes wrong first
        run(150, 40, Phase.generate, derandomize=True, database=None)
