"""No answer depends on what the asker may not see: hidden things change, and whatever is asked, the answer stays."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import trio
from chatnode_notifications.items.collection import NOTIFICATIONS

from chatnode.config import Limits
from chatnode.model.times import now_ms
from chatnode.node import open_node
from chatnode.storage.engine.connection import connect_reader
from chatnode.storage.filters.collection import Asker
from chatnode.storage.filters.query import Query, plan, run
from tests.declared import COLLECTIONS
from tests.filters.asking import MOST, questions
from tests.filters.neighbourhood import SECRET, settle

_ANN, _BOB, _CAY = (f"(SELECT key FROM people WHERE handle = '{handle}')" for handle in ("ann", "bob", "cay"))
_PLANS, _LATE, _HIDDEN, _HALL = (
    f"(SELECT key FROM conversations WHERE title = '{title}')"
    for title in ("Plans", "Ünder the bridge", SECRET, "Hall")
)
_TALK = "(SELECT key FROM conversations WHERE kind = 'direct')"
_TO_FOUR = f"conversation = {_LATE} AND seq <= 4"  # before ann's time there

#: What changes, and nobody may be able to tell ann of it.
HIDDEN = {
    "what a deleted message said": "UPDATE messages SET text = 'eggs', content = '{}', metadata = '{}', "
    "reply_to = id WHERE deleted_at IS NOT NULL",
    "what it said before": "UPDATE message_edits SET text = 'eggs', at = at + 99 "
    f"WHERE conversation = {_PLANS} AND seq = 3",
    "messages of others": "UPDATE messages SET text = 'eggs', at = at + 99, kind = 'image', edits = 7, edited_at = 8, "
    f"pinned_at = 9, deleted_at = 9, thread = 1, replies = 3 WHERE conversation = {_HIDDEN}",
    "that there are any": f"DELETE FROM messages WHERE conversation = {_HIDDEN} AND seq > 1",
    "messages from before one's time": "UPDATE messages SET text = 'eggs', at = at + 99, edits = 7, edited_at = 8, "
    f"pinned_at = 9, sender = {_BOB} WHERE {_TO_FOUR}",
    "what those said before": f"UPDATE message_edits SET text = 'eggs' WHERE {_TO_FOUR}",
    "who was named in those": f"INSERT OR IGNORE INTO mentions VALUES ({_ANN}, {_LATE}, 2), ({_ANN}, {_HIDDEN}, 1)",
    "conversations of others": "UPDATE conversations SET title = 'eggs', description = 'eggs', closed_at = 7, "
    f"inactive_at = 7, messages = 0, head = 0, purpose = 'support', created_by = {_ANN}, context_type = 'eggs' "
    f"WHERE key = {_HIDDEN}",
    "who takes part there": f"DELETE FROM members WHERE conversation = {_HIDDEN} AND person <> {_BOB}",
    "that one took part oneself": f"INSERT INTO members SELECT {_HIDDEN}, {_ANN}, 'owner', 1, 1, 2, 1, 0, 0, 0, 0",
    "who once took part": "INSERT INTO members SELECT c.key, p.key, 'admin', 1, 1, 2, 1, 0, 0, 0, 0 "
    f"FROM conversations c, people p WHERE c.key = {_PLANS} AND p.handle = 'root'",
    "how far somebody read who hides it": f"UPDATE members SET read_seq = shown_seq WHERE conversation = {_TALK} "
    f"AND person = {_BOB}",
    "that they hide it": f"UPDATE members SET hides_receipts = 0 WHERE person = {_BOB}",
    "when they read what was said before one's time": f"INSERT INTO receipts VALUES ({_LATE}, {_CAY}, 'read', 2, 7)",
    "receipts elsewhere": f"INSERT INTO receipts VALUES ({_HIDDEN}, {_BOB}, 'read', 2, 7)",
    "settings of others": "UPDATE conversation_settings SET colour = 'green', label = 'eggs', starred = 0, "
    f"archived = 0, muted_until = 5, notify = 'none', desktop = 0 WHERE person <> {_ANN}",
    "that they have none": f"DELETE FROM conversation_settings WHERE person <> {_ANN}",
    "whom others block": f"DELETE FROM blocks WHERE person <> {_ANN}",
    "whom others block too": f"INSERT INTO blocks SELECT key, {_BOB}, 5 FROM people WHERE key NOT IN ({_ANN}, {_BOB})",
    "sessions of others": "UPDATE sessions SET label = 'eggs', last_used_at = 7, scopes = '[\"chat\"]' "
    f"WHERE person <> {_ANN}",
    "secrets": "UPDATE sessions SET token_hash = randomblob(32)",
    "what an account is, but for its name": "UPDATE people SET password = 'eggs', role = 'admin', created_at = 7",
    "presence of others": "INSERT OR REPLACE INTO presence SELECT key, 7, 'eggs', NULL, NULL, 1, 1 FROM people "
    f"WHERE key <> {_ANN}",
    "their history": f"UPDATE presence_history SET text = 'eggs', at = at + 99 WHERE person <> {_ANN}",
    "reports": "UPDATE reports SET note = 'eggs', reason = 'other', resolved_at = 7",
    "the audit log": "DELETE FROM audit",
    "invites": "UPDATE invites SET uses_left = 9",
    "what was removed": "DELETE FROM removals",
    "jobs": "UPDATE jobs SET result = 'eggs'",
    "works of others": f"UPDATE work SET title = 'eggs', status = 'done', error = 'eggs' WHERE owner IS NOT {_ANN}",
    "notifications of others": "UPDATE notifications_items SET title = 'eggs', body = 'eggs', read_at = 7, count = 9 "
    f"WHERE person <> {_ANN}",
    "what they were sent": f"UPDATE notifications_deliveries SET state = 'bounced', error = 'eggs' WHERE item IN "
    f"(SELECT key FROM notifications_items WHERE person <> {_ANN})",
    "what one was told of what one may not see": "UPDATE notifications_items SET reason = 'eggs', count = 9, "
    f"read_at = 7 WHERE conversation = {_HIDDEN} OR (conversation = {_LATE} AND last_seq <= 4)",
    "where one is notified": "UPDATE notifications_registrations SET address = 'eggs' || key, keys = 'eggs'",
    "what is said in a group that one might join": "UPDATE messages SET text = 'eggs', at = 7 "
    "WHERE conversation = (SELECT key FROM conversations WHERE title = 'Yard')",
}  # fmt: skip
#: What she may see: changes that do show, or the comparison would prove nothing.
SHOWN = {
    "what a message says": f"UPDATE messages SET text = 'eggs' WHERE conversation = {_PLANS} AND seq = 1",
    "an edition of it": f"UPDATE message_edits SET text = 'eggs' WHERE conversation = {_PLANS} AND seq = 2",
    "her settings": f"UPDATE conversation_settings SET starred = 1 - starred WHERE person = {_ANN}",
    "how far somebody read": f"UPDATE members SET shown_seq = 1 WHERE conversation = {_PLANS} AND person = {_BOB}",
    "when": f"UPDATE receipts SET at = at + 99 WHERE conversation = {_PLANS} AND person = {_BOB} AND kind = 'read'",
    "whom she blocks": f"DELETE FROM blocks WHERE person = {_ANN}",
    "her sessions": f"UPDATE sessions SET label = 'eggs' WHERE person = {_ANN}",
    "a public group": f"UPDATE conversations SET title = 'eggs' WHERE key = {_HALL}",
    "her works": f"UPDATE work SET title = 'eggs' WHERE owner = {_ANN}",
    "her notifications": f"UPDATE notifications_items SET count = 9 WHERE person = {_ANN}",
    "what became of them": "UPDATE notifications_deliveries SET state = 'expired' WHERE item IN "
    f"(SELECT key FROM notifications_items WHERE person = {_ANN})",
    "her history": f"UPDATE presence_history SET text = 'eggs' WHERE person = {_ANN}",
}

Answers = dict[str, str]


class Eyes:
    """Ann's, on a copy of the neighbourhood's file in which anything may be changed."""

    def __init__(self, path: Path, key: int) -> None:
        self.database = connect_reader(path)
        self.database.execute("PRAGMA query_only=OFF")
        session = self.database.execute("SELECT min(key) FROM sessions WHERE person = ?", (key,)).fetchone()[0]
        self.asker = Asker(key, session, now_ms())
        self.before = self.answers()

    def answers(self) -> Answers:
        """Of everything that everybody may ask; cursors too."""
        found: Answers = {}
        for collection in (*COLLECTIONS, NOTIFICATIONS):
            if collection.permission != "chat":
                continue
            for fields in questions(collection, (SECRET, "eggs")):
                page = run(
                    self.database, self.asker, plan(collection, Query(**{"limit": MOST} | fields), Limits()), seconds=0
                )
                found[f"{collection.name} {fields}"] = f"{page.data} {page.next}"
        return found

    def changed_by(self, statement: str) -> list[str]:
        """Which answers are others when this has been done; undone afterwards."""
        self.database.execute("BEGIN")
        try:
            self.database.execute(statement)
            assert self.database.execute("SELECT changes()").fetchone()[0] > 0, "nothing was changed"
            after = self.answers()
        finally:
            self.database.execute("ROLLBACK")
        return [question for question, answer in after.items() if answer != self.before[question]]


@pytest.fixture(scope="module")
def eyes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Eyes]:
    directory = tmp_path_factory.mktemp("oracles")

    async def make() -> tuple[Path, int]:
        async with open_node(directory / "data") as node:
            there = await settle(node)
            return node.core.db.path, there.ann.account.key

    path, key = trio.run(make)
    eyes = Eyes(path, key)
    yield eyes
    eyes.database.close()


@pytest.mark.slow
@pytest.mark.parametrize("what", HIDDEN)
def test_nothing_tells_of(eyes: Eyes, what: str) -> None:
    assert eyes.changed_by(HIDDEN[what]) == []


@pytest.mark.slow
@pytest.mark.parametrize("what", SHOWN)
def test_what_may_be_seen_is_seen(eyes: Eyes, what: str) -> None:
    assert eyes.changed_by(SHOWN[what]) != []


@pytest.mark.slow
def test_the_copy_is_as_it_was(eyes: Eyes) -> None:
    assert not eyes.database.in_transaction
    assert eyes.answers() == eyes.before
    with pytest.raises(AssertionError, match="nothing was changed"):
        eyes.changed_by("UPDATE messages SET text = 'eggs' WHERE seq < 0")
