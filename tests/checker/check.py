"""The invariants, numbered as in docs/reliability.md: each rule is a function from records to violations."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .history import Record

Key = tuple[str, str]
FOREVER = float("inf")


@dataclass(frozen=True)
class Violation:
    """One broken promise."""

    invariant: int
    rule: str
    what: str

    def __str__(self) -> str:
        return f"invariant {self.invariant} ({self.rule}): {self.what}"


Rule = Callable[[Sequence[Record]], Iterator[str]]
_rules: list[tuple[int, Rule]] = []


def invariant(number: int) -> Callable[[Rule], Rule]:
    """Register a rule under the number of the invariant it belongs to."""

    def register(rule: Rule) -> Rule:
        _rules.append((number, rule))
        return rule

    return register


def check(records: Sequence[Record]) -> list[Violation]:
    """Every violation in a history, in the order of the invariants."""
    ordered = sorted(_rules, key=lambda numbered: numbered[0])
    return [Violation(n, rule.__name__, what) for n, rule in ordered for what in rule(records)]


# -- 1: every acked cid exactly once, an unknown one at most once, a failed one never ------------------------


@invariant(1)
def acked_exists_everywhere(records: Sequence[Record]) -> Iterator[str]:
    """What was acked is in every export of its conversation made afterwards."""
    acked: dict[Key, set[str]] = defaultdict(set)
    for record in records:
        if record["op"] == "post" and record["phase"] == "ok":
            acked[_post_key(record)].add(record["cid"])
        elif record["op"] == "export":
            present = {message["cid"] for message in record["messages"]}
            for (conversation, sender), cids in acked.items():
                if conversation == record["conversation"]:
                    for cid in sorted(cids - present):
                        yield f"{_where(record)}: acked {cid} of {sender} is not there"


@invariant(1)
def nothing_exists_twice(records: Sequence[Record]) -> Iterator[str]:
    """No cid has two messages, acked or not."""
    for record in _of(records, "export"):
        counts = Counter((m["sender"], m["cid"]) for m in record["messages"] if m["cid"] is not None)
        for (sender, cid), count in counts.items():
            if count > 1:
                yield f"{_where(record)}: {count} messages for {cid} of {sender}"


@invariant(1)
def refused_never_exists(records: Sequence[Record]) -> Iterator[str]:
    """A cid of which every attempt was refused has no message."""
    phases: dict[str, set[str]] = defaultdict(set)
    for record in _of(records, "post"):
        phases[record["cid"]].add(record["phase"])
    refused = {cid for cid, seen in phases.items() if seen == {"invoke", "fail"}}
    for record, message in _messages(records):
        if message["cid"] in refused:
            yield f"{_where(record)}: {message['cid']} was refused and yet has seq {message['seq']}"


@invariant(1)
def nothing_comes_from_nowhere(records: Sequence[Record]) -> Iterator[str]:
    """Every message was sent by somebody in this history, to this conversation, with this text."""
    sent = {r["cid"]: (r["conversation"], r["text"]) for r in _of(records, "post") if r["phase"] == "invoke"}
    for record, message in _messages(records):
        cid = message["cid"]
        if cid is None:  # written by the node itself
            continue
        if cid not in sent:
            yield f"{_where(record)}: {cid} at seq {message['seq']} was never sent"
        elif sent[cid] != (record["conversation"], message["text"]):
            yield f"{_where(record)}: {cid} is in the wrong conversation or has another text"


# -- 2: (conversation, seq) names one message, for everyone and for ever ------------------------------------


@invariant(2)
def a_seq_is_used_once(records: Sequence[Record]) -> Iterator[str]:
    """Acks, pushes and exports agree which cid has a seq."""
    holder: dict[tuple[str, int], str | None] = {}
    for record, message in _placed(records):
        place = (record["conversation"], message["seq"])
        if holder.setdefault(place, message["cid"]) != message["cid"]:
            yield f"{_where(record)}: seq {message['seq']} is {message['cid']}, and was {holder[place]}"


@invariant(2)
def a_message_has_one_place(records: Sequence[Record]) -> Iterator[str]:
    """Acks, pushes and exports agree on the seq and the gid of a cid."""
    places: dict[str, tuple[int, int]] = {}
    for record, message in _placed(records):
        if message["cid"] is None:
            continue
        place = (message["seq"], message["gid"])
        if places.setdefault(message["cid"], place) != place:
            yield f"{_where(record)}: {message['cid']} is at {place}, and was at {places[message['cid']]}"


# -- 3: streams without gaps, increasing, without duplicates ------------------------------------------------


@invariant(3)
def streams_increase(records: Sequence[Record]) -> Iterator[str]:
    """A client that resumes from what it applied never sees a gid again, nor one that is lower."""
    last: dict[str, int] = {}
    for record in _of(records, "push"):
        client, gid = record["client"], record["gid"]
        if client in last and gid <= last[client]:
            kind = "again" if gid == last[client] else "out of order"
            yield f"{client}: gid {gid} {kind} after {last[client]}"
        last[client] = max(gid, last.get(client, gid))


@invariant(3)
def streams_have_no_gaps(records: Sequence[Record]) -> Iterator[str]:
    """From its start on, a client sees every seq of a conversation one after the other."""
    expected: dict[Key, int] = {}
    for record in _of(records, "start", "push"):
        key = (record["client"], record["conversation"])
        if record["op"] == "start":
            expected[key] = record["after"] + 1
        elif key in expected:
            if record["seq"] != expected[key]:
                yield f"{key[0]} in {key[1]}: seq {record['seq']} where {expected[key]} was due"
            expected[key] = max(record["seq"], expected[key]) + 1


@invariant(3)
def streams_reach_the_end(records: Sequence[Record]) -> Iterator[str]:
    """After catching up a client has seen what the exports end with, unless its member left."""
    heads: dict[str, int] = defaultdict(int)
    seen: dict[Key, int] = {}
    gone = {(r["member"], r["conversation"]) for r in _of(records, "left")}
    members: dict[str, str] = {}
    for record in records:
        if record["op"] == "export":
            heads[record["conversation"]] = max(heads[record["conversation"]], _head(record))
        elif record["op"] in {"start", "push"}:
            key = (record["client"], record["conversation"])
            members[record["client"]] = record["member"]
            if record["op"] == "start":
                seen[key] = record["after"]
            elif key in seen:
                seen[key] = max(seen[key], record["seq"])
    for (client, conversation), seq in seen.items():
        if seq < heads[conversation] and (members[client], conversation) not in gone:
            yield f"{client} in {conversation}: saw up to seq {seq}, the head is {heads[conversation]}"


@invariant(3)
def exports_have_no_gaps(records: Sequence[Record]) -> Iterator[str]:
    """What a member may list is dense and ascending, in seq and in gid."""
    for record in _of(records, "export"):
        for before, after in zip(record["messages"], record["messages"][1:], strict=False):
            if after["seq"] != before["seq"] + 1:
                yield f"{_where(record)}: seq {after['seq']} follows {before['seq']}"
            if after["gid"] <= before["gid"]:
                yield f"{_where(record)}: gid {after['gid']} follows {before['gid']}"


# -- 4: the order of acks is the order of the conversation --------------------------------------------------


@invariant(4)
def order_is_real_time_order(records: Sequence[Record]) -> Iterator[str]:
    """What is sent after an ack comes after it: in gid everywhere, in seq within a conversation."""
    sent: dict[str, float] = {}
    acked: dict[str, Record] = {}
    for record in _of(records, "post"):
        if record["phase"] == "invoke":
            sent.setdefault(record["cid"], record["time"])
        elif record["phase"] == "ok":
            acked.setdefault(record["cid"], record)
    by_ack = sorted(acked.values(), key=lambda ack: ack["time"])
    by_send = sorted(acked.values(), key=lambda ack: sent[ack["cid"]])
    newest: dict[str | None, Record] = {}
    position = 0
    for later in by_send:
        while position < len(by_ack) and by_ack[position]["time"] < sent[later["cid"]]:
            earlier = by_ack[position]
            position += 1
            for scope, number in ((None, "gid"), (earlier["conversation"], "seq")):
                if scope not in newest or newest[scope][number] < earlier[number]:
                    newest[scope] = earlier
        for scope, number in ((None, "gid"), (later["conversation"], "seq")):
            if scope in newest and newest[scope][number] >= later[number]:
                earlier = newest[scope]
                mine, other = f"{later['cid']} has {number} {later[number]}", earlier["cid"]
                rest = f"though sent after {other} was acked with {earlier[number]}"
                yield f"{later['conversation']}: {mine}, {rest}"


# -- 5: nothing reaches a non-member ------------------------------------------------------------------------


@invariant(5)
def canaries_stay_inside(records: Sequence[Record]) -> Iterator[str]:
    """The words of a canary reach, by whatever way, only who was a member when or after they were written."""
    stays = _memberships(records)
    canaries = [(r["text"], r["conversation"], r["time"]) for r in _of(records, "canary")]
    for record in records:
        if record["op"] in {"canary", "post"}:
            continue
        for words, conversation, written in canaries:
            if any(end > written for _, end in stays[record["member"], conversation]):
                continue
            if words in _everything(record):
                who = f"{record['client']} ({record['member']})"
                yield f"{who} saw {words!r} of {conversation} by {record['op']}"


@invariant(5)
def only_members_see_messages(records: Sequence[Record]) -> Iterator[str]:
    """A push or an export of a conversation goes to somebody who is, or for exports was, in it."""
    stays = _memberships(records)
    for record in _of(records, "push", "export"):
        periods = stays[record["member"], record["conversation"]]
        if not any(start <= record["time"] for start, _ in periods):
            yield f"{_where(record)}: {record['op']} to {record['member']}, who was not in it"


@invariant(5)
def nothing_new_after_leaving(records: Sequence[Record]) -> Iterator[str]:
    """A message sent after a member had left is not pushed to them, nor listed for them."""
    stays = _memberships(records)
    sent = {r["cid"]: r["time"] for r in reversed(records) if r["op"] == "post" and r["phase"] == "invoke"}
    for record in _of(records, "push", "export"):
        periods = stays[record["member"], record["conversation"]]
        for message in [record] if record["op"] == "push" else record["messages"]:
            written = sent.get(message["cid"])
            if written is not None and periods and not any(end > written for _, end in periods):
                yield f"{_where(record)}: {record['member']} got {message['cid']}, sent after they had left"


# -- 6: counters and the index are what a recount gives -----------------------------------------------------


@invariant(6)
def unread_is_a_recount(records: Sequence[Record]) -> Iterator[str]:
    """unread = head seq - read seq, and mentions = the unread ones that name the member."""
    read: dict[Key, set[int]] = defaultdict(lambda: {0})
    for record in records:
        key = (record["member"], record.get("conversation", ""))
        if record["op"] == "read":
            if record["phase"] == "ok":
                read[key] = {seq for seq in read[key] if seq > record["seq"]} | {record["seq"]}
            elif record["phase"] == "unknown":
                read[key].add(record["seq"])
        elif record["op"] == "export" and record.get("unread") is not None:
            possible = set(_recounts(record, read[key]))
            counted = (record["unread"], record.get("mentions"))
            if not any(counted in {recount, (recount[0], None)} for recount in possible):
                yield f"{_where(record)}: counts {counted}, a recount gives {sorted(possible)}"


@invariant(6)
def search_finds_the_messages(records: Sequence[Record]) -> Iterator[str]:
    """A word finds the messages with that word which the searcher's exports have, and no other."""
    visible: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for record in _of(records, "export"):
        texts = {message["cid"]: message["text"] for message in record["messages"]}
        visible[record["member"], record["label"]] |= texts
    for record in _of(records, "search"):
        texts = visible[record["member"], record["label"]]
        there = {cid for cid, text in texts.items() if record["query"].lower() in text.lower().split()}
        found = set(record["found"])
        if found != there:
            missing, surplus = len(there - found), len(found - there)
            yield f"{record['member']} searching {record['query']!r}: {missing} missing, {surplus} too many"


# -- helpers ------------------------------------------------------------------------------------------------


def _of(records: Iterable[Record], *ops: str) -> Iterator[Record]:
    return (record for record in records if record["op"] in ops)


def _post_key(record: Record) -> Key:
    return record["conversation"], record["member"]


def _where(record: Record) -> str:
    return f"{record['conversation']} as {record['member']} ({record.get('label', record['client'])})"


def _messages(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Every message that anybody was shown, with the record that showed it."""
    for record in _of(records, "push", "export"):
        for message in [record] if record["op"] == "push" else record["messages"]:
            yield record, message


def _placed(records: Sequence[Record]) -> Iterator[tuple[Record, Record]]:
    """Every statement about the place of a message: those shown, and those of acks."""
    yield from _messages(records)
    for record in _of(records, "post"):
        if record["phase"] == "ok":
            yield record, record


def _head(export: Record) -> int:
    return max((message["seq"] for message in export["messages"]), default=0)


def _recounts(export: Record, read: set[int]) -> Iterator[tuple[int, int]]:
    """The possible (unread, mentions): one for each read mark that may be in force.

    A receipt without an answer may or may not have counted, and a sender may count as having read up to the
    message they sent.
    """
    head = _head(export)
    own = max((m["seq"] for m in export["messages"] if m["sender"] == export["member"]), default=0)
    for mark in read | {max(seq, own) for seq in read}:
        name = "@" + export["member"]
        unread = [message for message in export["messages"] if message["seq"] > mark]
        named = sum(name in message["text"].split() for message in unread if message["sender"] != export["member"])
        yield max(0, head - mark), named


def _memberships(records: Sequence[Record]) -> dict[Key, list[tuple[float, float]]]:
    """(member, conversation) → when they were in it, at its widest: from asking to join to having left."""
    stays: dict[Key, list[tuple[float, float]]] = defaultdict(list)
    for record in _of(records, "joined", "left"):
        key = (record["member"], record["conversation"])
        if record["op"] == "joined" and record["phase"] == "invoke":
            if not stays[key] or stays[key][-1][1] < FOREVER:
                stays[key].append((record["time"], FOREVER))
        elif record["op"] == "left" and record["phase"] == "ok" and stays[key]:
            stays[key][-1] = (stays[key][-1][0], record["time"])
    return stays


def _everything(record: Record) -> str:
    """All the text in a record, save what the member asked for themself."""
    parts: list[str] = []
    pending: list[object] = [value for key, value in record.items() if key != "query"]
    while pending:
        match pending.pop():
            case str(text):
                parts.append(text)
            case dict(inner):
                pending += inner.values()
            case list(items):
                pending += items
    return "\n".join(parts)
