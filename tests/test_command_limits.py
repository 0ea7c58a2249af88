"""Every command with a limit is tried at that limit, and guesses at passwords wherever one can be guessed."""

from __future__ import annotations

import pytest

from chatnode.config import Config, Limits
from chatnode.dispatch.limits import Rate
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.commands import COMMANDS, ROLES_WITH_PLUGINS
from tests.services.dialogue import Visitor, new_cid, outcome, with_limits, with_password
from tests.test_matrix import FIELDS, Target

LIMITS = {
    "messages.post": "posts",
    "messages.edit": "posts",
    "messages.report": "reports",
    "messages.pin": "changes",
    "messages.unpin": "changes",
    "people.update": "changes",
    "people.block": "changes",
    "people.unblock": "changes",
    "conversations.update": "changes",
    "conversations.close": "changes",
    "conversations.reopen": "changes",
    "conversations.join": "changes",
    "conversations.leave": "changes",
    "conversations.members.role": "changes",
    "presence.status": "statuses",
    "presence.visible": "statuses",
    "typing": "typing",
    "bots.commands.set": "changes",
    "bots.create": "bots",
    "bots.remove": "bots",
    "slash.run": "invocations",
    "actions.invoke": "invocations",
    "sessions.create": "logins",
    "invites.accept": "logins",
    "people.reset_password": "logins",
    "contacts.request": "contact_requests",
    "attachments.avatar.set": "uploads",
    "crm.contacts.create": "changes",
    "crm.contacts.update": "changes",
    "crm.contacts.delete": "changes",
    "crm.contacts.upsert": "changes",
    "crm.notes.add": "changes",
    "crm.notes.delete": "changes",
    "crm.fields.define": "changes",
    "crm.fields.change": "changes",
    "crm.fields.delete": "changes",
    **dict.fromkeys(
        [
            f"crm.lists.{verb}"
            for verb in (
                "create",
                "update",
                "archive",
                "restore",
                "stage",
                "delete",
                "add",
                "remove",
                "copy",
                "merge",
                "intersect",
            )
        ],
        "changes",
    ),
    **dict.fromkeys(
        [f"crm.tags.{verb}" for verb in ("create", "update", "delete", "apply", "remove", "clear", "merge")],
        "changes",
    ),
    "crm.segments.create": "changes",
    "crm.segments.update": "changes",
    "crm.segments.check": "changes",
    "notifications.settings.set": "notifications",
    "notifications.read": "notifications",
    "notifications.send": "notifications",
    "notifications.register": "notification_devices",
    "notifications.test": "notification_tests",
    "notifications.mailbox.add": "notification_codes",
    "notifications.mail.test": "notification_codes",
    "previews.remove": "changes",
    "previews.settings.update": "changes",
    "reactions.add": "reactions",
    "reactions.remove": "reactions",
    "reactions.set": "reactions",
    **dict.fromkeys(
        [f"webhooks.endpoints.{verb}" for verb in ("add", "update", "remove", "pause", "resume", "rotate", "test")],
        "changes",
    ),
    "webhooks.replay": "changes",
    "webhooks.recover": "changes",
    **dict.fromkeys([f"webhooks.incoming.{verb}" for verb in ("add", "remove", "rotate")], "changes"),
}
"""Command → what it counts as, beside the requests of all kinds."""


def test_every_command_counts_as_what_it_is() -> None:
    assert {each.name: each.limit for each in COMMANDS if each.limit is not None} == LIMITS


@pytest.mark.parametrize("limit", sorted(set(LIMITS.values())))
async def test_a_command_is_limited_at_its_limit_and_for_who_asks_alone(node: Node, limit: str) -> None:
    """Each command is tried by two who are new, when nothing was counted yet."""
    answers: dict[str, list[str]] = {}
    for name in (name for name, own in LIMITS.items() if own == limit):
        node.core.rates[limit] = node.core.logins = Rate("such things", 2)
        first, second = await two_who_may(node, name)
        answers[name] = [await ask(who, name) for who in (first, first, first, second)]
    limited = {name: [each == "rate_limited" for each in given] for name, given in answers.items()}
    assert limited == {name: [False, False, True, False] for name in answers}, answers


async def two_who_may(node: Node, name: str) -> tuple[User | Visitor, User | Visitor]:
    permission = next(each.permission for each in COMMANDS if each.name == name)
    if permission is None:
        return Visitor(node, "192.0.2.1"), Visitor(node, "192.0.2.2")
    admin = permission not in ROLES_WITH_PLUGINS["member"]
    return await User.new(node, new_cid(), admin=admin), await User.new(node, new_cid(), admin=admin)


async def ask(who: User | Visitor, name: str) -> str:
    spare = who.handle if isinstance(who, User) else "ann"
    fields = FIELDS[name](Target("0" * 32, "0" * 32, spare=spare, outside="nobody"))
    if name == "sessions.create":
        fields["handle"] = new_cid()  # the limit by handle is another one
    return await outcome(who.call(name, **fields))


@pytest.mark.parametrize("config", [Config(limits=Limits(requests_per_minute=2))])
async def test_every_request_counts_as_one(node: Node) -> None:
    ann = await User.new(node, "ann")
    await ann.call("people.me")
    await outcome(ann.call("messages.get", message="0" * 32))
    for name in ("people.me", "inbox.list", "messages.post"):
        with refused("rate_limited") as caught:
            await ann.call(name)
        assert "too many requests; at most 2 a minute" in caught.value.message
    await node.call("people.list")  # the operator of the machine is not counted
    await node.call("people.list")
    await node.call("people.list")


# ---- passwords

GUESSES = {
    "sessions.create": {"handle": "ann", "password": "a wrong guess"},
    "people.password": {"old": "a wrong guess", "new": "a new password"},
    "people.deactivate": {"password": "a wrong guess"},
    "people.erase": {"handle": "ann", "password": "a wrong guess"},
}


@with_limits(logins_per_minute=2)
@pytest.mark.parametrize("name", GUESSES)
async def test_guesses_at_one_password_count_together_wherever_they_are_made(node: Node, name: str) -> None:
    ann = await with_password(node, "ann")

    async def guess(name: str, number: int) -> str:
        who = Visitor(node, f"192.0.2.{number}") if name == "sessions.create" else ann
        return await outcome(who.call(name, **GUESSES[name]))

    others = [each for each in GUESSES if each != name]
    assert await guess(name, 1) == "wrong_password"
    assert await guess(others[0], 2) == "wrong_password"
    for number, each in enumerate(GUESSES, 3):
        assert await guess(each, number) == "rate_limited", each


@with_limits(logins_per_minute=2)
async def test_what_is_done_to_others_accounts_guesses_nothing(node: Node) -> None:
    root = await User.new(node, "root", admin=True)
    for number in range(4):
        handle = f"guest{number}"
        await with_password(node, handle)
        await root.call("people.password", person=handle, new="a new password")
        await root.call("people.deactivate", person=handle)
        await root.call("people.erase", person=handle, handle=handle)
    assert await outcome(Visitor(node).call("sessions.create", handle="root", password="a guess")) == "wrong_password"


# ---- a repeat


@with_limits(posts_per_minute=3)
async def test_the_same_cid_again_costs_nothing_and_is_answered_while_one_is_limited(
    node: Node, ann: User, bob: User
) -> None:
    talk = await ann.direct(bob)
    sent = {"conversation": talk, "cid": "one", "text": "hello"}
    first = await ann.call("messages.post", **sent)
    for _ in range(5):
        assert await ann.call("messages.post", **sent) == first | {"dup": True}
    await ann.says(talk, "two")
    await ann.says(talk, "three")
    with refused("rate_limited"):
        await ann.says(talk, "four")
    assert await ann.call("messages.post", **sent) == first | {"dup": True}
    with refused("conflict", "cid"):
        await ann.call("messages.post", **(sent | {"text": "something else"}))
    with refused("rate_limited"):
        await ann.call("messages.edit", message=first["message"], text="edited")
    assert await bob.reads(talk) == ["hello", "two", "three"]
