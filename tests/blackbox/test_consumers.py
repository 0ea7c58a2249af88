"""A node with consumers is killed again and again in mid-work: each row takes effect once, and none is lost.

A plugin, made and installed for the test, notes each row in its own tables. The process is killed from outside at
moments that chance chooses, and by the plugin itself at the moments that matter: before its effect, inside its
transaction, and after COMMIT before it hears of it. Repeat a run with the seed that it prints: CHATNODE_TEST_SEED=… .
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.client import HTTPConnection, HTTPException
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from .dying import DIE_HERE, install
from .node_process import Address, NodeProcess

pytestmark = pytest.mark.slow

PLUGIN = (
    DIE_HERE
    + '''
from chatnode.api import Consumer, Plugin, Step, hookimpl

def noting(name):
    async def consume(ctx, rows):
        die_here("before the effect")

        def write(tx):
            tx.executemany("INSERT INTO counting_seen VALUES (?, ?)", [(name, row.gid) for row in rows])
            die_here("in the transaction")
            tx.execute("UPDATE counting_total SET rows = rows + ? WHERE consumer = ?", (len(rows), name))

        return write

    return consume


async def dying(ctx, rows):
    """Called while the effects of the others are being written, or were just written and nobody knows yet."""
    die_here("after a commit")


@hookimpl
def in_transaction(tx, change):
    die_here("in somebody's transaction")


@hookimpl
def chatnode_plugin():
    posts = frozenset({"message.posted"})
    return Plugin(
        name="counting", version="1.0", api="2.0", about="Notes every row.",
        steps=[Step("tables", """
            CREATE TABLE counting_seen (consumer TEXT NOT NULL, gid INTEGER NOT NULL, UNIQUE (consumer, gid));
            CREATE TABLE counting_total (consumer TEXT PRIMARY KEY, rows INTEGER NOT NULL) WITHOUT ROWID;
            INSERT INTO counting_total VALUES ('all', 0), ('posts', 0), ('singly', 0);
        """)],
        consumers=[
            Consumer("all", noting("all"), from_start=True),
            Consumer("posts", noting("posts"), kinds=posts, most=7, pause=0.02, from_start=True),
            Consumer("singly", noting("singly"), kinds=posts, most=1, from_start=True),
            Consumer("dying", dying),
        ],
    )
'''
)
PLACES = ("before the effect", "in the transaction", "after a commit", "in somebody's transaction")
KILLS = 16
POSTERS = 3
POSTS = (20, 120)
"""Acknowledged between one kill and the next."""


class Posters:
    """Threads that post as fast as the node lets them, and again with the same cid what was not answered."""

    def __init__(self, process: NodeProcess, token: str, conversation: str) -> None:
        self.process = process
        self.token = token
        self.conversation = conversation
        self.acked: dict[str, int] = {}
        self.over = threading.Event()
        self._threads = [threading.Thread(target=self._post, args=(number,)) for number in range(POSTERS)]

    @contextmanager
    def at_work(self) -> Iterator[None]:
        for thread in self._threads:
            thread.start()
        try:
            yield
        finally:
            self.over.set()
            for thread in self._threads:
                thread.join()

    def _post(self, poster: int) -> None:
        for number in count():
            cid = f"{poster}-{number}"
            while cid not in self.acked:
                if self.over.is_set():
                    return
                try:
                    fields = {"conversation": self.conversation, "cid": cid, "text": f"message {cid}"}
                    self.acked[cid] = call(self.process.address, self.token, "messages.post", **fields)["gid"]
                except (OSError, HTTPException, RuntimeError, ValueError):
                    time.sleep(0.005)


def call(address: Address, token: str, name: str, /, **fields: Any) -> Any:
    with closing(HTTPConnection(*address, timeout=20)) as connection:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        connection.request("POST", f"/v1/{name}", json.dumps(fields), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
        if answer.status >= 300:
            raise RuntimeError(f"{name}: {answer.status} {body}")
        return body


def wait_until(holds: Any, within: float = 60) -> None:
    """The bound is only on hanging."""
    end = time.monotonic() + within
    while not holds():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.005)


def test_each_row_takes_effect_once_however_often_the_node_is_killed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seed = int(os.environ.get("CHATNODE_TEST_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"CHATNODE_TEST_SEED={seed}")
    chance = random.Random(seed)
    die = install(monkeypatch, tmp_path, PLUGIN)
    process = NodeProcess(tmp_path / "data")
    process.add_user("ann", admin=True)
    token = process.token("ann")
    try:
        process.start()
        talk = call(process.address, token, "conversations.direct", **{"with": "ann"})["conversation"]
        posters = Posters(process, token, talk)
        with posters.at_work():
            for number in range(KILLS):
                wanted = len(posters.acked) + chance.randint(*POSTS)
                wait_until(lambda wanted=wanted: len(posters.acked) >= wanted)
                if number % 2:
                    kill_itself(process, die, PLACES[number // 2 % len(PLACES)])
                else:
                    time.sleep(chance.uniform(0, 0.05))
                    process.kill()
                process.start()
        wait_until(lambda: all_done(process.address, token))
        assert process.stop() == 0
    finally:
        process.kill()
    assert process.trouble() is None
    check(tmp_path / "data" / "chatnode.sqlite3", posters.acked)


def kill_itself(process: NodeProcess, die: Path, place: str) -> None:
    """The plugin kills the process the next time that it comes by the place."""
    (die.with_suffix(".new")).write_text(place)
    die.with_suffix(".new").rename(die)
    process.wait_death()
    assert not die.exists()


def all_done(address: Address, token: str) -> bool:
    return all(each["behind"] == 0 for each in call(address, token, "plugins.consumers")["consumers"])


def check(path: Path, acked: dict[str, int]) -> None:
    with closing(sqlite3.connect(path)) as database:
        everything = gids(database, "SELECT gid FROM log ORDER BY gid")
        posts = gids(database, "SELECT gid FROM log WHERE kind = 'message.posted' ORDER BY gid")
        assert set(acked.values()) <= set(posts)
        assert len(acked) >= KILLS * POSTS[0]
        for consumer, wanted in (("all", everything), ("posts", posts), ("singly", posts)):
            sql = "SELECT gid FROM counting_seen WHERE consumer = ? ORDER BY rowid"
            assert gids(database, sql, consumer) == wanted, consumer  # each once, and in their order
            total = "SELECT rows FROM counting_total WHERE consumer = ?"
            assert database.execute(total, (consumer,)).fetchone() == (len(wanted),)
        assert database.execute("SELECT count(*) FROM set_aside").fetchone() == (0,)


def gids(database: sqlite3.Connection, sql: str, *values: str) -> list[int]:
    return [gid for (gid,) in database.execute(sql, values)]
