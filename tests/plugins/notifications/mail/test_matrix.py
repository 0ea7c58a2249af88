"""No word of a message is in the mail of a user who may not see it, whatever happens before the mail is sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

import pytest
from chatnode_notifications.preferences.model import DigestTime

from chatnode.node import Node
from chatnode.testing import User
from tests.outbound.mail_server import MailServer
from tests.plugins.notifications.mail.mailing import deliver, make_due, notified, verified, wants

CANARY = "c4n4ry"


async def leaves(amy: User, ben: User, group: str, message: str) -> None:
    await ben.call("conversations.leave", conversation=group)


async def is_removed(amy: User, ben: User, group: str, message: str) -> None:
    await amy.call("conversations.members.remove", conversation=group, member=ben.handle)


async def blocks(amy: User, ben: User, group: str, message: str) -> None:
    await ben.call("people.block", person=amy.handle)


async def is_deleted(amy: User, ben: User, group: str, message: str) -> None:
    await amy.call("messages.delete", message=message)


async def is_erased(amy: User, ben: User, group: str, message: str) -> None:
    await amy.node.call("people.erase", person=amy.handle, handle=amy.handle)


async def reads(amy: User, ben: User, group: str, message: str) -> None:
    await ben.call("receipts.read", conversation=group, seq=(await ben.sees(group))[-1]["seq"])


async def mutes(amy: User, ben: User, group: str, message: str) -> None:
    await ben.call("conversations.settings", conversation=group, notify="none")


async def is_deactivated(amy: User, ben: User, group: str, message: str) -> None:
    await amy.node.call("people.deactivate", person=ben.handle)


async def may_not_chat(amy: User, ben: User, group: str, message: str) -> None:
    await amy.node.call("roles.set", role="watcher", permissions=["operate"])
    await amy.node.call("people.role", person="ben", role="watcher")


async def ben_is_erased(amy: User, ben: User, group: str, message: str) -> None:
    await amy.node.call("people.erase", person=ben.handle, handle=ben.handle)


Change = Callable[[User, User, str, str], Awaitable[None]]
CHANGES: tuple[Change, ...] = (
    leaves, is_removed, blocks, is_deleted, is_erased, reads, mutes, is_deactivated, may_not_chat,
    ben_is_erased,
)  # fmt: skip


@pytest.mark.parametrize("change", CHANGES, ids=lambda each: each.__name__)
async def test_what_happened_before_the_mail_is_sent_counts(node: Node, server: MailServer, change: Change) -> None:
    amy, ben, cay, dan = [await User.new(node, handle) for handle in ("amy", "ben", "cay", "dan")]
    for user, mail in ((ben, "instant"), (cay, "instant"), (dan, "digest")):
        await verified(user, server)
        await wants(node, user, mail, digest=DigestTime())
    group = await amy.group(ben, cay, dan, title="Vault")
    message = await amy.says(group, CANARY)
    for user in (ben, cay, dan):
        await notified(node, user, message)
    await change(amy, ben, group, message)
    await make_due(node)
    assert await deliver(node)
    told = {mail.recipients[0]: mail for mail in server.mails()}
    assert "ben@example.net" not in told
    # The others get what is theirs, and nothing is left of what was removed for all.
    gone = change in (is_deleted, is_erased)
    assert set(told) == (set() if gone else {"cay@example.net", "dan@example.net"})
    for mail in told.values():
        assert CANARY in mail.part("plain")
        assert "Vault" in mail.part("plain")


async def test_a_mail_is_for_its_user_alone(node: Node, server: MailServer) -> None:
    """Two users with one address get two mails; one with no part in a conversation gets nothing of it."""
    amy, ben, eve = [await User.new(node, handle) for handle in ("amy", "ben", "eve")]
    for user in (ben, eve):
        await verified(user, server, "family@example.net")
        await wants(node, user, "instant")
    await notified(node, ben, await amy.says(await amy.direct(ben), CANARY))
    foreign = await amy.says(await amy.direct(ben), f"{CANARY} too")
    await notified(node, eve, foreign)  # an item that should not be there
    assert await deliver(node)
    (mail,) = server.mails()
    assert f"{CANARY} too" not in mail.part("plain")
    assert ben.id in mail.message["List-Unsubscribe"]
