"""Accounts: handles, profiles, roles."""

from __future__ import annotations

import pytest

from chatnode.model.permissions import PERMISSIONS
from chatnode.node import Node
from chatnode.storage.people import people
from chatnode.testing import LiveSession, User, refused

from .dialogue import outcome, with_limits, without_plugins

LOOKS_LIKE_AN_ID = "0123456789abcdef" * 2


async def test_an_account_is_shown_as_it_was_made(node: Node) -> None:
    made = await node.call("people.create", handle="Ann", name="Ann Lee")
    assert made["person"] == {"id": made["person"]["id"], "handle": "ann", "name": "Ann Lee"}
    assert (await node.call("people.create", handle="bob"))["person"]["name"] == "bob"


async def test_people_are_found_by_id_and_by_handle_in_any_case(ann: User, bob: User) -> None:
    for who in ("bob", "BOB", bob.id):
        assert (await ann.call("people.get", person=who))["person"]["id"] == bob.id
    with refused("not_found"):
        await ann.call("people.get", person="nobody")
    with refused("not_found"):
        await ann.call("people.get", person="f" * 32)


async def test_a_handle_is_letters_digits_and_a_few_signs(node: Node) -> None:
    good = ["a", "0x", "ann.lee-2_b", "a" * 63, "Zoe"]
    bad = ["", ".ann", "-ann", "_ann", "ann lee", "ann@home", "@ann", "änn", "ann\n", "a" * 64, "анн"]
    for handle in good:
        assert (await node.call("people.create", handle=handle))["person"]["handle"] == handle.lower()
    for handle in bad:
        with refused("invalid", "handle"):
            await node.call("people.create", handle=handle)


async def test_letters_that_only_a_case_insensitive_match_takes_for_ascii_are_none(node: Node) -> None:
    letters = {"long s": "ſ", "dotless i": "ı", "dotted I": "İ", "Kelvin sign": "\u212a"}
    outcomes = {
        name: await outcome(node.call("people.create", handle=f"{letter}am")) for name, letter in letters.items()
    }
    assert outcomes == dict.fromkeys(letters, "invalid")


async def test_a_handle_that_looks_like_an_id_is_refused(node: Node) -> None:
    for handle in (LOOKS_LIKE_AN_ID, LOOKS_LIKE_AN_ID.upper()):
        with refused("invalid", "handle"):
            await node.call("people.create", handle=handle)


@pytest.mark.parametrize("handle", sorted(people.RESERVED_HANDLES | {"ME", "Everyone"}))
async def test_a_handle_that_means_something_is_nobodys(node: Node, handle: str) -> None:
    """`from:me` is who asks, @everyone are all: an account of that name could not be asked for, or would be all."""
    with refused("conflict", "handle"):
        await node.call("people.create", handle=handle)
    assert {"me", "everyone", "admins", "all", "here"} <= people.RESERVED_HANDLES


async def test_a_handle_is_taken_in_every_case(node: Node, ann: User) -> None:
    with refused("conflict", "handle"):
        await node.call("people.create", handle="ANN")


async def test_members_do_not_make_accounts_and_administrators_do(node: Node, ann: User) -> None:
    with refused("forbidden"):
        await ann.call("people.create", handle="zoe")
    root = await User.new(node, "root", admin=True)
    assert (await root.call("people.create", handle="zoe"))["person"]["handle"] == "zoe"


@without_plugins
async def test_me_tells_what_i_may_do(node: Node, ann: User) -> None:
    me = await ann.call("people.me")
    assert (me["person"]["id"], me["role"], me["permissions"]) == (ann.id, "member", ["chat", "groups.create"])
    root = await User.new(node, "root", admin=True)
    assert (await root.call("people.me"))["permissions"] == sorted(PERMISSIONS)


# ---- the directory


@pytest.fixture
async def five(node: Node) -> list[User]:
    return [await User.new(node, handle) for handle in ("bea", "abe", "ada", "al", "bob2")]


async def test_the_directory_is_in_the_order_of_handles_and_read_page_by_page(ann: User, five: list[User]) -> None:
    async def handles(**fields: object) -> list[str]:
        return [each["handle"] for each in (await ann.call("people.list", **fields))["people"]]

    assert await handles() == ["abe", "ada", "al", "ann", "bea", "bob2"]
    assert await handles(limit=2) == ["abe", "ada"]
    assert await handles(limit=2, after="ada") == ["al", "ann"]
    assert await handles(prefix="A", after="al") == ["ann"]
    assert await handles(prefix="al") == ["al"]
    assert await handles(prefix="z") == []


@with_limits(page_items=3)
async def test_a_page_is_never_larger_than_the_setting(ann: User, five: list[User]) -> None:
    assert len((await ann.call("people.list", limit=1_000))["people"]) == 3
    assert len((await ann.call("people.list"))["people"]) == 3


# ---- profiles


async def test_a_new_name_reaches_fellows_and_nobody_else(node: Node, ann: User, bob: User, eve: User) -> None:
    await ann.direct(bob)
    hears, does_not = await LiveSession.of(node, bob), await LiveSession.of(node, eve)
    changed = await ann.call("people.update", name="Ann of Anfield")
    assert changed["person"]["name"] == "Ann of Anfield"
    assert [push["person"] for push in hears.heard("person.updated")] == [changed["person"]]
    assert does_not.heard() == []


async def test_a_profile_changes_in_parts_and_an_empty_avatar_removes_it(node: Node, ann: User) -> None:
    await ann.call("people.update", name="A")
    await node.core.db.write(lambda tx: people.set_avatar(tx, people.find(tx, "ann"), "/pictures/1"))
    assert (await ann.call("people.update", name="Ann"))["person"]["avatar"] == "/pictures/1"
    assert (await ann.call("people.update", avatar="/pictures/1"))["person"]["avatar"] == "/pictures/1"
    assert "avatar" not in (await ann.call("people.update", avatar=""))["person"]
    assert (await ann.call("people.me"))["person"]["name"] == "Ann"


async def test_a_profile_takes_no_address_of_a_picture_and_one_line_names(ann: User) -> None:
    for field, value in (
        ("avatar", "javascript:alert(1)"), ("avatar", "/ann.png"), ("avatar", "https://example.org/ann.png"),
        ("avatar", "//example.org/ann.png"), ("name", ""), ("name", "two\nlines"),
    ):  # fmt: skip
        with refused("invalid", field):
            await ann.call("people.update", **{field: value})


# ---- roles on the node


async def test_a_new_role_ends_live_sessions_which_resume_with_it(node: Node, ann: User, bob: User) -> None:
    root = await User.new(node, "root", admin=True)
    anns, bobs = await LiveSession.of(node, ann), await LiveSession.of(node, bob)
    await root.call("people.role", person="ann", role="admin")
    assert [push["role"] for push in anns.heard("role.changed")] == ["admin"]
    assert (anns.ended, bobs.ended) == (True, None)
    assert (await ann.call("people.me"))["role"] == "admin"


async def test_the_last_administrator_stays_one(node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    with refused("conflict", "person"):
        await root.call("people.role", person="root", role="member")
    await User.new(node, "second", admin=True)
    await root.call("people.role", person="root", role="member")
    with refused("conflict", "person"):
        await node.call("people.role", person="second", role="member")


async def test_roles_are_given_by_administrators_and_must_exist(node: Node, ann: User, bob: User) -> None:
    with refused("forbidden"):
        await ann.call("people.role", person="ann", role="admin")
    with refused("not_found", "role"):
        await node.call("people.role", person="ann", role="emperor")
    with refused("not_found"):
        await node.call("people.role", person="nobody", role="admin")


async def test_the_operator_of_the_machine_is_nobody_who_could_converse(node: Node, ann: User) -> None:
    for command, fields in (
        ("people.me", {}),
        ("conversations.direct", {"with": "ann"}),
        ("messages.list", {"conversation": await ann.group()}),
        ("inbox.list", {}),
    ):
        with refused("forbidden"):
            await node.call(command, **fields)
