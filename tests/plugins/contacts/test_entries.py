"""What one keeps of contacts."""

from __future__ import annotations

from datetime import datetime, timedelta

from chatnode.node import Node
from chatnode.testing import LiveSession, User, refused
from tests.plugins.contacts.keeping import become_contacts, contact, listed, requests, set_back, with_settings
from tests.services.dialogue import assert_sound


async def test_everything_that_one_keeps_of_somebody(node: Node, ann: User, bob: User) -> None:
    kept = {
        "favourite": True, "nickname": "Bobby", "number": "+49 (170) 123-45", "note": "Likes\ntea.",
        "groups": ["Work", "Chess"], "tags": ["vip"],
    }  # fmt: skip
    given = (await ann.call("contacts.add", person="bob", **kept))["contact"]
    assert given == await contact(ann, bob)
    assert given.pop("added_at")
    assert given == {"person": {"id": bob.id, "handle": "bob", "name": "bob"}, **kept}
    await assert_sound(node)


async def test_what_is_left_out_stays_and_what_is_empty_goes(ann: User, bob: User) -> None:
    await ann.call("contacts.add", person="bob", nickname="Bobby", note="Likes tea.", groups=["Work"], favourite=True)
    await ann.call("contacts.update", person="bob", number="112")
    given = (await ann.call("contacts.update", person="bob", nickname=" ", groups=[], favourite=False))["contact"]
    assert set(given) == {"person", "added_at", "number", "note"}


async def test_one_sided_entries_are_nobody_elses_business(node: Node, ann: User, bob: User) -> None:
    """As in a phone book: the other one is not told, and nothing more is seen of them."""
    ears = await LiveSession.of(node, bob)
    await ann.call("contacts.add", person="bob")
    assert await listed(bob) == []
    assert ears.heard() == []
    assert "presence" not in await contact(ann, bob)
    await ann.call("contacts.request", person="bob")  # they may still be asked
    assert await requests(bob, "incoming") == ["ann"]


@with_settings(one_sided=0)
async def test_where_contacts_are_added_by_request_alone(ann: User, bob: User) -> None:
    with refused("forbidden"):
        await ann.call("contacts.add", person="bob")
    await become_contacts(ann, bob)
    assert await listed(ann) == ["bob"]


async def test_adding_again_changes_what_is_given(ann: User, bob: User) -> None:
    first = (await ann.call("contacts.add", person="bob", nickname="Bobby"))["contact"]
    again = (await ann.call("contacts.add", person="bob", number="112"))["contact"]
    assert again == {**first, "number": "112"}


async def test_the_first_time_stays(node: Node, ann: User, bob: User) -> None:
    """Removing and adding again, on one's own or by request, does not make anybody a new contact."""
    await become_contacts(ann, bob)
    await set_back(node, "contacts_entries", "added_at", 400)
    first = (await contact(ann, bob))["added_at"]
    assert datetime.now().astimezone() - datetime.fromisoformat(first) > timedelta(days=399)
    await ann.call("contacts.remove", person="bob")
    assert (await ann.call("contacts.add", person="bob"))["contact"]["added_at"] == first
    for who, other in ((ann, bob), (bob, ann)):
        await who.call("contacts.remove", person=other.handle)
    await become_contacts(bob, ann)
    assert (await contact(ann, bob))["added_at"] == (await contact(bob, ann))["added_at"] == first


async def test_removing_takes_what_was_kept_and_only_ones_own(node: Node, ann: User, bob: User) -> None:
    talk = await become_contacts(ann, bob)
    await ann.says(talk, "hello")
    await ann.call("contacts.update", person="bob", nickname="B", note="secret", groups=["Work"], favourite=True)
    await ann.call("contacts.remove", person="bob")
    assert (await listed(ann), await listed(bob)) == ([], ["ann"])
    with refused("not_found", "person"):
        await ann.call("contacts.get", person="bob")
    assert (await ann.call("contacts.labels.list"))["labels"] == []
    given = (await ann.call("contacts.add", person="bob"))["contact"]
    assert set(given) == {"person", "added_at", "last_interacted_at", "weight", "presence"}
    await assert_sound(node)


async def test_who_is_no_contact_is_not_changed_or_removed(ann: User, bob: User) -> None:
    for command in ("get", "update", "remove"):
        with refused("not_found", "person"):
            await ann.call(f"contacts.{command}", person="bob")
    with refused("invalid", "person"):
        await ann.call("contacts.add", person="ann")


async def test_who_is_deactivated_stays_in_the_list(node: Node, ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    await User.new(node, "eve")
    for handle in ("bob", "eve"):
        await node.call("people.deactivate", person=handle)
    entry = await contact(ann, bob)
    assert (entry["person"]["deactivated"], "presence" in entry) == (True, False)
    await ann.call("contacts.update", person="bob", note="has left")
    with refused("forbidden"):
        await ann.call("contacts.add", person="eve")


async def test_who_hides_is_not_seen(node: Node, ann: User, bob: User) -> None:
    await become_contacts(ann, bob)
    await bob.call("presence.visible", visible=False)
    assert "presence" not in await contact(ann, bob)


async def test_fields_are_bounded(ann: User, bob: User) -> None:
    for field, value in (
        ("nickname", "x" * 101), ("nickname", "a\nb"), ("number", "1" * 41), ("note", "x" * 2_001),
        ("groups", ["x" * 51]), ("groups", [""]), ("groups", "Work"), ("favourite", 1),
    ):  # fmt: skip
        with refused("invalid") as caught:
            await ann.call("contacts.add", person="bob", **{field: value})
        assert (caught.value.path or "").partition(".")[0] == field
    assert await listed(ann) == []


@with_settings(entries=2)
async def test_a_list_has_a_largest_size(node: Node, ann: User) -> None:
    for number in range(3):
        await User.new(node, f"star{number}")
    for number in range(2):
        await ann.call("contacts.add", person=f"star{number}")
    with refused("too_large", "person"):
        await ann.call("contacts.add", person="star2")
    await ann.call("contacts.add", person="star0", note="is in it already")
    await ann.call("contacts.remove", person="star0")
    await ann.call("contacts.add", person="star2")
