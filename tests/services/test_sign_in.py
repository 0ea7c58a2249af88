"""Signing in: passwords, devices, tokens, and what ends them."""

from __future__ import annotations

from typing import Any, Literal
from unicodedata import normalize

import pytest
import trio
from argon2 import PasswordHasher

from chatnode.errors import Refusal
from chatnode.node import Node
from chatnode.services import passwords
from chatnode.storage.people import people
from chatnode.testing import LiveSession, User, refused

from .dialogue import PASSWORD, Visitor, token_of, with_limits, with_password


@pytest.fixture
def somebody_outside(node: Node) -> Visitor:
    return Visitor(node)


# ---- passwords


@pytest.mark.usefixtures("real_passwords")
async def test_a_password_is_kept_as_argon2id_and_nowhere_else(node: Node, somebody_outside: Visitor) -> None:
    await node.call("people.create", handle="ann", password="only ann knows this")
    _, hashed = await node.core.db.read(lambda reader: people.password_hash(reader, "ann")) or (None, None)
    assert hashed is not None
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")  # RFC 9106, low-memory profile

    device = await somebody_outside.sign_in("Ann", "only ann knows this", device="phone")
    assert (await device.call("people.me"))["person"]["handle"] == "ann"
    on_disk = b"".join(path.read_bytes() for path in node.directory.path.glob("chatnode.sqlite3*"))
    assert b"phone" in on_disk
    assert b"only ann knows this" not in on_disk
    assert device.secret.encode() not in on_disk


async def test_nobody_learns_whether_handle_or_password_is_wrong(node: Node, somebody_outside: Visitor) -> None:
    await with_password(node, "ann")
    await User.new(node, "bot")  # has no password
    answers = []
    for handle in ("ann", "nobody", "bot"):
        with pytest.raises(Refusal) as caught:
            await somebody_outside.sign_in(handle, "wrong horse battery")
        answers.append(caught.value.as_json())
    assert answers[0]["code"] == "wrong_password"
    assert answers[1] == answers[2] == answers[0]


@pytest.mark.parametrize(
    ("chosen", "typed"),
    [
        ("Käsebrot für Zoë", "Ka\u0308sebrot fu\u0308r Zoe\u0308"),
        ("Ka\u0308sebrot fu\u0308r", "Käsebrot für"),
        ("Ångström \u212b\u2126", "A\u030angstro\u0308m \u00c5\u03a9"),
        ("한국어 비밀번호 여덟", "\u1112\u1161\u11ab\u1100\u116e\u11a8\u110b\u1165 비밀번호 여덟"),
        ("correct horse\u00a0battery", "correct horse battery"),
        ("correct horse battery", "correct\u3000horse\u2009battery"),
    ],
)
@with_limits(logins_per_minute=0)
async def test_a_password_is_the_same_from_every_system(node: Node, chosen: str, typed: str) -> None:
    await with_password(node, "ann")
    reset = (await node.call("people.reset_link", person="ann"))["code"]
    await Visitor(node).call("people.reset_password", code=reset, password=chosen)
    for password in (typed, chosen, normalize("NFC", typed), normalize("NFD", typed)):
        await Visitor(node).sign_in("ann", password)
    for wrong in (chosen + " ", chosen.replace("o", "O"), normalize("NFKC", chosen + "ﬁ"), chosen[:-1]):
        with refused("wrong_password"):
            await Visitor(node).sign_in("ann", wrong + "x" * (wrong == chosen))


@with_limits(logins_per_minute=0)
async def test_letters_that_only_look_alike_make_another_password(node: Node) -> None:
    """RFC 8265 maps no compatibility characters, which would leave fewer passwords."""
    await with_password(node, "ann")
    reset = (await node.call("people.reset_link", person="ann"))["code"]
    await Visitor(node).call("people.reset_password", code=reset, password="a big ﬁsh, ½ price")
    for wrong in ("a big fish, ½ price", "a big ﬁsh, 1⁄2 price", "a big ﬁsh， ½ price"):
        with refused("wrong_password"):
            await Visitor(node).sign_in("ann", wrong)
    await Visitor(node).sign_in("ann", "a big ﬁsh, ½ price")


@pytest.mark.parametrize("chosen", ["Käsebrot für Zoë", "Ka\u0308sebrot fu\u0308r Zoe\u0308", "Käse\u00a0brot"])
@pytest.mark.parametrize("form", ["NFC", "NFD"])
async def test_a_hash_of_what_was_typed_is_made_anew(node: Node, chosen: str, form: Literal["NFC", "NFD"]) -> None:
    ann = await with_password(node, "ann", chosen)
    await Visitor(node).sign_in("ann", chosen if "\u00a0" in chosen else normalize(form, chosen))
    kept = await node.core.db.read(lambda reader: people.password_of(reader, ann.account.key))
    assert kept is not None
    assert PasswordHasher().verify(kept, passwords.opaque(chosen))


async def test_a_password_has_as_many_characters_as_are_hashed(node: Node) -> None:
    for password in ("a\u0308" * 9, "tab\tbetween", "pasted with its end\n"):
        with refused("invalid", "password"):
            await node.call("people.create", handle="ann", password=password)
    await node.call("people.create", handle="ann", password="a\u0308" * 10)


async def test_a_sign_in_keeps_a_hash_that_is_as_it_should_be(node: Node) -> None:
    ann = await with_password(node, "ann", "Käsebrot für alle")
    before = await node.core.db.read(lambda reader: people.password_of(reader, ann.account.key))
    await Visitor(node).sign_in("ann", "Käsebrot für alle")
    assert await node.core.db.read(lambda reader: people.password_of(reader, ann.account.key)) == before


async def test_as_many_spellings_are_tried_for_nobody(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    await with_password(node, "ann", "Käsebrot für alle")
    await User.new(node, "bot")
    tried: list[str] = []
    monkeypatch.setattr(passwords, "_is", lambda hashed, password: tried.append(password))
    for handle in ("ann", "bot", "nobody"):
        with refused("wrong_password"):
            await Visitor(node).sign_in(handle, "Käsebrot für mich")
    assert tried == 3 * passwords.spellings("Käsebrot für mich")


async def test_a_short_password_is_refused_and_nothing_is_made(node: Node) -> None:
    for password in ("", "123456789"):
        with refused("invalid", "password"):
            await node.call("people.create", handle="ann", password=password)
    with refused("not_found"):
        await node.call("people.get", person="ann")


# ---- limits


@with_limits(logins_per_minute=3)
async def test_a_handle_is_not_guessed_at_from_many_addresses(node: Node) -> None:
    await with_password(node, "ann")
    await with_password(node, "bob")
    for number in range(3):
        with refused("wrong_password"):
            await Visitor(node, f"192.0.2.{number}").sign_in("ann", "wrong horse battery")
    with refused("rate_limited") as caught:
        await Visitor(node, "198.51.100.1").sign_in("ANN")  # even with the right one
    assert caught.value.temporary
    assert caught.value.retry_after is not None
    assert 0 < caught.value.retry_after <= 20
    await Visitor(node, "198.51.100.1").sign_in("bob")


@with_limits(logins_per_minute=3)
async def test_an_address_does_not_guess_at_many_handles(node: Node) -> None:
    for handle in ("ann", "bob", "cy", "dee"):
        await with_password(node, handle)
    for handle in ("ann", "bob", "cy"):
        with refused("wrong_password"):
            await Visitor(node).sign_in(handle, "wrong horse battery")
    with refused("rate_limited"):
        await Visitor(node).sign_in("dee")
    await Visitor(node, "198.51.100.1").sign_in("dee")


@with_limits(logins_per_minute=3)
async def test_invite_codes_and_old_passwords_are_not_guessed_at_either(node: Node) -> None:
    for _ in range(3):
        with refused("not_found"):
            await Visitor(node).call("invites.accept", code="guess", handle="ann", password=PASSWORD)
    with refused("rate_limited"):
        await Visitor(node).call("invites.accept", code="guess", handle="ann", password=PASSWORD)

    bob = await with_password(node, "bob")
    for _ in range(3):
        with refused("wrong_password", "old"):
            await bob.call("people.password", old="wrong horse battery", new="another horse")
    with refused("rate_limited"):
        await bob.call("people.password", old=PASSWORD, new="another horse")


@with_limits(logins_per_minute=0)
async def test_no_limit_is_none(node: Node) -> None:
    await with_password(node, "ann")
    for _ in range(30):
        with refused("wrong_password"):
            await Visitor(node).sign_in("ann", "wrong horse battery")


# ---- devices


async def test_devices_are_listed_and_the_one_that_asks_is_marked(node: Node, somebody_outside: Visitor) -> None:
    await with_password(node, "ann")
    phone = await somebody_outside.sign_in("ann", device="phone")
    await somebody_outside.sign_in("ann")
    await phone.call("tokens.create", label="backup", days=1)
    listed = (await phone.call("sessions.list"))["sessions"]
    assert [(each["kind"], each["label"], each["current"]) for each in listed] == [
        ("device", "phone", True),
        ("device", "unnamed device", False),
        ("token", "backup", False),
    ]
    assert "last_used_at" in listed[0]
    assert "last_used_at" not in listed[1]
    assert all("expires_at" in each for each in listed)
    assert not {"token", "token_hash"} & listed[0].keys()


async def test_a_revoked_device_is_out_at_once_and_for_good(node: Node, somebody_outside: Visitor) -> None:
    await with_password(node, "ann")
    phone, laptop = await somebody_outside.sign_in("ann"), await somebody_outside.sign_in("ann")
    on_phone, on_laptop = await phone.live(), await laptop.live()

    assert await laptop.call("sessions.revoke", session=await phone.session()) == {"revoked": 1}
    assert (on_phone.ended, on_laptop.ended) == (False, None)
    with refused("unauthenticated"):
        await phone.call("people.me")
    assert len((await laptop.call("sessions.list"))["sessions"]) == 1


async def test_nobody_signs_out_somebody_else(node: Node, somebody_outside: Visitor, eve: User) -> None:
    await with_password(node, "ann")
    phone = await somebody_outside.sign_in("ann")
    live = await phone.live()
    for session in (await phone.session(), 999):
        with refused("not_found", "session"):
            await eve.call("sessions.revoke", session=session)
    assert live.ended is None
    await phone.call("people.me")


async def test_all_other_devices_are_signed_out_together(node: Node, somebody_outside: Visitor) -> None:
    await with_password(node, "ann")
    phone, laptop = await somebody_outside.sign_in("ann"), await somebody_outside.sign_in("ann")
    bot = await token_of(await User.new(node, "bot"))
    assert await phone.call("sessions.revoke_others") == {"revoked": 1}
    with refused("unauthenticated"):
        await laptop.call("people.me")
    await phone.call("people.me")
    await bot.call("people.me")


async def test_a_token_or_device_ends_when_its_time_is_over(node: Node, ann: User) -> None:
    program = await token_of(ann, days=1)
    await program.call("people.me")
    number = await program.session()
    await node.core.db.write(lambda tx: tx.execute("UPDATE sessions SET expires_at = ? WHERE key = ?", (1, number)))
    with refused("unauthenticated"):
        await program.call("people.me")
    assert (await ann.call("sessions.list"))["sessions"] == []


async def test_using_a_device_prolongs_it_and_using_a_token_does_not(node: Node, somebody_outside: Visitor) -> None:
    ann = await with_password(node, "ann")
    phone, program = await somebody_outside.sign_in("ann"), await token_of(ann, days=1)
    soon = {}
    for device in (phone, program):
        key = await device.session()
        await node.core.db.write(
            lambda tx, key=key: tx.execute(
                "UPDATE sessions SET expires_at = ?, last_used_at = NULL WHERE key = ?", (tx.now + 60_000, key)
            )
        )
    for each in (await ann.call("sessions.list"))["sessions"]:
        soon[each["kind"]] = each["expires_at"]
    await phone.call("people.me")
    await program.call("people.me")
    listed = (await ann.call("sessions.list"))["sessions"]
    assert {each["kind"]: each["expires_at"] > soon[each["kind"]] for each in listed} == {
        "device": True,
        "token": False,
    }
    assert all("last_used_at" in each for each in listed)


async def test_a_token_that_nobody_got_is_nobodys(node: Node, ann: User) -> None:
    device = await token_of(ann)
    for device.secret in ("", "x", "a" * 200, "ünï", "' OR 1=1"):
        with refused("unauthenticated"):
            await device.call("people.me")


# ---- a new password


async def test_a_new_password_signs_out_every_other_device(node: Node, somebody_outside: Visitor) -> None:
    await with_password(node, "ann")
    phone, laptop = await somebody_outside.sign_in("ann"), await somebody_outside.sign_in("ann")
    on_phone, on_laptop = await phone.live(), await laptop.live()
    program = await token_of(User(node, on_phone.account))

    changed = await phone.call("people.password", old=PASSWORD, new="a better one than that")
    assert changed == {"revoked": 2}
    assert (on_phone.ended, on_laptop.ended) == (None, False)
    for other in (laptop, program):
        with refused("unauthenticated"):
            await other.call("people.me")
    await phone.call("people.me")
    with refused("wrong_password"):
        await somebody_outside.sign_in("ann", PASSWORD)
    await somebody_outside.sign_in("ann", "a better one than that")


async def test_without_the_old_password_there_is_no_new_one(node: Node) -> None:
    ann = await with_password(node, "ann")
    for old in ({"old": "wrong horse battery"}, {}):
        with refused("wrong_password", "old"):
            await ann.call("people.password", new="a better one than that", **old)
    await Visitor(node).sign_in("ann", PASSWORD)


async def test_a_new_password_that_is_too_short_is_refused_by_its_own_name(node: Node) -> None:
    ann = await with_password(node, "ann")
    with refused("invalid", "new"):
        await ann.call("people.password", old=PASSWORD, new="short")


async def test_an_administrator_helps_who_forgot_theirs(node: Node, ann: User) -> None:
    root = await User.new(node, "root", admin=True)
    program, live = await token_of(ann), await LiveSession.of(node, ann, 999)
    assert await root.call("people.password", person="ann", new="a better one than that") == {"revoked": 1}
    with refused("unauthenticated"):
        await program.call("people.me")
    assert live.ended is None  # not one of those sessions
    await Visitor(node).sign_in("ann", "a better one than that")


async def test_others_do_not(node: Node, eve: User) -> None:
    await with_password(node, "ann")
    with refused("forbidden", "person"):
        await eve.call("people.password", person="ann", new="a better one than that")
    await Visitor(node).sign_in("ann", PASSWORD)


async def test_an_administrator_too_shows_their_own_old_password(node: Node) -> None:
    """Else whoever finds the device unlocked takes over the account, and the node with it."""
    root = await with_password(node, "root", admin=True)
    with refused("wrong_password", "old"):
        await root.call("people.password", person="root", new="a better one than that")


# ---- tokens


async def test_a_token_acts_as_its_person(node: Node, ann: User) -> None:
    for fields in ({}, {"person": "ann"}, {"person": ann.id}):
        program = await token_of(ann, **fields)
        assert (await program.call("people.me"))["person"]["id"] == ann.id


async def test_whoever_changed_their_name_still_makes_tokens_for_themself(ann: User) -> None:
    await ann.call("people.update", name="Ann of Anfield")
    await ann.call("tokens.create", person="ann")


async def test_only_administrators_make_tokens_for_others(node: Node, ann: User, bob: User) -> None:
    with refused("forbidden", "person"):
        await ann.call("tokens.create", person="bob")
    root = await User.new(node, "root", admin=True)
    program = await token_of(root, person="bob")
    assert (await program.call("people.me"))["person"]["id"] == bob.id
    with refused("not_found"):
        await root.call("tokens.create", person="nobody")


async def test_the_operator_says_whose_token_it_shall_be(node: Node, ann: User) -> None:
    with refused("invalid", "person"):
        await node.call("tokens.create")
    assert (await node.call("tokens.create", person="ann"))["token"]


@pytest.mark.parametrize("days", [3_000_000, 2**53 - 1])
async def test_a_token_ends_before_the_year_10000(ann: User, days: int) -> None:
    with refused("invalid", "days"):
        await ann.call("tokens.create", days=days)


async def test_people_sign_in_side_by_side(node: Node) -> None:
    await with_password(node, "ann")
    devices: list[Any] = []

    async def sign_in(number: int) -> None:
        devices.append(await Visitor(node, f"192.0.2.{number}").sign_in("ann"))

    async with trio.open_nursery() as nursery:
        for number in range(8):
            nursery.start_soon(sign_in, number)
    assert len({device.secret for device in devices}) == 8
