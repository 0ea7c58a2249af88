"""A state machine of the storage core against a model, with crashes; and proof that it finds planted bugs.

After every step it holds invariants 1 to 6 of the promise that an acknowledgement makes:

1. what was acknowledged is there once, what was refused is not;
2. a place in a conversation holds the same message for everybody, before and after a restart;
3. what a member missed is complete and in order;
4. what is posted later comes later;
5. nothing reaches somebody who does not take part;
6. counters are what counting gives.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import attrs
import outcome
import pytest
from hypothesis import HealthCheck, Phase, Verbosity, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from chatnode.errors import Refusal
from chatnode.model.events import (
    ConversationUpdated,
    Event,
    MemberChanged,
    MemberJoined,
    MemberLeft,
    MessagePosted,
    ReceiptDelivered,
    ReceiptRead,
)
from chatnode.model.ids import new_id
from chatnode.model.people import Account
from chatnode.protocol.envelopes import push_of
from chatnode.storage.conversations import conversations
from chatnode.storage.conversations import members as membership
from chatnode.storage.conversations import opening as openings
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.database import Database
from chatnode.storage.engine.transaction import Committed, Transaction, Write
from chatnode.storage.log import log
from chatnode.storage.messages import inbox, mentions, messages, pages, posting, receipts
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from chatnode.storage.upkeep import checks
from tests.quick import examples
from tests.storage.harness import Store
from tests.storage.model import Model, Said, Seen, Talk

ALL = 2**62
PEOPLE = ("ann", "bob", "cay", "eve", "fay")
AS_THINGS_ARE = (ConversationUpdated.name, MemberChanged.name)
"""Events that say how things are when they are read, not how they were."""
TEXTS = ("hello", "hi @bob", "@ann, @cay: look", "mail@eve.example, thanks @eve.", "@nobody @bob @bob")

who = st.integers(0, 9)
where = st.integers(0, 7)
small = st.integers(0, 9)
text = st.sampled_from(TEXTS)


class StorageMachine(RuleBasedStateMachine):
    """People talk; the node stops, crashes and goes on. `database` may be one with a bug."""

    database: type[Database] = Database

    def __init__(self) -> None:
        super().__init__()
        self._folder = TemporaryDirectory()
        self.store = Store(Path(self._folder.name), self.database)
        self.model = Model()
        self.accounts: dict[str, Account] = {}
        self.hearing: dict[int, set[str]] = {}
        self.cids = 0

    def teardown(self) -> None:
        try:
            for person in self.accounts:
                for cursor in range(self.model.head + 1):
                    self._check_since(person, cursor)
        finally:
            self.store.close()
            self._folder.cleanup()

    # ---- how a step is carried out

    def do(self, write: Write[Any], allowed: Callable[[], Any], *expected: type[Event]) -> Any:
        """Carry a write out; it must do what the model says: be refused, or record events of these kinds."""
        due = _refusal(allowed)
        result = outcome.capture(self.store.write, write)
        if _same_refusal(result, due):
            return None
        result, recorded = result.unwrap()
        assert [type(each.event) for each in recorded] == list(expected)
        self.publish(recorded)
        return result

    def publish(self, recorded: list[Committed]) -> None:
        """Note what everybody is sent live: those who take part when it happens, and whom it concerns."""
        for each in recorded:
            assert each.gid == self.model.head + 1, "a gid was left out or used twice"
            self.model.head = each.gid
            event = each.event
            hearing = self.hearing.setdefault(each.conversation, set()) if each.conversation is not None else set()
            concerned = {self._handle(key) for key in each.people}
            conversation = getattr(event, "conversation", None)
            if isinstance(event, MemberJoined):
                hearing.add(event.person.handle)
                for earlier in self.model.seen[event.person.handle]:
                    if earlier.conversation == conversation and not earlier.personal:
                        earlier.superseded = True
            json = push_of(each.gid, event).json
            for handle in hearing | concerned:
                self.model.seen[handle].append(
                    Seen(each.gid, event.name, conversation, json, personal=handle in concerned)
                )
            if isinstance(event, MemberLeft):
                hearing.discard(event.person.handle)

    def _handle(self, key: int) -> str:
        return next(account.handle for account in self.accounts.values() if account.key == key)

    def person(self, number: int) -> str:
        return list(self.accounts)[number % len(self.accounts)]

    def someone(self, number: int, talk: Talk) -> str:
        """Mostly somebody who takes part, so that most steps do something."""
        inside = list(talk.parts)
        return inside[number % len(inside)] if inside and number < 8 else self.person(number)

    def talk(self, number: int) -> Talk:
        return list(self.model.talks.values())[number % len(self.model.talks)]

    def some_message(self, number: int) -> tuple[Talk, Said] | None:
        everything = [(talk, said) for talk in self.model.talks.values() for said in talk.said]
        return everything[number % len(everything)] if everything else None

    # ---- people and conversations

    @initialize()
    def first_people(self) -> None:
        for _ in range(3):
            self.newcomer()

    @precondition(lambda self: len(self.accounts) < len(PEOPLE))
    @rule()
    def newcomer(self) -> None:
        handle = PEOPLE[len(self.accounts)]
        account = self.do(lambda tx: people.create(tx, handle, role="member"), lambda: None)
        self.accounts[handle] = account
        self.model.keys[handle] = account.key
        self.model.seen[handle] = []

    @precondition(lambda self: len(self.model.talks) < 6)
    @rule(one=who, other=who)
    def direct(self, one: int, other: int) -> None:
        pair = [self.person(one), self.person(other)]
        known = next((t for t in self.model.talks.values() if t.kind == "direct" and set(t.parts) == set(pair)), None)
        members = list(dict.fromkeys(pair))
        opening = [] if known else [MemberJoined] * len(members) + [ConversationUpdated]
        gid = self.model.head + 1
        id = self.do(
            lambda tx: openings.open_direct(tx, self.accounts[pair[0]], self.accounts[pair[1]]), _always, *opening
        )
        if known:
            assert id == known.id
            return
        self._opened(Talk(id, "direct", "private", "all", "", gid), members)

    @precondition(lambda self: len(self.model.talks) < 6)
    @rule(owner=who, others=st.lists(who, max_size=3), public=st.booleans(), everything=st.booleans())
    def group(self, owner: int, others: list[int], public: bool, everything: bool) -> None:
        members = list(dict.fromkeys([self.person(owner), *(self.person(other) for other in others)]))
        gid, title = self.model.head + 1, f"group {self.model.head}"
        visibility, history = "public" if public else "private", "all" if everything else "since_joining"
        id = self.do(
            lambda tx: openings.open_group(
                tx, self.accounts[members[0]], title=title, description="", visibility=visibility, history=history,
                others=[self.accounts[member] for member in members], most_members=0,
            ),
            _always, *[MemberJoined] * len(members), ConversationUpdated,
        )  # fmt: skip
        self._opened(Talk(id, "group", visibility, history, title, gid), members)

    def _opened(self, talk: Talk, members: list[str]) -> None:
        self.model.talks[talk.id] = talk
        for number, member in enumerate(members):
            self.model.joined(member, talk, talk.activity + number)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where)
    def join(self, by: int, place: int) -> None:
        one, talk = self.person(by), self.talk(place)
        new = _or_none(lambda: self.model.may_join(one, talk))
        becomes_owner = new and not talk.parts
        gid = self.model.head + 1
        self.do(
            lambda tx: membership.join(tx, self.accounts[one], talk.id, 0),
            lambda: self.model.may_join(one, talk),
            *[MemberJoined][: bool(new)],
            *[MemberChanged][: bool(becomes_owner)],
        )
        if new:
            self.model.joined(one, talk, gid)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, whom=who)
    def add(self, by: int, place: int, whom: int) -> None:
        talk, other = self.talk(place), self.person(whom)
        one = self.someone(by, talk)
        new = _or_none(lambda: self.model.may_add(one, talk, other))
        gid = self.model.head + 1
        self.do(
            lambda tx: membership.add(tx, self.accounts[one], talk.id, self.accounts[other], 0),
            lambda: self.model.may_add(one, talk, other),
            *[MemberJoined][: bool(new)],
        )
        if new:
            self.model.joined(other, talk, gid)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where)
    def leave(self, by: int, place: int) -> None:
        talk = self.talk(place)
        one = self.someone(by, talk)
        if refusal := _refusal(lambda: self.model.may_leave(one, talk)):
            self.do(lambda tx: membership.leave(tx, self.accounts[one], talk.id), partial(_raise, refusal))
            return
        was_owner = talk.parts[one].role == "owner"
        self.model.left(one, talk)
        heir = self.model.heir(talk) if was_owner else None
        self.do(
            lambda tx: membership.leave(tx, self.accounts[one], talk.id),
            _always,
            MemberLeft,
            *[MemberChanged][: heir is not None],
        )
        if heir is not None:
            talk.parts[heir].role = "owner"

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, whom=who)
    def kick(self, by: int, place: int, whom: int) -> None:
        talk = self.talk(place)
        other = self.someone(whom, talk)
        one = self.someone(by, talk)
        refusal = _refusal(lambda: self.model.may_remove(one, talk, other))
        self.do(
            lambda tx: membership.remove(tx, self.accounts[one], talk.id, self.accounts[other]),
            partial(_raise, refusal),
            MemberLeft,
        )
        if refusal is None:
            self.model.left(other, talk)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, whom=who, role=st.sampled_from(("member", "admin", "owner")))
    def set_role(self, by: int, place: int, whom: int, role: str) -> None:
        talk = self.talk(place)
        other = self.someone(whom, talk)
        one = self.someone(by, talk)
        refusal = _refusal(lambda: self.model.may_set_role(one, talk, other))
        is_new = other in talk.parts and talk.parts[other].role != role
        self.do(
            lambda tx: membership.set_role(tx, self.accounts[one], talk.id, self.accounts[other], role),
            partial(_raise, refusal),
            *[MemberChanged] * (2 if role == "owner" else int(is_new)),
        )
        if refusal is None:
            if role == "owner":
                talk.parts[one].role = "admin"
            talk.parts[other].role = role

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, visibility=st.sampled_from((None, "public", "private")))
    def update(self, by: int, place: int, visibility: Any) -> None:
        talk, title = self.talk(place), f"title {self.model.head}"
        one = self.someone(by, talk)
        refusal = _refusal(lambda: self.model.may_update(one, talk, visibility))
        self.do(
            lambda tx: conversations.update(
                tx, self.accounts[one], talk.id, title=title, description=None, visibility=visibility
            ),
            partial(_raise, refusal),
            ConversationUpdated,
        )
        if refusal is None:
            talk.title, talk.visibility = title, visibility or talk.visibility

    # ---- messages

    def draft(self, talk: Talk, text: str, reply_to: str | None = None) -> Draft:
        self.cids += 1
        return Draft(talk.id, f"cid-{self.cids}", text, reply_to)

    def posted(self, one: str, talk: Talk, draft: Draft, posted: Any) -> None:
        assert (posted.seq, posted.gid, posted.dup) == (talk.head + 1, self.model.head, False)
        said = Said(posted.message, posted.seq, posted.gid, one, draft.cid, draft.text, draft.reply_to, set())
        self.model.said(one, talk, said)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, text=text, reply=st.none() | small)
    def post(self, by: int, place: int, text: str, reply: int | None) -> None:
        talk = self.talk(place)
        one = self.someone(by, talk)
        original = self.some_message(reply) if reply is not None else None  # perhaps of another conversation
        draft = self.draft(talk, text, original[1].id if original else None)
        allowed = lambda: self.model.may_post(one, talk, draft.reply_to)  # noqa: E731
        posted = self.do(lambda tx: posting.post(tx, self.accounts[one], draft), allowed, MessagePosted)
        if posted is not None:
            self.posted(one, talk, draft, posted)

    @rule(number=small)
    def post_again(self, number: int) -> None:
        """A repeat is answered as the first time, whatever has become of the sender since."""
        if (found := self.some_message(number)) is None:
            return
        talk, said = found
        draft = Draft(talk.id, said.cid, said.text, said.reply_to)
        posted = self.do(lambda tx: posting.post(tx, self.accounts[said.sender], draft), _always)
        assert (posted.seq, posted.gid, posted.message, posted.dup) == (said.seq, said.gid, said.id, True)

    @rule(number=small, place=where)
    def post_something_else_under_the_same_cid(self, number: int, place: int) -> None:
        if (found := self.some_message(number)) is None:
            return
        talk, said = found
        elsewhere = self.talk(place)
        same = elsewhere is talk
        draft = Draft(elsewhere.id, said.cid, said.text + "!" if same else said.text)
        conflict = partial(_raise, Refusal("conflict", "by the model"))
        self.do(lambda tx: posting.post(tx, self.accounts[said.sender], draft), conflict)

    @precondition(lambda self: self.model.talks)
    @rule(posts=st.lists(st.tuples(who, where, st.booleans()), min_size=2, max_size=5))
    def post_together(self, posts: list[tuple[int, int, bool]]) -> None:
        """One group commit, in which some are refused and some fail when they have done everything."""
        planned = [(self.someone(by, self.talk(place)), self.talk(place), fails) for by, place, fails in posts]
        drafts = [self.draft(talk, "together") for _, talk, _ in planned]

        def write(tx: Transaction, number: int) -> Any:
            posted = posting.post(tx, self.accounts[planned[number][0]], drafts[number])
            if planned[number][2]:
                raise _Failed
            return posted

        results = self.store.write_together([partial(write, number=number) for number in range(len(planned))])
        for (one, talk, fails), draft, result in zip(planned, drafts, results, strict=True):
            if _same_refusal(result, _refusal(partial(self.model.access, one, talk))):
                continue
            if fails:
                with pytest.raises(_Failed):
                    result.unwrap()
                continue
            posted, recorded = result.unwrap()
            self.publish(recorded)
            self.posted(one, talk, draft, posted)

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, kind=st.sampled_from(("read", "delivered")), seq=small)
    def mark(self, by: int, place: int, kind: Any, seq: int) -> None:
        talk = self.talk(place)
        one, seq = self.someone(by, talk), seq % (talk.head + 2)
        refusal = _refusal(lambda: self.model.may_mark(one, talk, seq))
        moved = refusal is None and self.model.marked(one, talk, kind, seq)
        marked = self.do(
            lambda tx: receipts.mark(tx, self.accounts[one], talk.id, kind, seq),
            partial(_raise, refusal),
            *[ReceiptRead if kind == "read" else ReceiptDelivered][:moved],
        )
        if marked is not None:
            part = talk.parts[one]
            assert marked.seq == (part.read if kind == "read" else part.delivered)
            assert marked.unread == talk.head - part.read

    # ---- stops and crashes

    @rule()
    def reopen(self) -> None:
        self.store.reopen()

    @rule()
    def crash_after_commit(self) -> None:
        self.store.crash()

    @precondition(lambda self: any(talk.parts for talk in self.model.talks.values()))
    @rule(place=where, by=who, then=st.sampled_from(("sends again", "gives up")))
    def crash_before_commit(self, place: int, by: int, then: str) -> None:
        """What was not acknowledged is not there, and may be sent again."""
        talk = self.talk(place)
        if not talk.parts:
            return
        one = list(talk.parts)[by % len(talk.parts)]
        draft = self.draft(talk, "x" * 50_000 if by % 2 else "before the crash")  # large: pages get into the files
        self.store.crash_within(lambda tx: posting.post(tx, self.accounts[one], draft))
        if then == "sends again":
            posted = self.do(lambda tx: posting.post(tx, self.accounts[one], draft), _always, MessagePosted)
            self.posted(one, talk, draft, posted)

    # ---- reading

    @precondition(lambda self: self.model.talks)
    @rule(by=who, place=where, before=st.none() | small, after=st.none() | small, limit=st.integers(1, 4))
    def page(self, by: int, place: int, before: int | None, after: int | None, limit: int) -> None:
        one, talk = self.person(by), self.talk(place)
        if one not in talk.parts:
            return
        fitting = [
            said.id for said in self.model.visible(one, talk)
            if (before is None or said.seq < before) and (after is None or said.seq > after)
        ]  # fmt: skip
        expected = fitting[:limit] if after is not None else fitting[-limit:]

        def read(reader: Reader) -> list[str]:
            place = conversations.access(reader, self.accounts[one], talk.id)
            found = pages.read(
                reader, self.accounts[one], pages.history(place, before=before, after=after, limit=limit)
            )
            return [message.message for message in found]

        assert self.store.read(read) == expected

    @rule(by=who, cursor=st.integers(0, 200))
    def since_a_cursor(self, by: int, cursor: int) -> None:
        self._check_since(self.person(by), cursor % (self.model.head + 1))

    def _check_since(self, person: str, cursor: int) -> None:
        """Invariants 3 and 5 for whoever comes back: all of it, in order, and nothing that is not for them."""
        account = self.accounts[person]
        gids = self.store.read(lambda reader: log.gids_since(reader, account, cursor, ALL))
        seen = {each.gid: each for each in self.model.seen[person] if each.gid > cursor}
        assert gids == sorted(set(gids or ())), f"{gids} is not in order"
        assert set(gids) <= set(seen), f"{person} is given {sorted(set(gids) - set(seen))}, which is not theirs"
        due = {gid for gid, each in seen.items() if not each.superseded and not self._may_have_passed(person, each)}
        assert due <= set(gids), f"{person} misses {sorted(due - set(gids))}"
        given = dict(self.store.read(lambda reader: list(log.events_of(reader, account, gids))))
        for gid in gids:
            self._check_given(person, seen[gid], given.get(gid))

    def _may_have_passed(self, person: str, live: Seen) -> bool:
        """What is replayed as things are now says nothing to those who are out."""
        return live.name in AS_THINGS_ARE and person not in self.model.talks[live.conversation or ""].parts

    def _check_given(self, person: str, live: Seen, event: Event | None) -> None:
        """An event that is replayed is what was pushed, or as things are now, if that is still theirs to see."""
        json = push_of(live.gid, event).json if event is not None else None
        if json == live.json:
            return
        assert live.name in AS_THINGS_ARE, f"{person} was pushed {live.json!r} and is replayed {json!r}"
        if event is None:
            return
        talk = self.model.talks[live.conversation or ""]
        assert person in talk.parts, f"{person} is not in the conversation any more and is shown {json!r}"
        if isinstance(event, ConversationUpdated):
            details = event.details
            now = (talk.title, talk.visibility, talk.head, len(talk.parts))
            assert (details.title, details.visibility, details.head, details.members) == now
        else:
            assert isinstance(event, MemberChanged)
            assert event.role == talk.parts[event.person.handle].role

    # ---- what always holds

    @invariant()
    def checks_are_clean(self) -> None:
        checked = self.store.read(checks.run)
        assert checked.clean, [check for check in checked.checks if check.problems]
        assert self.store.read(log.head) == self.model.head

    @invariant()
    def everything_acknowledged_is_there_once_and_nothing_else(self) -> None:
        rows = self.store.read(
            lambda reader: reader.execute(
                "SELECT c.id, m.seq, m.cid, m.text, m.gid FROM messages m JOIN conversations c ON c.key = conversation"
            ).fetchall()
        )
        expected = [
            (talk.id, said.seq, said.cid, said.text, said.gid)
            for talk in self.model.talks.values()
            for said in talk.said
        ]
        assert sorted(rows) == sorted(expected)

    @invariant()
    def everybody_reads_the_same_history_and_nobody_else_any(self) -> None:
        def read(reader: Reader) -> None:
            for handle, account in self.accounts.items():
                for talk in self.model.talks.values():
                    self._check_history(reader, handle, account, talk)

        self.store.read(read)

    def _check_history(self, reader: Reader, handle: str, account: Account, talk: Talk) -> None:
        place = outcome.capture(conversations.access, reader, account, talk.id)
        if _same_refusal(place, _refusal(lambda: self.model.access(handle, talk))):
            hidden = talk.said
        else:
            place = place.unwrap()
            hidden = talk.said[: place.first - 1]
            page = pages.read(reader, account, pages.history(place, after=0, limit=ALL))
            shown = [(message.seq, message.message) for message in page]
            assert shown == [(said.seq, said.id) for said in self.model.visible(handle, talk)]
        for said in hidden[-1:]:
            assert _refusal(partial(messages.access, reader, account, said.id)), f"{handle} reads {said}"

    @invariant()
    def inboxes_are_what_counting_gives(self) -> None:
        for handle, account in self.accounts.items():
            assert self.store.read(partial(_whole_inbox, account=account)) == self.model.inbox(handle)

    @invariant()
    def what_was_missed_is_complete(self) -> None:
        for handle in self.accounts:
            self._check_since(handle, 0)
            self._check_since(handle, max(0, self.model.head - 3))


class _Failed(Exception):
    """Of a write that fails at its end."""


def _whole_inbox(reader: Reader, account: Account) -> list[dict[str, object]]:
    """All pages of an inbox, two entries each, with ids for the objects in them."""
    entries: list[dict[str, object]] = []
    page = inbox.page(reader, account, None, 2)
    while True:
        for entry in page.conversations:
            fields = attrs.asdict(entry, recurse=False)
            fields["last"] = entry.last and entry.last.message
            fields["peer"] = entry.peer and entry.peer.handle
            entries.append(fields)
        if page.next is None:
            return entries
        page = inbox.page(reader, account, page.next, 2)


def _refusal(function: Callable[[], Any]) -> Refusal | None:
    try:
        function()
    except Refusal as refusal:
        return refusal
    return None


def _same_refusal(result: outcome.Outcome[Any], due: Refusal | None) -> bool:
    """Whether the storage refused, which must be what the model says. Any other error is none of this."""
    error = result.error if isinstance(result, outcome.Error) else None
    if isinstance(error, Refusal) or (error is None and due is not None):
        said, expected = error and error.code, due and due.code
        assert said == expected, f"the storage says {error or 'yes'}, the model {due or 'yes'}"
    return isinstance(error, Refusal)


def _or_none(function: Callable[[], Any]) -> Any:
    try:
        return function()
    except Refusal:
        return None


def _always() -> None:
    """Whatever the model has to say was said before."""


def _raise(refusal: Refusal | None) -> None:
    if refusal is not None:
        raise refusal


# ---- the machine runs, and is able to fail

SETTINGS = settings(
    deadline=None,
    print_blob=True,
    report_multiple_bugs=False,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_the_storage_does_what_the_model_says() -> None:
    run_state_machine_as_test(
        StorageMachine, settings=settings(SETTINGS, max_examples=examples(40), stateful_step_count=30)
    )


@pytest.mark.slow
def test_the_storage_does_what_the_model_says_for_long() -> None:
    run_state_machine_as_test(StorageMachine, settings=settings(SETTINGS, max_examples=200, stateful_step_count=60))


def no_dedupe(patch: pytest.MonkeyPatch) -> None:
    """A repeated cid makes a second message."""
    patch.setattr(posting, "message_id", lambda sender, cid: new_id())


def seq_used_again(patch: pytest.MonkeyPatch) -> None:
    """Every third message leaves the head of its conversation where it was."""
    post = posting.post

    def leaves_the_head(tx: Transaction, sender: Account, draft: Draft) -> Any:
        posted = post(tx, sender, draft)
        if posted.seq % 3 == 0:
            tx.execute("UPDATE conversations SET head = head - 1 WHERE id = ?", (draft.conversation,))
        return posted

    patch.setattr(posting, "post", leaves_the_head)


def no_access_check(patch: pytest.MonkeyPatch) -> None:
    """Who was removed still gets in."""
    patch.setattr(conversations, "_PLACE", conversations._PLACE.replace(" AND m.left_gid IS NULL", ""))


def history_from_before_joining(patch: pytest.MonkeyPatch) -> None:
    """Who joins sees what was said before, whatever the group says."""
    join = membership._join
    patch.setattr(
        membership,
        "_join",
        lambda tx, key, id, person, history, head, by: join(tx, key, id, person, "all", head, by),
    )


def replay_from_before_joining(patch: pytest.MonkeyPatch) -> None:
    """Who comes back is given events of the conversation from before they took part."""
    gids = log._gids_of_conversation
    patch.setattr(log, "_gids_of_conversation", lambda reader, key, above, until: gids(reader, key, 0, until))


def replay_without_receipts(patch: pytest.MonkeyPatch) -> None:
    """Marks that moved while somebody was away are not replayed."""
    gids = log._gids_of_conversation

    def without(reader: Reader, key: int, above: int, until: int) -> list[int]:
        receipts = {gid for (gid,) in reader.execute("SELECT gid FROM log WHERE kind LIKE 'receipt.%'")}
        return [gid for gid in gids(reader, key, above, until) if gid not in receipts]

    patch.setattr(log, "_gids_of_conversation", without)


def posting_does_not_read(patch: pytest.MonkeyPatch) -> None:
    """One's own messages count as unread."""
    patch.setattr(receipts.Advances, "posted", lambda self, place, person, seq, now: None)


def mentions_not_counted(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(mentions, "named", lambda tx, place, text, everyone_members: [])


class _GidsOfFailedWrites(Database):
    def _run_in_savepoint(self, job: Any, gid: int) -> int:
        used: list[int] = []

        def function(tx: Transaction, inner: Any = job.function) -> Any:
            try:
                return inner(tx)
            finally:
                used.append(tx.next_gid)

        job.function = function
        super()._run_in_savepoint(job, gid)
        return used[0]


def gids_of_failed_writes_are_lost(patch: pytest.MonkeyPatch) -> None:
    """A write that fails leaves a hole in the log."""
    patch.setattr(StorageMachine, "database", _GidsOfFailedWrites)


class _NoSavepoints(Database):
    def _run_in_savepoint(self, job: Any, gid: int) -> int:
        transaction = Transaction(self._writer, gid)
        job.outcome = outcome.capture(job.function, transaction)
        job.recorded = transaction.recorded
        return transaction.next_gid


def failed_writes_are_not_undone(patch: pytest.MonkeyPatch) -> None:
    patch.setattr(StorageMachine, "database", _NoSavepoints)


class _AckBeforeCommit(Database):
    def _commit(self, group: list[Any]) -> None:
        super()._commit(group)
        if len(group) > 1:  # as if these were still waiting for their commit
            gid = min((each.gid for job in group for each in job.recorded), default=0)
            self._writer.execute("DELETE FROM log WHERE gid >= ? AND ?", (gid, gid))


def acknowledged_and_not_committed(patch: pytest.MonkeyPatch) -> None:
    """What a group wrote is lost although it was acknowledged."""
    patch.setattr(StorageMachine, "database", _AckBeforeCommit)


BUGS = [
    no_access_check,
    replay_from_before_joining,
    *(
        pytest.param(plant, marks=pytest.mark.slow)
        for plant in (
            no_dedupe,
            seq_used_again,
            failed_writes_are_not_undone,
            acknowledged_and_not_committed,
            history_from_before_joining,
            replay_without_receipts,
            posting_does_not_read,
            mentions_not_counted,
            gids_of_failed_writes_are_lost,
        )
    ),
]


@pytest.mark.parametrize("plant", BUGS)
def test_the_machine_finds_a_planted_bug(plant: Callable[[pytest.MonkeyPatch], None]) -> None:
    searching = settings(
        SETTINGS, max_examples=1_200, stateful_step_count=40, phases=[Phase.generate], database=None,
        derandomize=True, verbosity=Verbosity.quiet, print_blob=False,
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as patch:
        plant(patch)
        with pytest.raises((AssertionError, sqlite3.IntegrityError)):
            run_state_machine_as_test(StorageMachine, settings=searching)
