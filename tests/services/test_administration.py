"""What is done to accounts: signing others out, deactivating, links for a new password."""

from __future__ import annotations

from typing import Any

import pytest

from chatnode.dispatch.caller import Caller
from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.services import accounts, sign_in
from chatnode.services.sign_in import authenticate
from chatnode.storage.people import people
from chatnode.testing import LiveSession, User, refused

from .dialogue import PASSWORD, Visitor, assert_sound, outcome, token_of, with_limits, with_password


@pytest.fixture
async def root(node: Node) -> User:
    return await User.new(node, "root", admin=True)


# ---- devices


async def test_who_manages_people_sees_devices_and_ends_them(node: Node, root: User, ann: User) -> None:
    phone, laptop = await token_of(ann, label="phone"), await token_of(ann, label="laptop")
    live = [await phone.live(), await laptop.live()]
    listed = (await root.call("people.sessions", person="ann"))["sessions"]
    assert [(each["label"], each["current"]) for each in listed] == [("phone", False), ("laptop", False)]
    assert all("last_used_at" in each for each in listed)

    await root.call("people.sign_out", person="ann", session=listed[0]["session"])
    assert [session.ended for session in live] == [False, None]
    assert await root.call("people.sign_out", person="ann") == {"revoked": 1}
    assert [session.ended for session in live] == [False, False]
    for device in (phone, laptop):
        with refused("unauthenticated"):
            await device.call("people.me")


async def test_members_see_no_devices_of_others(ann: User, bob: User) -> None:
    for command in ("people.sessions", "people.sign_out"):
        with refused("forbidden"):
            await ann.call(command, person="bob")


async def test_a_device_gets_another_name(ann: User, bob: User) -> None:
    phone = await token_of(ann, label="unnamed device")
    await phone.call("sessions.rename", session=await phone.session(), label="Ann's phone")
    assert [each["label"] for each in (await ann.call("sessions.list"))["sessions"]] == ["Ann's phone"]
    with refused("not_found", "session"):
        await bob.call("sessions.rename", session=await phone.session(), label="Bob's phone")


async def test_what_was_under_way_when_a_device_was_signed_out_is_not_done(node: Node, ann: User, bob: User) -> None:
    """The token was found good, then the device was signed out, then the message came to be written."""
    talk = await ann.direct(bob)
    phone = await phone_context(ann)
    await node.call("people.sign_out", person="ann")
    with refused("unauthenticated"):
        await node.table.run(phone, "messages.post", {"conversation": talk, "cid": "1", "text": "too late"})
    assert await bob.reads(talk) == []


async def phone_context(who: User) -> Caller:
    """A request of theirs, at the moment when the token was found good."""
    token = await token_of(who)
    context = Caller(who.node.core, address="192.0.2.1")
    context.sign_in(await authenticate(who.node.core, token.secret))
    return context


# ---- deactivating


async def test_nothing_lets_in_who_is_deactivated(node: Node, root: User) -> None:
    ann = await with_password(node, "ann")
    phone, program = await Visitor(node).sign_in("ann"), await token_of(ann, days=9)
    link = await root.call("people.reset_link", person="ann")
    live = [await phone.live(), await program.live()]

    done = await root.call("people.deactivate", person="ann")
    assert done["person"]["deactivated"] is True
    assert [session.ended for session in live] == [False, False]
    for device in (phone, program):
        with refused("unauthenticated"):
            await device.call("people.me")
    with refused("forbidden"):  # the password is right: whoever knows it is told why it does not help
        await Visitor(node).sign_in("ann")
    with refused("wrong_password"):
        await Visitor(node).sign_in("ann", "wrong horse battery")
    with refused("not_found"):
        await Visitor(node).call("people.reset_password", code=link["code"], password=PASSWORD)
    for command in ("tokens.create", "people.reset_link"):
        with refused("conflict", "person"):
            await root.call(command, person="ann")

    await root.call("people.reactivate", person="ann")
    assert "deactivated" not in (await root.call("people.get", person="ann"))["person"]
    with refused("unauthenticated"):  # signed-out devices do not come back
        await phone.call("people.me")
    await Visitor(node).sign_in("ann")


async def test_who_is_deactivated_is_shown_and_left_in_peace(
    node: Node, root: User, ann: User, bob: User, eve: User
) -> None:
    talk, room = await ann.direct(bob), await bob.group(ann, title="garden")
    await ann.says(talk, "bye")
    other = await bob.group()
    hears, does_not = await LiveSession.of(node, bob), await LiveSession.of(node, eve)
    await root.call("people.deactivate", person="ann")
    assert [push["person"].get("deactivated") for push in hears.heard("person.updated")] == [True]
    assert does_not.heard() == []

    assert (await bob.members(room))["ann"] == "member"
    assert await bob.reads(talk) == ["bye"]
    assert await bob.direct(ann) == talk  # it is there, to be read
    for asked in (
        bob.call("messages.post", conversation=talk, cid="1", text="are you there?"),
        bob.call("conversations.members.add", conversation=other, member="ann"),
        bob.call("conversations.create", title="x", members=["ann"]),
        eve.call("conversations.direct", **{"with": "ann"}),
    ):
        with refused("forbidden"):
            await asked
    await bob.says(room, "without her")
    await root.call("people.reactivate", person="ann")
    await bob.says(talk, "welcome back")


async def test_one_deactivates_oneself_with_ones_password(node: Node, bob: User) -> None:
    ann = await with_password(node, "ann")
    for password in ({}, {"password": "wrong horse battery"}):
        with refused("wrong_password", "password"):
            await ann.call("people.deactivate", **password)
    with refused("forbidden"):
        await ann.call("people.deactivate", person="bob")
    await ann.call("people.deactivate", password=PASSWORD)
    with refused("forbidden"):
        await Visitor(node).sign_in("ann")


async def test_the_only_administrator_stays_active(node: Node, root: User) -> None:
    with refused("conflict", "person"):
        await root.call("people.deactivate")
    second = await User.new(node, "second", admin=True)
    await second.call("people.deactivate", person="root")
    with refused("conflict", "person"):
        await second.call("people.deactivate")
    with refused("conflict", "person"):
        await node.call("people.role", person="second", role="member")
    await assert_sound(node)


async def test_what_everybody_joins_is_not_joined_by_who_is_deactivated(node: Node, ann: User, eve: User) -> None:
    await node.call("people.deactivate", person="eve")
    hall = (await node.call("import.conversation", source="irc", key="#x", title="#x", join=True))["conversation"]
    assert list(await ann.members(hall)) == ["ann"]


# ---- a new password


async def test_a_link_sets_a_new_password_once(node: Node, root: User) -> None:
    ann = await with_password(node, "ann")
    phone = await token_of(ann)
    link = await root.call("people.reset_link", person="ann")
    assert link["link"].endswith(f"/#reset={link['code']}")
    with refused("invalid", "password"):
        await Visitor(node).call("people.reset_password", code=link["code"], password="short")
    done = await Visitor(node).call("people.reset_password", code=link["code"], password="a new password")
    assert (done["person"]["handle"], done["revoked"]) == ("ann", 1)
    with refused("unauthenticated"):
        await phone.call("people.me")
    with refused("wrong_password"):
        await Visitor(node).sign_in("ann")
    await Visitor(node).sign_in("ann", "a new password")
    with refused("not_found", "code"):
        await Visitor(node).call("people.reset_password", code=link["code"], password="a third password")


async def test_a_link_ends_with_time_with_the_next_one_and_with_a_new_password(node: Node, root: User) -> None:
    await with_password(node, "ann")

    async def outcome_of(link: dict[str, str]) -> str:
        return await outcome(Visitor(node).call("people.reset_password", code=link["code"], password="a new password"))

    first = await root.call("people.reset_link", person="ann")
    second = await root.call("people.reset_link", person="ann")
    assert await outcome_of(first) == "not_found"
    await root.call("people.password", person="ann", new="from the administrator")
    assert await outcome_of(second) == "not_found"
    third = await root.call("people.reset_link", person="ann")
    await node.core.db.write(lambda tx: tx.execute("UPDATE password_resets SET expires_at = ?", (tx.now,)))
    assert await outcome_of(third) == "gone"


async def test_a_link_ends_when_the_account_is_closed_or_may_do_more(node: Node, root: User) -> None:
    """Whoever got the link while the account could do little must not have it when it can do much."""
    await with_password(node, "ann")

    async def outcome_of(link: dict[str, str]) -> str:
        return await outcome(Visitor(node).call("people.reset_password", code=link["code"], password="a new password"))

    first = await root.call("people.reset_link", person="ann")
    await root.call("people.role", person="ann", role="moderator")
    assert await outcome_of(first) == "not_found"
    second = await root.call("people.reset_link", person="ann")
    await root.call("roles.set", role="moderator", permissions=["chat", "moderate", "audit.read"])
    assert await outcome_of(second) == "not_found"
    third = await root.call("people.reset_link", person="ann")
    await root.call("people.deactivate", person="ann")
    await root.call("people.reactivate", person="ann")
    assert await outcome_of(third) == "not_found"


async def test_who_signs_in_while_the_password_changes_needs_the_new_one(
    node: Node, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await with_password(node, "ann")
    verify = sign_in.is_password

    async def verify_slowly(*args: Any) -> bool:
        right = await verify(*args)
        await root.call("people.password", person="ann", new="another password")
        return right

    monkeypatch.setattr(sign_in, "is_password", verify_slowly)
    with refused("wrong_password"):
        await Visitor(node).sign_in("ann")
    assert (await root.call("people.sessions", person="ann"))["sessions"] == []


async def test_who_gets_more_power_while_their_password_is_set_keeps_theirs(
    node: Node, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    await root.call("roles.set", role="helper", permissions=["chat", "people.manage"])
    await User.new(node, "hal")
    await root.call("people.role", person="hal", role="helper")
    hal = User(node, await node.core.db.read(lambda reader: people.find(reader, "hal")))
    await with_password(node, "ann")
    hashing = accounts.hash_password

    async def hash_slowly(*args: Any) -> str:
        await root.call("people.role", person="ann", role="admin")
        return await hashing(*args)

    monkeypatch.setattr(accounts, "hash_password", hash_slowly)
    with refused("forbidden", "person"):
        await hal.call("people.password", person="ann", new="of hal's choosing")
    await Visitor(node).sign_in("ann")


@with_limits(logins_per_minute=3)
async def test_codes_are_not_guessed(node: Node) -> None:
    for _ in range(3):
        with refused("not_found", "code"):
            await Visitor(node).call("people.reset_password", code="guess", password=PASSWORD)
    with refused("rate_limited"):
        await Visitor(node).call("people.reset_password", code="guess", password=PASSWORD)


async def test_the_code_is_not_kept(node: Node, root: User, ann: User) -> None:
    code = (await root.call("people.reset_link", person="ann"))["code"]
    on_disk = b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
    assert code.encode() not in on_disk


# ---- no escalation


async def test_who_manages_people_does_not_manage_who_may_do_more(node: Node, root: User, bob: User) -> None:
    """A helper with the one permission gets at no administrator's account, and makes none."""
    await root.call("roles.set", role="helper", permissions=["chat", "people.manage"])
    await User.new(node, "hal")
    await root.call("people.role", person="hal", role="helper")
    account = await node.core.db.read(lambda reader: people.find(reader, "hal"))
    hal = User(node, account)
    for command, fields in (
        ("people.password", {"new": "of hal's choosing"}),
        ("people.reset_link", {}),
        ("people.role", {"role": "member"}),
        ("people.sign_out", {}),
        ("people.deactivate", {}),
        ("people.erase", {"handle": "root"}),
        ("people.export", {}),
        ("tokens.create", {}),
    ):
        with refused("forbidden", "person"):
            await hal.call(command, person="root", **fields)
        if command not in ("people.deactivate", "people.erase"):
            await hal.call(command, person="bob", **fields)
    for command, fields in (
        ("people.create", {"handle": "zoe", "admin": True}),
        ("people.role", {"person": "bob", "role": "admin"}),
        ("people.role", {"person": "hal", "role": "admin"}),
    ):
        with pytest.raises(Refusal) as caught:
            await hal.call(command, **fields)
        assert caught.value.code == "forbidden"
        assert "moderate" in caught.value.message
    with refused("forbidden"):
        await hal.call("roles.set", role="helper", permissions=["chat", "operate"])
