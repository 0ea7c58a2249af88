"""Posts and marks of a group together leave the same tables, results and events as one by one."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from functools import cache, partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import outcome
import pytest
import trio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chatnode.config import Storage
from chatnode.dispatch.subject import additions_of
from chatnode.errors import Refusal
from chatnode.model.commands.messages import Marked, Posted
from chatnode.model.events import Event, MessagePosted, ReceiptRead
from chatnode.model.messages import Media
from chatnode.model.people import Account
from chatnode.services import SUBJECTS
from chatnode.storage.conversations import blocks, conversations, members, opening
from chatnode.storage.engine import transaction
from chatnode.storage.engine.connection import connect_writer
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.deadlines import budget
from chatnode.storage.engine.group import QueuedCall
from chatnode.storage.engine.transaction import BulkTransaction, Change, Follower, PlannedWrite, Transaction
from chatnode.storage.messages import posting, receipts, together
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people, sessions
from tests.quick import examples
from tests.storage.harness import Breakable, Published, full_disk, make_file, opened, statements_of

NOW = 1_800_000_000_000
SECOND = 1000
TEXTS = ("hello", "how are you?", "hi @bob", "@everyone: look", "no!", "tell dan")

# ---- the village: four people with a session each, in three conversations


@attrs.define
class Village:
    people: list[Account]
    sessions: list[int]
    places: list[str]


def _settle(tx: Transaction) -> Village:
    """Ann and Bob talk alone; they and Cay are in a public group; Bob and Cay in a private one. Dan is in none. Cay's
    session is a token that ends a few seconds after NOW."""
    ann, bob, cay, _ = everyone = [people.create(tx, handle, role="member") for handle in ("ann", "bob", "cay", "dan")]
    kinds = ("device", "device", "token", "device")
    keys = [
        sessions.create(tx, who.key, kind, "", who.handle.encode(), None)
        for who, kind in zip(everyone, kinds, strict=True)
    ]
    sessions.end_by(tx, keys[2], NOW + 3 * SECOND)
    group = partial(opening.open_group, tx, description="", most_members=9)
    return Village(
        everyone,
        keys,
        [
            opening.open_direct(tx, ann, bob),
            group(ann, title="square", visibility="public", history="since_joining", others=[bob, cay]),
            group(bob, title="shed", visibility="private", history="all", others=[cay]),
        ],
    )


@cache
def _village() -> tuple[Village, bytes]:
    with TemporaryDirectory() as folder:
        path = make_file(Path(folder) / "village.sqlite3")
        with closing(connect_writer(path, Storage())) as connection:
            village = _settle(Transaction(connection, 1))
        return village, path.read_bytes()


# ---- what may be asked


def signed_in(session: int, plan: PlannedWrite[Any]) -> PlannedWrite[Any]:
    """The plan as `Caller.submit` hands it over for a session."""
    function = plan.function

    def still_signed_in(tx: Transaction) -> Any:
        sessions.check_not_revoked(tx, session)
        return function(tx)

    plan.function, plan.session = still_signed_in, session
    return plan


@attrs.frozen
class Post:
    who: int
    place: int
    cid: int
    text: str = "hello"
    more: Mapping[str, Any] = attrs.field(factory=dict[str, Any])

    def __call__(self, village: Village) -> PlannedWrite[Any]:
        sender = village.people[self.who]
        draft = Draft(village.places[self.place], f"c{self.cid}", self.text, sender=sender.id, **self.more)
        return signed_in(village.sessions[self.who], together.post(sender, draft))


@attrs.frozen
class Mark:
    who: int
    place: int
    kind: Any
    seq: int

    def __call__(self, village: Village) -> PlannedWrite[Any]:
        place = village.places[self.place]
        return signed_in(
            village.sessions[self.who], together.mark(village.people[self.who], place, self.kind, self.seq)
        )


@attrs.frozen
class Other:
    """Any other write, which may change what posts and marks depend on."""

    what: str
    who: int
    place: int
    other: int = 0

    def __call__(self, village: Village) -> PlannedWrite[Any]:
        me, place, other = village.people[self.who], village.places[self.place], village.people[self.other]
        writes: dict[str, Callable[[Transaction], object]] = {
            "leave": lambda tx: members.leave(tx, me, place),
            "join": lambda tx: members.join(tx, me, place, 9),
            "remove": lambda tx: members.remove(tx, me, place, other),
            "hand over": lambda tx: members.set_role(tx, me, place, other, "owner"),
            "close": lambda tx: conversations.close(tx, me, place, "manual"),
            "reopen": lambda tx: conversations.reopen(tx, me, place),
            "block": lambda tx: blocks.block(tx, me, other),
            "unblock": lambda tx: blocks.unblock(tx, me, other),
            "revoke": lambda tx: sessions.revoke(tx, me.key, village.sessions[self.who]),
            "hide receipts": lambda tx: tx.execute(
                "UPDATE members SET hides_receipts = 1 - hides_receipts WHERE person = ?", (me.key,)
            ),
            "deactivate": lambda tx: tx.execute("UPDATE people SET deactivated_at = ? WHERE key = ?", (tx.now, me.key)),
            "read all": lambda tx: receipts.mark_all(tx, me, None),
        }
        return PlannedWrite(writes[self.what])


Ask = Post | Mark | Other
who, place = st.integers(0, 3), st.integers(0, 2)
more = st.sampled_from(
    [
        {}, {}, {}, {"metadata": {"a": "b"}}, {"thread": "0" * 32}, {"sent": b"as it was"}, {"kind": "system"},
        {"kind": "file", "files": [Media(name, name, "image/png", 9) for name in ("a", "b")]},
    ]
)  # fmt: skip
asks = st.one_of(
    st.builds(Post, who, place, st.integers(0, 999)),
    st.builds(Post, who, place, st.integers(0, 9), st.sampled_from(TEXTS), more),
    st.builds(Mark, who, place, st.sampled_from(["read", "delivered"]), st.integers(0, 9)),
    st.builds(
        Other,
        st.sampled_from([
            "leave", "join", "remove", "hand over", "close", "reopen", "block", "unblock", "revoke", "hide receipts",
            "deactivate", "read all",
        ]),
        who, place, who,
    ),
)  # fmt: skip


@attrs.frozen
class Group:
    """Writes that share a commit. With `fails` it meets an error once, at this statement: a full disk at COMMIT."""

    asks: Sequence[Ask]
    repeatable: bool = True
    """Whether the other writes are."""
    fails: str | None = None

    @property
    def fault(self) -> str | None:
        """A statement that fails undoes posts and marks, which are run again; of another write it is the end."""
        others = any(isinstance(ask, Other) for ask in self.asks)
        return None if others and self.fails != "COMMIT" else self.fails


TABLES = ("INSERT INTO messages", "UPDATE conversations SET head", "UPDATE members SET read", "INSERT INTO log (")
groups = st.lists(
    st.builds(
        Group,
        st.lists(asks, min_size=1, max_size=12),
        st.booleans(),
        st.sampled_from([None, None, None, None, "INSERT INTO receipts", "COMMIT", *TABLES]),
    ),
    max_size=6,
)

# ---- plugins that follow


def _say_no(tx: Transaction, change: Change) -> None:
    """Refuses after it has written."""
    tx.execute("INSERT INTO notes (text) VALUES (?)", (str(change.subject),))
    if change.event.message.text == "no!":  # type: ignore[attr-defined]
        raise Refusal("forbidden", "not here")


def _is_cut(tx: Transaction, change: Change) -> None:
    if change.event.message.text == "endless":  # type: ignore[attr-defined]
        with budget(tx.connection, 0.001, time.thread_time):
            tx.execute(
                "INSERT INTO notes (text) WITH RECURSIVE n (x) AS (SELECT 1 UNION ALL SELECT x FROM n) SELECT x FROM n"
            )


def _tell_dan(tx: Transaction, change: Change) -> list[int]:
    return [_village()[0].people[3].key] if change.event.message.text == "tell dan" else []  # type: ignore[attr-defined]


def _removes(tx: Transaction, change: Change) -> None:
    """A plugin may change what is remembered."""
    tx.execute("UPDATE members SET left_gid = ? WHERE conversation = ?", (change.gid, change.conversation))


def _blocks(tx: Transaction, change: Change) -> None:
    """Bob blocks Ann."""
    ann, bob, *_ = _village()[0].people
    if change.event.message.text == "no!":  # type: ignore[attr-defined]
        sql = "INSERT INTO blocks (person, blocked, at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING"
        tx.execute(sql, (bob.key, ann.key, tx.now))


_FOLLOWER = Follower(_tell_dan, _say_no)


def _of_some(event: Event) -> Follower | None:
    assert isinstance(event, MessagePosted)
    return None if event.message.text == "hello" else _FOLLOWER


FOLLOWERS: dict[str, dict[str, Follower]] = {
    "none": {},
    "all posts": {MessagePosted.name: _FOLLOWER},
    "some posts": {MessagePosted.name: Follower(select=_of_some)},
    "endlessly": {MessagePosted.name: Follower(in_transaction=_is_cut)},
    "reading": {ReceiptRead.name: Follower(in_transaction=_removes)},
    "blocking": {MessagePosted.name: Follower(in_transaction=_blocks)},
}

# ---- how it is compared


CODES = {"not_found", "not_member", "forbidden", "invalid", "conflict", "closed", "unauthenticated"}


class Clock:
    """The same for all writes of a group."""

    now = NOW

    def __call__(self) -> int:
        return self.now


class Kept:
    """A copy of the village, in which groups are committed."""

    def __init__(self, folder: Path, name: str, followers: Mapping[str, Follower]) -> None:
        village, content = _village()
        path = folder / f"{name}.sqlite3"
        path.write_bytes(content)
        self.village = village
        self.db = Database(path, inline=True, additions=additions_of(SUBJECTS))
        self.db.additions.followers = followers
        self.connection = sqlite3.connect(path, isolation_level=None, cached_statements=512, factory=Breakable)
        self.connection.additions = self.db.additions
        for pragma in ("journal_mode=WAL", "synchronous=OFF", "foreign_keys=ON"):
            self.connection.execute(f"PRAGMA {pragma}")
        self.db._writer = self.connection

    def commit(self, group: Group, asks: Sequence[Ask], *, bulk: bool) -> list[Any]:
        """What came of each, with its events."""
        jobs: list[QueuedCall[Any]] = []
        for ask in asks:
            write = ask(self.village)
            repeatable = bulk and (group.repeatable or write.bulk is not None)
            job = QueuedCall(write.function, None, repeatable=repeatable)
            if bulk:
                job.bulk, job.plan = write.bulk, write
            jobs.append(job)
        self.db._commit(jobs)
        return [(_plain(job.outcome), job.recorded) for job in jobs]

    def fail_once(self, statement: str | None) -> None:
        waiting = [statement] if statement is not None else []

        def before(sql: str) -> None:
            if waiting and sql.startswith(waiting[0]):
                waiting.clear()
                raise full_disk() if sql == "COMMIT" else sqlite3.OperationalError("as in a test")

        self.connection.before = before

    def tables(self) -> dict[str, list[tuple[Any, ...]]]:
        names = self.connection.execute(
            "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT GLOB 'sqlite_*' "
            "AND name NOT GLOB 'search*'"
        ).fetchall()
        return {name: sorted(self.connection.execute(f"SELECT * FROM {name}"), key=repr) for (name,) in names}


def _plain(result: outcome.Outcome[Any] | None) -> object:
    match result:
        case outcome.Error(error=Refusal() as refusal):
            return refusal.code, refusal.message, refusal.path
        case outcome.Error(error=error):
            return type(error), str(error)
        case outcome.Value(value=value):
            return None if isinstance(value, sqlite3.Cursor) else value
        case _:
            raise AssertionError("a write has no outcome")


@contextmanager
def _two(followers: Mapping[str, Follower]) -> Generator[tuple[Kept, Kept]]:
    with TemporaryDirectory() as folder:
        one, other = (Kept(Path(folder), name, followers) for name in ("one-by-one", "together"))
        with closing(one.connection), closing(other.connection):
            yield one, other


def compare(groups: Sequence[Group], followers: str = "none", known: dict[Any, Any] | None = None) -> list[Any]:
    """Commit the groups in both ways; returns what came of each write. `known` is a memory to plant."""
    came: list[Any] = []
    with pytest.MonkeyPatch.context() as patch, _two(FOLLOWERS[followers]) as (one, other):
        clock = Clock()
        patch.setattr(transaction, "now_ms", clock)
        patch.setattr(sessions, "now_ms", clock)
        if known is not None:
            other.db._known = known
        for group in groups:
            clock.now += SECOND
            expected = [result for ask in group.asks for result in one.commit(group, [ask], bulk=False)]
            other.fail_once(group.fault)
            found = other.commit(group, group.asks, bulk=True)
            if group.fault == "COMMIT":
                assert {result for result, _ in found} == {
                    ("unavailable", "the disk is full; nothing was stored", None)
                }
                found = other.commit(group, group.asks, bulk=True)
            other.fail_once(None)
            assert found == expected
            came += [result for result, _ in found]
        assert followers == "endlessly" or not any(isinstance(each, tuple) and each[0] not in CODES for each in came)
        assert other.tables() == one.tables()
    return came


@settings(max_examples=examples(90), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups, st.sampled_from(sorted(FOLLOWERS)))
def test_a_group_has_the_effect_of_its_writes_one_by_one(groups: list[Group], followers: str) -> None:
    compare(groups, followers)


@pytest.mark.slow
@settings(max_examples=1_000, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(groups, st.sampled_from(sorted(FOLLOWERS)))
def test_a_group_has_the_effect_of_its_writes_one_by_one_for_long(groups: list[Group], followers: str) -> None:
    compare(groups, followers)


def test_an_interrupted_statement_fails_only_its_post() -> None:
    asks = [Post(0, 0, 1), Mark(1, 0, "read", 1), Post(1, 0, 2, "endless"), Post(2, 1, 3), Post(0, 0, 4)]
    first, _, cut, _, last = compare([Group(asks)], "endlessly")
    assert cut == (sqlite3.OperationalError, "interrupted")
    assert (first.seq, last.seq) == (1, 2)


# ---- nothing odd undoes the others


@pytest.mark.parametrize(
    ("odd", "alone"),
    [
        pytest.param(Post(0, 1, 100, "hi @bob"), 1, id="a mention"),
        pytest.param(Post(0, 1, 100, more={"reply_to": "0" * 32}), 1, id="a reply"),
        pytest.param(Post(0, 1, 2), 1, id="a repeat of one in the group"),
        pytest.param(Post(0, 1, 0), 1, id="a repeat of one that is stored"),
        pytest.param(Post(0, 0, 2), 1, id="a cid used for another message"),
        pytest.param(Post(3, 1, 100), 0, id="of somebody who is no member"),
        pytest.param(Post(1, 2, 100), 0, id="in a conversation that is closed"),
        pytest.param(Post(2, 1, 100), 0, id="with a token that has expired"),
        pytest.param(Mark(0, 1, "read", 99), 0, id="a mark beyond the end"),
    ],
)
def test_a_special_post_is_run_alone_and_its_neighbours_together(
    monkeypatch: pytest.MonkeyPatch, odd: Ask, alone: int
) -> None:
    plain = [Post(number % 2, 1, number) for number in range(1, 21)]
    before = [Group([Post(0, 1, 0), Other("close", 1, 2)]), Group([]), Group([])]  # the clock moves with each
    compare([*before, Group([*plain[:10], odd, *plain[10:]])])
    runs: list[Draft] = []
    post = posting.post
    with _two({}) as (_, village):
        for group in before:
            village.commit(group, group.asks, bulk=True)

        def counted(tx: Transaction, sender: Account, draft: Draft, everyone_members: int) -> Posted:
            runs.append(draft)
            return post(tx, sender, draft, everyone_members)

        monkeypatch.setattr(posting, "post", counted)
        monkeypatch.setattr(transaction, "now_ms", lambda: NOW + 4 * SECOND)
        group = Group([*plain[:10], odd, *plain[10:]])
        village.commit(group, group.asks, bulk=True)
    assert len(runs) == alone


def test_marks_that_move_nothing_write_nothing() -> None:
    marks = [Mark(1, 0, "read", 1), Mark(1, 0, "delivered", 1), Mark(0, 0, "read", 1)]
    with _two({}) as (_, village):
        for asks in ([Post(0, 0, 1)], marks):
            village.commit(Group(asks), asks, bulk=True)
        changes = village.connection.total_changes
        found = village.commit(Group(marks), marks, bulk=True)
        assert village.connection.total_changes == changes
    assert found == [(Marked(1, 0), [])] * 3


# ---- what is remembered


def test_what_a_group_read_is_not_read_again() -> None:
    asks = [Post(0, 0, 1), Mark(1, 0, "read", 1), Post(1, 1, 2)]
    more = [Post(0, 0, 3), Mark(1, 0, "read", 2), Post(1, 1, 4)]
    seen: list[str] = []
    with _two({}) as (_, village):
        village.commit(Group(asks), asks, bulk=True)
        village.connection.set_trace_callback(seen.append)
        village.commit(Group(more), more, bulk=True)
    assert [sql.split(" FROM ")[1].split()[0] for sql in seen if sql.startswith("SELECT")] == ["log", "messages"]


class Unforgetting(dict[Any, Any]):
    def clear(self) -> None:
        pass


STALE = {
    "leaving": [Group([Post(1, 1, 1)]), Group([Other("leave", 1, 1)]), Group([Post(1, 1, 2)])],
    "leaving, in the same group": [Group([Post(1, 1, 1), Other("leave", 1, 1), Post(1, 1, 2)])],
    "and not repeatable": [Group([Post(1, 1, 1), Other("leave", 1, 1), Post(1, 1, 2)], repeatable=False)],
    "closing": [Group([Post(1, 1, 1)]), Group([Other("close", 0, 1)]), Group([Post(1, 1, 2)])],
    "signing out": [Group([Post(1, 1, 1)]), Group([Other("revoke", 1, 1)]), Group([Mark(1, 1, "read", 1)])],
    "blocking": [
        Group([Post(0, 0, 1), Mark(1, 0, "delivered", 1), Post(0, 0, 2)]),
        Group([Other("block", 1, 0, 0)]),
        Group([Mark(1, 0, "read", 2)]),
    ],
    "hiding": [
        Group([Post(0, 0, 1)]),
        Group([Other("hide receipts", 1, 0)]),
        Group([Mark(1, 0, "read", 1)]),
        Group([Other("hide receipts", 1, 0)]),
        Group([Post(0, 0, 2), Mark(1, 0, "read", 2)]),
    ],
    "deactivating": [Group([Post(0, 0, 1)]), Group([Other("deactivate", 1, 0)]), Group([Post(0, 0, 2)])],
    "a COMMIT that fails": [Group([Post(0, 0, 1)], fails="COMMIT"), Group([Post(0, 0, 2)])],
}


@pytest.mark.parametrize("groups", STALE.values(), ids=STALE)
def test_what_may_no_longer_be_true_is_forgotten(groups: list[Group]) -> None:
    compare(groups)
    with pytest.raises((AssertionError, sqlite3.Error)):  # so these groups would notice
        compare(groups, known=Unforgetting())


def test_a_plugin_that_blocks_in_a_group_hides_the_marks_behind_it_from_the_blocked_user() -> None:
    read = [Mark(1, 0, "delivered", 1), Post(0, 0, 2, "no!"), Mark(1, 0, "read", 2)]
    compare([Group([Post(0, 0, 1)]), Group(read)], "blocking")


def test_a_token_that_is_remembered_expires() -> None:
    """It ends three seconds after the start, and each group comes a second after the one before."""
    found = compare([Group([Post(2, 1, number)]) for number in range(4)])
    assert [isinstance(each, Posted) for each in found] == [True, True, False, False]


@pytest.mark.parametrize("inline", [True, False])
async def test_everything_is_forgotten_when_the_connection_is_maintained(tmp_path: Path, inline: bool) -> None:
    village, content = _village()
    path = tmp_path / "village.sqlite3"
    path.write_bytes(content)
    async with opened(path, inline=inline) as db:
        assert (await _submitted(db, Post(0, 0, 1)(village)))[0].unwrap().seq == 1
        await db.maintain(lambda connection: connection.execute("UPDATE conversations SET head = 7"))
        assert (await _submitted(db, Post(0, 0, 2)(village)))[0].unwrap().seq == 8


async def test_what_is_submitted_together_is_run_together(tmp_path: Path) -> None:
    village, content = _village()
    path = tmp_path / "village.sqlite3"
    path.write_bytes(content)
    async with opened(path) as db:
        with statements_of(db) as statements:
            found = await _submitted(db, *(Post(0, 0, number)(village) for number in range(5)))
    assert [each.unwrap().seq for each in found] == [1, 2, 3, 4, 5]
    assert [each.event.message.seq for each in db.published] == [1, 2, 3, 4, 5]  # type: ignore[attr-defined]
    assert statements.count("COMMIT") == 1
    assert len([sql for sql in statements if sql.startswith("UPDATE conversations")]) == 1


async def _submitted(db: Published, *writes: PlannedWrite[Any]) -> list[outcome.Outcome[Any]]:
    found: list[outcome.Outcome[Any]] = []
    db.hold()
    for write in writes:
        db.submit(write, found.append)
    db.hand_over()
    with trio.fail_after(10):
        while len(found) < len(writes):
            await trio.lowlevel.checkpoint()
    return found


def test_what_is_remembered_has_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(together, "MOST_REMEMBERED", 3)
    asks = [Post(who, place, 3 * who + place) for who in range(2) for place in range(2)]
    with _two({}) as (_, village):
        for again in range(4):
            group = [attrs.evolve(ask, cid=ask.cid + 100 * again) for ask in asks]
            village.commit(Group(group), group, bulk=True)
            assert village.db._known["memory"].entries <= 3 + 6
    compare([Group([attrs.evolve(ask, cid=ask.cid + 100 * again) for ask in asks]) for again in range(4)])


def test_one_bulk_does_not_trust_what_another_remembers() -> None:
    remembered: list[list[str]] = []

    def bulk(name: str) -> Any:
        def run(tx: BulkTransaction, known: dict[Any, Any], calls: Sequence[Any]) -> Iterator[outcome.Outcome[Any]]:
            remembered.append(list(known))
            known[name] = True
            yield from [outcome.Value(None)] * len(calls)

        return run

    one, other = bulk("one"), bulk("other")
    with _two({}) as (village, _):
        plans = [PlannedWrite(lambda tx: None, bulk=each) for each in (one, one, other, one)]
        jobs = [QueuedCall(plan.function, None, repeatable=True, plan=plan) for plan in plans]
        village.db._commit(jobs)
    assert remembered == [[], [], []]
