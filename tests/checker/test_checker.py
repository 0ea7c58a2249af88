"""The checker must be able to fail (invariant 10): each test plants one bug in a good history."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .check import check
from .history import History, Record

ROOT = Path(__file__).resolve().parents[2]
ROOM = "room"
MEMBERS = ("ann", "ben")


def good_history(messages: int = 6) -> list[Record]:
    """Ann and Ben take turns in a room; Cay is not in it. One answer gets lost and the post is sent again."""
    history = History()
    clock = iter(range(10_000))

    def add(client: str, op: str, **more: object) -> None:
        history.records.append({"time": float(next(clock)), "client": client, "member": client, "op": op, **more})

    for member in MEMBERS:
        add(member, "joined", phase="invoke", conversation=ROOM)
        add(member, "joined", phase="ok", conversation=ROOM)
        add(member, "start", conversation=ROOM, after=0)
    shown: list[Record] = []
    for number in range(1, messages + 1):
        sender = MEMBERS[number % 2]
        message = {"seq": number, "gid": 10 * number, "cid": f"c{number}", "sender": sender}
        message["text"] = f"word c{number} @{MEMBERS[(number + 1) % 2]}"
        post = {"conversation": ROOM, "cid": message["cid"], "text": message["text"]}
        shown.append(message)
        if number == 1:
            add(sender, "canary", conversation=ROOM, text=message["text"])
        add(sender, "post", phase="invoke", **post)
        if number == 3:
            add(sender, "post", phase="unknown", **post)
            add(sender, "post", phase="invoke", **post)
        for member in MEMBERS:
            add(member, "push", conversation=ROOM, **message)
        answer = {"seq": number, "gid": 10 * number, "dup": number == 3}
        add(sender, "post", phase="ok", **post, **answer)
    add("ben", "post", phase="invoke", conversation=ROOM, cid="refused", text="too long")
    add("ben", "post", phase="fail", conversation=ROOM, cid="refused", text="too long")
    add("ben", "read", phase="ok", conversation=ROOM, seq=4)
    counts = {"ann": (messages, 3), "ben": (messages - 4, 1)}
    for member in MEMBERS:
        unread, mentions = counts[member]
        listed = [dict(message) for message in shown]
        add(
            member,
            "export",
            label="end",
            conversation=ROOM,
            messages=listed,
            unread=unread,
            mentions=mentions,
        )
        add(member, "search", label="end", query="word", found=[message["cid"] for message in shown])
    add("cay", "received", way="inbox", text='{"conversations": []}')
    return history.records


def of(records: list[Record], op: str, **wanted: object) -> list[Record]:
    """The records of a kind with these values."""
    return [r for r in records if r["op"] == op and all(r.get(key) == value for key, value in wanted.items())]


def lose_an_acked_message(records: list[Record]) -> None:
    for export in of(records, "export"):
        export["messages"] = export["messages"][:-1]


def lose_an_acked_message_for_one_member(records: list[Record]) -> None:
    of(records, "export", member="ben")[0]["messages"].pop()


def store_a_retried_message_twice(records: list[Record]) -> None:
    for export in of(records, "export"):
        export["messages"].append(export["messages"][2] | {"seq": 7, "gid": 70})


def store_a_refused_message(records: list[Record]) -> None:
    ghost = {"seq": 7, "gid": 70, "cid": "refused", "sender": "ben", "text": "too long"}
    for export in of(records, "export"):
        export["messages"].append(ghost)


def store_a_message_nobody_sent(records: list[Record]) -> None:
    ghost = {"seq": 7, "gid": 70, "cid": "ghost", "sender": "ben", "text": "boo"}
    for export in of(records, "export"):
        export["messages"].append(ghost)


def change_a_text(records: list[Record]) -> None:
    of(records, "export", member="ann")[0]["messages"][1]["text"] = "something else"


def deliver_to_the_wrong_room(records: list[Record]) -> None:
    of(records, "push", member="ann")[4]["conversation"] = "elsewhere"


def use_a_seq_twice(records: list[Record]) -> None:
    of(records, "post", phase="ok", cid="c6")[0]["seq"] = 5


def use_a_seq_twice_after_a_restart(records: list[Record]) -> None:
    # The last message was pushed, lost by the restart, and its number given to another.
    for export in of(records, "export"):
        export["messages"][-1] = export["messages"][-1] | {"cid": "refused", "text": "too long"}


def move_a_message(records: list[Record]) -> None:
    message = of(records, "export", member="ben")[0]["messages"][-1]
    message |= {"seq": 8, "gid": 80}


def push_twice(records: list[Record]) -> None:
    push = of(records, "push", member="ben", seq=4)[0]
    records.insert(records.index(push) + 1, dict(push))


def push_out_of_order(records: list[Record]) -> None:
    first, second = of(records, "push", member="ben")[2:4]
    i, j = records.index(first), records.index(second)
    records[i], records[j] = records[j], records[i]


def push_with_a_gap(records: list[Record]) -> None:
    records.remove(of(records, "push", member="ben", seq=4)[0])


def push_all_but_the_last(records: list[Record]) -> None:
    records.remove(of(records, "push", member="ben", seq=6)[0])


def push_all_but_the_first(records: list[Record]) -> None:
    records.remove(of(records, "push", member="ben", seq=1)[0])


def list_with_a_gap(records: list[Record]) -> None:
    for record in [*of(records, "export"), *of(records, "push"), *of(records, "post", phase="ok")]:
        for message in record.get("messages", [record]):
            if message["seq"] == 6:
                message |= {"seq": 7}


def reorder_what_was_acked(records: list[Record]) -> None:
    swapped = {2: 5, 5: 2}
    for record in [*of(records, "export"), *of(records, "post", phase="ok"), *of(records, "push")]:
        for message in record.get("messages", [record]):
            seq = swapped.get(message["seq"], message["seq"])
            message |= {"seq": seq, "gid": 10 * seq}
        if "messages" in record:
            record["messages"].sort(key=lambda message: message["seq"])


def leak_by_search(records: list[Record]) -> None:
    canary = of(records, "canary")[0]["text"]
    of(records, "received", member="cay")[0]["text"] = json.dumps({"messages": [{"text": canary}]})


def leak_by_push(records: list[Record]) -> None:
    records.append(of(records, "push")[0] | {"client": "cay", "member": "cay", "time": 9000.0})


def push_after_leaving(records: list[Record]) -> None:
    fourth = of(records, "post", phase="invoke", cid="c4")[0]
    left = {"client": "ben", "member": "ben", "op": "left", "phase": "ok", "conversation": ROOM}
    records.insert(records.index(fourth), left | {"time": fourth["time"] - 0.5})


def count_unread_wrongly(records: list[Record]) -> None:
    of(records, "export", member="ben")[0]["unread"] = 3


def count_mentions_wrongly(records: list[Record]) -> None:
    of(records, "export", member="ann")[0]["mentions"] = 4


def forget_to_index(records: list[Record]) -> None:
    of(records, "search", member="ann")[0]["found"].remove("c2")


BUGS: dict[Callable[[list[Record]], None], set[int]] = {
    lose_an_acked_message: {1},
    lose_an_acked_message_for_one_member: {1},
    store_a_retried_message_twice: {1, 2},
    store_a_refused_message: {1},
    store_a_message_nobody_sent: {1},
    change_a_text: {1},
    deliver_to_the_wrong_room: {1, 5},
    use_a_seq_twice: {2},
    use_a_seq_twice_after_a_restart: {1, 2},
    move_a_message: {2},
    push_twice: {3},
    push_out_of_order: {3},
    push_with_a_gap: {3},
    push_all_but_the_last: {3},
    push_all_but_the_first: {3},
    list_with_a_gap: {3},
    reorder_what_was_acked: {4},
    leak_by_search: {5},
    leak_by_push: {5},
    push_after_leaving: {5},
    count_unread_wrongly: {6},
    count_mentions_wrongly: {6},
    forget_to_index: {6},
}


def test_a_good_history_has_no_violation() -> None:
    assert check(good_history()) == []


@pytest.mark.parametrize(("bug", "broken"), BUGS.items(), ids=lambda value: getattr(value, "__name__", ""))
def test_a_bug_is_found(bug: Callable[[list[Record]], None], broken: set[int]) -> None:
    records = good_history()
    bug(records)
    assert broken <= {violation.invariant for violation in check(records)}


def test_an_answer_that_never_came_may_mean_either(tmp_path: Path) -> None:
    records = good_history()
    retried = of(records, "post", phase="ok", cid="c3")[0]
    records.remove(retried)
    assert check(records) == []


@pytest.mark.parametrize(("bug", "status"), [(None, 0), (push_twice, 1)])
def test_the_program_says_so_by_its_status(
    tmp_path: Path, bug: Callable[[list[Record]], None] | None, status: int
) -> None:
    history = History(good_history())
    if bug is not None:
        bug(history.records)
    path = tmp_path / "history.jsonl"
    history.save(path)
    command = [sys.executable, "-m", "tests.checker", str(path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == status, done.stdout + done.stderr
    assert ("invariant 3" in done.stdout) == (status == 1)
