"""The JSON of a page, made from rows, is what the codec makes of the page's messages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from chatnode.model.commands.messages import MessagePage
from chatnode.model.messages import Location, Media, Notice, ThumbnailSize
from chatnode.model.people import Account
from chatnode.protocol import codec
from chatnode.storage.conversations import conversations, opening
from chatnode.storage.engine.connection import Reader
from chatnode.storage.engine.transaction import Transaction
from chatnode.storage.messages import changes, pages, posting
from chatnode.storage.messages.changes import Edit
from chatnode.storage.messages.posting import Draft
from chatnode.storage.people import people
from tests.quick import examples
from tests.storage.harness import Store

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=9)
WORDS = TEXT | st.sampled_from(["hello @bob", "@everyone", 'a "quoted" \\ line\n', "plain"])
CONTENT: dict[Any, st.SearchStrategy[Any]] = {
    "text": st.none(),
    "image": st.lists(
        st.builds(
            Media,
            st.just("f"),
            TEXT,
            st.just("image/png"),
            st.integers(0, 9),
            st.none() | st.just(3),
            thumbs=st.none()
            | st.lists(st.builds(ThumbnailSize, st.just("thumb320"), st.just(3), st.just(2)), max_size=2),
        ),
        min_size=1,
        max_size=3,
    ),
    "file": st.lists(
        st.builds(
            Media, st.just("f"), TEXT, st.just("audio/ogg"), st.integers(0, 9), waveform=st.none() | st.just([1])
        ),
        min_size=1,
        max_size=3,
    ),
    "location": st.builds(Location, st.floats(-90, 90), st.floats(-180, 180), TEXT | st.just("")),
    "system": st.builds(Notice, st.just("order.sent"), st.dictionaries(TEXT, TEXT, max_size=2)),
}
EXTRA = st.none() | TEXT | st.dictionaries(TEXT, st.integers(-9, 9) | st.lists(st.booleans()) | st.none(), max_size=2)
MESSAGES = st.lists(
    st.fixed_dictionaries(
        {
            "said": st.sampled_from(["text"] * 5 + [*CONTENT]).flatmap(
                lambda kind: st.tuples(st.just(kind), CONTENT[kind])
            ),
            "text": WORDS,
            "metadata": st.none() | st.dictionaries(TEXT, TEXT, max_size=2),
            "after": st.sampled_from(["", "", "reply_to", "thread"]),
            "then": st.sampled_from([(), (), ("edit",), ("delete",), ("pin",), ("pin", "edit"), ("edit", "delete")]),
            "sender": st.integers(0, 1),
            "extra": EXTRA,
        }
    ),
    min_size=1,
    max_size=8,
)

PLAIN: dict[str, Any] = {
    "said": ("text", None), "text": "words", "metadata": None, "after": "", "then": (), "sender": 1, "extra": None,
}  # fmt: skip
RARE: list[dict[str, Any]] = [
    {"metadata": {"a": "b"}}, {"after": "reply_to"}, {"after": "thread"}, {"then": ("edit",)}, {"then": ("delete",)},
    {"then": ("pin",)}, {"text": "hello @bob"}, {"said": ("location", Location(1.5, 2))}, {"extra": {"a": 1}},
]  # fmt: skip


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    made = Store(tmp_path_factory.mktemp("pages"))
    yield made
    made.close()


@pytest.fixture(scope="module")
def both(store: Store) -> list[Account]:
    def write(tx: Transaction) -> list[Account]:
        return [people.create(tx, handle, role="member") for handle in ("ann", "bob")]

    return store.write(write)[0]


@example(said=[PLAIN, *(PLAIN | each for each in RARE)], limit=99, before=9, plugins=1)
@settings(max_examples=examples(120), deadline=None)
@given(said=MESSAGES, limit=st.integers(1, 9), before=st.integers(1, 9), plugins=st.integers(0, 2))
def test_json_from_rows_is_that_of_the_messages(
    store: Store, both: list[Account], said: list[dict[str, Any]], limit: int, before: int, plugins: int
) -> None:
    ann, bob = both
    extras: dict[str, Any] = {}

    def write(tx: Transaction) -> str:
        group = opening.open_group(
            tx, ann, title="", description="", visibility="public", history="all", others=[bob], most_members=0
        )
        ids: list[str] = []
        for number, each in enumerate(said):
            kind, content = each["said"]
            sender: Account = both[int(each["sender"])]
            draft = Draft(group, f"{group}{number}", each["text"], kind=kind)
            draft.content, draft.files = (None, content) if isinstance(content, list) else (content, [])
            draft.metadata, draft.sender = each["metadata"], sender.id
            if ids and each["after"]:
                setattr(draft, each["after"], ids[0])
            ids.append(posting.post(tx, sender, draft).message)
            extras[ids[-1]] = each["extra"]
            for change in each["then"]:
                if change == "edit":
                    changes.edit(tx, sender, Edit(ids[-1], "other words", True, 0, 0))
                elif change == "delete" and number:
                    changes.delete(tx, sender, ids[-1], "user_request", moderates=False)
                elif change == "pin":
                    changes.pin(tx, ann, ids[-1], 0)
        return group

    def enrich(reader: Any, ids: Sequence[str], viewer: Account | None) -> list[tuple[str, Mapping[str, Any]]]:
        known = {id: extras[id] for id in ids} | {"of no message": 1}
        return [(f"plugin{number}", known) for number in range(plugins)]

    group, _ = store.write(write)
    reader: Reader = store.reader
    place = conversations.access(reader, bob, group)
    store.db.additions.enrich_messages = enrich
    try:
        for page in (
            pages.history(place, limit=limit),
            pages.history(place, before=before, limit=limit),
            pages.history(place, after=before - 1, limit=limit),
            pages.pinned(place, limit),
            pages.thread(place, 1, 0, limit),
        ):
            json = pages.read_json(reader, bob, page)
            assert json == codec.encode(MessagePage(pages.read(reader, bob, page)))
            assert len(orjson.loads(json)["messages"]) <= limit
    finally:
        store.db.additions.enrich_messages = None
