"""A node that notifies is killed again and again, and so are those that it sends to: each notification arrives, with
the same id each time, or its delivery says that it failed.

Repeat a run with the seed that it prints: CHATNODE_TEST_SEED=… .
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from email.message import EmailMessage
from http.client import HTTPException
from pathlib import Path
from typing import Any

import pytest

from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.receiver import Receiver as Browser

from .conftest import Prepared
from .node_process import UNLIMITED, NodeProcess
from .receivers import Receiver
from .test_consumers import call, wait_until

pytestmark = [pytest.mark.slow, pytest.mark.limit(120)]

SENT, GROUPS = 260, 60
LIVES = 6
ENDED = {"sent", "failed", "bounced"}


@pytest.fixture
def chance() -> random.Random:
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CHATNODE_TEST_SEED={seed}")
    return random.Random(seed)


@dataclass
class Killed:
    """A node that is killed at moments that chance chooses, and its database, to look into."""

    process: NodeProcess
    token: str
    acked: dict[str, str] = field(default_factory=dict[str, str])

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path, timeout=10)) as database:
            return database.execute(sql).fetchall()

    @property
    def path(self) -> Path:
        return self.process.data / "chatnode.sqlite3"

    def time_passes(self, table: str) -> None:
        """What waits for its next attempt is due, while no node runs: the minutes after which it would be."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as database:
            database.execute(f"UPDATE {table} SET due_at = 1 WHERE state = 'pending'")

    @contextmanager
    def posting(self, wanted: Mapping[str, tuple[str, dict[str, Any]]]) -> Generator[None]:
        """Meanwhile a thread sends commands, by their cid, each until it is acknowledged."""
        over = threading.Event()

        def post() -> None:
            for cid, (name, fields) in wanted.items():
                while cid not in self.acked and not over.is_set():
                    try:
                        done = call(self.process.address, self.token, name, cid=cid, **fields)
                        self.acked[cid] = str(done.get("notification") or done.get("message"))
                    except (OSError, HTTPException, RuntimeError, ValueError):
                        time.sleep(0.01)

        thread = threading.Thread(target=post)
        thread.start()
        try:
            yield
            wait_until(lambda: len(self.acked) == len(wanted))
        finally:
            over.set()
            thread.join()

    def live_and_die(self, seconds: float, table: str, after: Callable[[], object] = lambda: None) -> None:
        """From here to SIGKILL; `after` is done while it is dead."""
        time.sleep(seconds)
        self.process.kill()
        self.time_passes(table)
        after()
        self.process.start()


@pytest.fixture
def killed(prepared: Prepared, tmp_path: Path) -> Iterator[Callable[..., Killed]]:
    made: list[NodeProcess] = []

    def make(**settings: object) -> Killed:
        data = prepared.copy_to(tmp_path / "data")
        usual = {
            "PLUGINS__DISABLED": "crm,webhooks,previews", "PLUGINS__NOTIFICATIONS__SETTLE_SECONDS": 0,
            "PLUGINS__NOTIFICATIONS__CHANGES_PER_MINUTE": 0,
        }  # fmt: skip
        process = NodeProcess(data, UNLIMITED | usual | settings)
        made.append(process)
        promoted = process.run("user", "role", "alice", "admin")
        assert promoted.returncode == 0, promoted.stderr
        process.start()
        return Killed(process, prepared.tokens["alice"])

    yield make
    for process in made:
        process.kill()


def things_to_tell(killed: Killed, tell: Callable[[int], str]) -> dict[str, tuple[str, dict[str, Any]]]:
    """Commands by cid: notifications of operators, and messages that mention a user in groups."""
    address, token = killed.process.address, killed.token
    wanted: dict[str, tuple[str, dict[str, Any]]] = {}
    for number in range(SENT):
        fields = {"person": tell(number), "title": f"note-{number}.", "body": "It is done."}
        wanted[f"send-{number}"] = "notifications.send", fields
    for number in range(GROUPS):
        group = {"title": f"room {number}", "members": [tell(number)]}
        made = call(address, token, "conversations.create", **group)["conversation"]
        fields = {"conversation": made, "text": f"@{tell(number)} message-{number}."}
        wanted[f"post-{number}"] = "messages.post", fields
    return wanted


def test_pushes_and_webhooks_arrive_or_have_visibly_failed(
    killed: Callable[..., Killed], prepared: Prepared, chance: random.Random
) -> None:
    push, hook, browser = Receiver(), Receiver(), Browser()
    push.up()
    hook.up()
    node = killed(
        OUTBOUND__ALLOW=f"127.0.0.1:{push.port},127.0.0.1:{hook.port}",
        PLUGINS__NOTIFICATIONS__CONTACT="mailto:chat@chatnode.org",
    )
    bob = prepared.tokens["bob"]
    for device in (
        {"transport": "webpush", "address": f"http://127.0.0.1:{push.port}/push", "keys": browser.keys},
        {"transport": "webhook", "address": f"http://127.0.0.1:{hook.port}/hook"},
    ):
        call(node.process.address, bob, "notifications.register", **device)
    receivers = [push, hook]
    with node.posting(things_to_tell(node, lambda number: "bob")):
        for life in range(LIVES):
            receiver = receivers[life % 2]
            seconds = chance.uniform(0.2, 1.2)
            if life % 3 == 1:  # down while the node lives, and back for its next life
                time.sleep(seconds / 2)
                receiver.down()
            node.live_and_die(seconds, "notifications_deliveries", receiver.up if life % 3 == 1 else lambda: None)
    wait_until(lambda: node.rows("SELECT count(*) FROM notifications_items") == [(SENT + GROUPS,)])
    for _ in range(3):  # what failed while a receiver was down is tried again later
        wait_until(
            lambda: not node.rows("SELECT 1 FROM notifications_deliveries WHERE state = 'pending' AND due_at <= 1")
        )
        time.sleep(1)
        if not node.rows("SELECT 1 FROM notifications_deliveries WHERE state = 'pending'"):
            break
        node.live_and_die(0, "notifications_deliveries")
    wait_until(lambda: not node.rows("SELECT 1 FROM notifications_deliveries WHERE state = 'pending'"))
    check_deliveries(node, push, hook, browser)
    assert node.process.stop() == 0
    assert node.process.trouble() is None


def check_deliveries(node: Killed, push: Receiver, hook: Receiver, browser: Browser) -> None:
    found: dict[str, dict[str, set[str]]] = {"webpush": defaultdict(set), "webhook": defaultdict(set)}
    for each in push.at("/push"):
        found["webpush"][browser.read(each.body)["id"]].add(each.headers["topic"])
    for each in hook.at("/hook"):
        found["webhook"][json.loads(each.body)["data"]["id"]].add(each.headers["webhook-id"])
    rows = node.rows(
        "SELECT i.id, r.transport, d.state, d.error FROM notifications_items i, notifications_registrations r "
        "LEFT JOIN notifications_deliveries d ON d.item = i.key AND d.registration = r.key"
    )
    assert len(rows) == 2 * (SENT + GROUPS)
    for id, transport, state, error in rows:
        assert state in ENDED, (id, transport, state)
        assert state == "sent" or error
        if state == "sent":
            assert len(found[transport][id]) == 1, (id, transport)  # however often it came
    assert {id for cid, id in node.acked.items() if cid.startswith("send")} <= {row[0] for row in rows}
    assert set(found["webhook"]) | set(found["webpush"]) <= {row[0] for row in rows}
    assert [state for *_, state, _ in rows].count("sent") > len(rows) * 0.9
    topics = [topic for each in found["webpush"].values() for topic in each]
    assert len(topics) == len(set(topics))  # one conversation, or one note, each
    # Each life may repeat what it did not know to have been sent: what was under way, and not written down yet.
    for receiver in (push, hook):
        assert len(receiver.got) <= (SENT + GROUPS) + (2 * LIVES + 3) * 40


def users_with_mail(path: Path, count: int) -> None:
    """Copies of bob, each with a verified address."""
    with closing(sqlite3.connect(path, isolation_level=None)) as database:
        columns = [name for _, name, *_ in database.execute("PRAGMA table_info(people)")]
        same = ", ".join(name for name in columns if name not in ("key", "id", "handle"))
        for number in range(count):
            database.execute(
                f"INSERT INTO people (id, handle, {same}) SELECT ?, ?, {same} FROM people WHERE handle = 'bob'",
                (f"{number:032x}", f"user{number}"),
            )
        database.execute(
            "INSERT INTO notifications_people (person, mail) "
            "SELECT key, 'instant' FROM people WHERE handle LIKE 'user%'"
        )
        database.execute(
            "INSERT INTO notifications_mailboxes (person, address, state, added_at, verified_at, since) "
            "SELECT key, handle || '@example.net', 'active', 1, 1, 1 FROM people WHERE handle LIKE 'user%'"
        )


USERS = 40


def test_mails_arrive_or_have_visibly_failed(
    killed: Callable[..., Killed], tmp_path: Path, chance: random.Random
) -> None:
    server = MailServer(tmp_path / "mail")
    server.start()
    try:
        node = killed(
            MAIL__HOST="127.0.0.1", MAIL__PORT=server.port, MAIL__SECURITY="none", MAIL__SENDER="chat@example.org",
            SERVER__PUBLIC_URL="https://chat.example.org", PLUGINS__NOTIFICATIONS__MAIL_WAIT_SECONDS=0,
        )  # fmt: skip
        node.process.kill()
        users_with_mail(node.path, USERS)
        node.process.start()
        with node.posting(things_to_tell(node, lambda number: f"user{number % USERS}")):
            for life in range(LIVES):
                seconds = chance.uniform(0.2, 1.5)
                if life % 3 == 1:
                    time.sleep(seconds / 2)
                    server.kill()
                node.live_and_die(seconds, "notifications_mails", server.start if life % 3 == 1 else lambda: None)
        waits = (
            "SELECT 1 FROM notifications_items i LEFT JOIN notifications_mail_items w ON w.item = i.key "
            "LEFT JOIN notifications_mails m ON m.key = w.mail WHERE coalesce(m.state, 'pending') = 'pending' LIMIT 1"
        )
        wait_until(lambda: node.rows("SELECT count(*) FROM notifications_items") == [(SENT + GROUPS,)])
        time.sleep(2)
        node.live_and_die(0, "notifications_mails")
        wait_until(lambda: not node.rows(waits))
        check_mails(node, server)
        assert node.process.stop() == 0
        assert node.process.trouble() is None
    finally:
        server.kill()


def check_mails(node: Killed, server: MailServer) -> None:
    received: dict[str, list[EmailMessage]] = defaultdict(list)
    for mail in server.mails():
        received[_id_of(mail.message)].append(mail.message)
    rows = node.rows(
        "SELECT i.title, p.handle, m.id, m.state, m.error FROM notifications_items i JOIN people p ON p.key = i.person "
        "JOIN notifications_mail_items w ON w.item = i.key JOIN notifications_mails m ON m.key = w.mail"
    )
    assert len(rows) == SENT + GROUPS
    ids = {id for _, _, id, _, _ in rows}
    assert set(received) <= ids
    for title, handle, id, state, error in rows:
        assert state in ENDED, (title, state)
        assert state == "sent" or error
        if state == "sent":
            assert received[id]
            for each in received[id]:  # what came twice is the same mail
                assert str(each["To"]) == f"{handle}@example.net"
                part = each.get_body(("plain",))
                assert part is not None
                assert title is None or title in part.get_content()
    assert [state for *_, state, _ in rows].count("sent") > len(rows) * 0.9
    # A mail that was under way when the node died may come again; there is one at a time.
    assert sum(len(each) - 1 for each in received.values()) <= 2 * LIVES


def _id_of(message: EmailMessage) -> str:
    """The mail's id in the table; its Message-ID is <n.ID.EPOCH@HOST>."""
    return str(message["Message-ID"]).split(".")[1]
