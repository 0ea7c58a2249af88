"""A scenario for every command that writes: what was before, and then the command."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import attrs

from chatnode.errors import Refusal
from chatnode.model.times import DAY_MS
from chatnode.node import Node
from chatnode.storage.engine.transaction import Transaction
from tests.bots import APPROVE, DEPLOY, with_buttons
from tests.properties.client_model import Client
from tests.properties.world import Connection, SignedIn, connect, fresh, new_token
from tests.works import stored_work

PASSWORD = "correct horse battery staple"


@attrs.define
class Watched:
    """Somebody whose client has a snapshot from before the command, and a live session."""

    somebody: SignedIn
    live: Client
    away: Client
    connection: Connection


@attrs.define
class World:
    """Ann administers the node; Bob and Cay use it; Eve does too, and has nothing to do with the three.

    A scenario calls `begin` when all is as it should be before the command: from then on everybody is watched.
    """

    node: Node
    ann: SignedIn
    bob: SignedIn
    cay: SignedIn
    eve: SignedIn
    watched: list[Watched] = attrs.field(factory=list[Watched])
    since: int = 0
    concerns_everybody: bool = False
    """Whether Eve too is concerned, as she is in a conversation that everybody joins."""
    changes_again: bool = False
    """Whether something is changed twice: a replay then tells of the first change what the second made of it."""
    called: list[str] = attrs.field(factory=list[str])
    """The commands since `begin`."""

    async def begin(self) -> None:
        for somebody in (self.ann, self.bob, self.cay, self.eve):
            connection = await connect(somebody, None)
            assert connection.welcome["mode"] == "reset"
            live, away = Client(somebody), await fresh(somebody)
            await live.begin(connection.welcome["inbox"])
            self.since = live.gid = away.gid = connection.welcome["head"]
            self.watched.append(Watched(somebody, live, away, connection))

    async def call(self, somebody: SignedIn | None, command: str, /, **fields: Any) -> Any:
        """Run a command as somebody, or as the operator."""
        self.called.append(command)
        return await (somebody or self.node).call(command, **fields)

    # ---- what scenarios begin with

    async def direct(self) -> str:
        """Ann and Bob talk."""
        return (await self.ann.call("conversations.direct", **{"with": "bob"}))["conversation"]

    async def group(self, *members: str, **fields: Any) -> str:
        """Ann's group; Bob and Cay are in it unless others are named."""
        members = members or ("bob", "cay")
        fields = {"title": "plans", "members": members, **fields}
        return (await self.ann.call("conversations.create", **fields | {"members": list(members)}))["conversation"]

    async def say(self, conversation: str, *texts: str, by: SignedIn | None = None) -> str:
        """Post messages; the id of the last."""
        posted: dict[str, str] = {}
        for text in texts:
            fields = {"conversation": conversation, "cid": text.split()[0], "text": text}
            posted = await (by or self.ann).call("messages.post", **fields)
        return posted["message"]

    async def imported(self, *, join: bool = True) -> str:
        self.concerns_everybody = join
        fields = {"source": "zulip", "key": "general", "title": "general", "join": join}
        return (await self.node.call("import.conversation", **fields))["conversation"]


def item(number: int, author: str = "Grace Hopper", **fields: Any) -> dict[str, Any]:
    """A message to import."""
    return {"cid": f"old-{number}", "author": author, "at": 1_000 * number, "text": f"old news {number}", **fields}


Scenario = Callable[[World], Awaitable[None]]
SCENARIOS: dict[str, list[Scenario]] = {}
"""By command. A command may have several."""


def scenario(command: str) -> Callable[[Scenario], Scenario]:
    def register(function: Scenario) -> Scenario:
        SCENARIOS.setdefault(command, []).append(function)
        return function

    return register


async def make_world(node: Node) -> World:
    ann = await SignedIn.new(node, "ann", admin=True)
    bob, cay, eve = [await SignedIn.new(node, handle) for handle in ("bob", "cay", "eve")]
    world = World(node, ann, bob, cay, eve)
    await eve.call("conversations.create", title="of eve's own")
    await eve.call("conversations.direct", **{"with": "eve"})
    return world


# ---- signing in


@scenario("sessions.create")
async def signing_in(world: World) -> None:
    await world.node.call("people.password", person="bob", new=PASSWORD)  # which signs him out
    world.bob.session = await new_token(world.node, "bob")
    await world.begin()
    await world.call(None, "sessions.create", handle="bob", password=PASSWORD)


@scenario("sessions.revoke")
async def signing_out_a_device(world: World) -> None:
    token = await world.bob.call("tokens.create")
    await world.begin()
    await world.call(world.bob, "sessions.revoke", session=token["session"])


@scenario("sessions.revoke")
async def signing_out_the_device_that_is_connected(world: World) -> None:
    await world.bob.call("tokens.create")
    await world.begin()
    await world.call(world.bob, "sessions.revoke", session=world.bob.session)


@scenario("sessions.rename")
async def naming_a_device(world: World) -> None:
    await world.begin()
    await world.call(world.bob, "sessions.rename", session=world.bob.session, label="phone")


@scenario("sessions.revoke_others")
async def signing_out_everywhere_else(world: World) -> None:
    for _ in range(2):
        await world.bob.call("tokens.create")
    await world.begin()
    await world.call(world.bob, "sessions.revoke_others")


@scenario("tokens.create")
async def making_a_token(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "tokens.create", person="bob")


@scenario("invites.create")
async def inviting(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.ann, "invites.create", conversations=[group])


@scenario("invites.revoke")
async def ending_an_invite(world: World) -> None:
    invite = await world.ann.call("invites.create")
    await world.begin()
    await world.call(world.ann, "invites.revoke", invite=invite["invite"]["invite"])


@scenario("invites.accept")
async def accepting_an_invite(world: World) -> None:
    groups = [await world.group(), await world.group("bob", history="all")]
    await world.imported()
    await world.say(groups[0], "one", "two @cay")
    invite = await world.ann.call("invites.create", conversations=groups)
    await world.begin()
    await world.call(None, "invites.accept", code=invite["code"], handle="dan", password=PASSWORD)


@scenario("setup.create")
async def making_a_setup_link(world: World) -> None:
    """Refused, as Ann administers the node; there is no one to tell when there is no administrator."""
    await world.node.core.db.write(lambda tx: tx.execute("UPDATE people SET role = 'member' WHERE handle = 'ann'"))
    await world.begin()
    await world.call(None, "setup.create")


# ---- accounts


@scenario("people.create")
async def making_an_account(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "people.create", handle="dan")


@scenario("people.create")
async def making_an_account_that_takes_part_at_once(world: World) -> None:
    """A conversation that everybody joins."""
    await world.imported()
    await world.begin()
    await world.call(None, "people.create", handle="dan", name="Dan")


@scenario("people.update")
async def changing_name_and_picture(world: World) -> None:
    await world.direct()
    await world.group("cay")
    await world.begin()
    await world.call(world.ann, "people.update", name="Ann Onymous", avatar="")


@scenario("people.update")
async def changing_a_name_that_nobody_sees(world: World) -> None:
    await world.begin()
    await world.call(world.bob, "people.update", name="Robert")


@scenario("people.password")
async def changing_a_password(world: World) -> None:
    await world.bob.call("tokens.create")
    await world.begin()
    await world.call(world.ann, "people.password", person="bob", new=PASSWORD)


@scenario("people.role")
async def giving_a_role(world: World) -> None:
    await world.direct()
    await world.begin()
    await world.call(world.ann, "people.role", person="bob", role="admin")


@scenario("people.sign_out")
async def signing_somebody_out(world: World) -> None:
    await world.direct()
    await world.begin()
    await world.call(world.ann, "people.sign_out", person="bob")


@scenario("people.deactivate")
async def deactivating_somebody(world: World) -> None:
    await world.direct()
    await world.group()
    await world.begin()
    await world.call(world.ann, "people.deactivate", person="bob")


@scenario("people.reactivate")
async def reactivating_somebody(world: World) -> None:
    await world.direct()
    await world.node.call("people.deactivate", person="bob")
    world.bob.session = await new_token(world.node, "bob")
    await world.begin()
    await world.call(world.ann, "people.reactivate", person="bob")


@scenario("people.reset_link")
async def making_a_link_for_a_new_password(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "people.reset_link", person="bob")


@scenario("people.reset_password")
async def using_a_link_for_a_new_password(world: World) -> None:
    link = await world.ann.call("people.reset_link", person="bob")
    await world.begin()
    await world.call(None, "people.reset_password", code=link["code"], password=PASSWORD)


@scenario("people.erase")
async def erasing_somebody(world: World) -> None:
    """Bob owns a group, was in another, talks with Ann; some of what he said is edited, pinned, deleted or answered."""
    talk = await world.direct()
    owned = (await world.bob.call("conversations.create", title="bob's", members=["ann", "cay"]))["conversation"]
    left = await world.group()
    for place in (talk, owned, left):
        await world.say(place, f"b1-{place}", f"b2-{place} @ann", f"b3-{place}", f"b4-{place}", by=world.bob)
        await world.say(place, f"a1-{place} @bob")
        found = (await world.bob.call("messages.list", conversation=place))["messages"]
        await world.bob.call("messages.edit", message=found[0]["message"], text="something else")
        await world.bob.call("messages.delete", message=found[2]["message"], reason="user_request")
        pinner = world.ann if place == left else world.bob
        await pinner.call("messages.pin", message=found[3]["message"])
    await world.bob.call("conversations.leave", conversation=left)
    await world.begin()
    world.watched = [watched for watched in world.watched if watched.somebody is not world.bob]  # he is no more
    await world.call(world.ann, "people.erase", person="bob", handle="bob")


@scenario("people.erase")
async def erasing_somebody_whose_messages_were_imported(world: World) -> None:
    talk = await world.imported()
    await world.node.call("import.messages", conversation=talk, source="zulip", items=[item(1), item(2, "Ada")])
    await world.begin()
    await world.call(None, "people.erase", person="grace.hopper", handle="grace.hopper")


@scenario("roles.set")
async def changing_what_members_may_do(world: World) -> None:
    world.concerns_everybody = True
    await world.begin()
    await world.call(world.ann, "roles.set", role="member", permissions=["chat"])


@scenario("roles.delete")
async def deleting_a_role(world: World) -> None:
    await world.ann.call("roles.set", role="helper", permissions=["chat"])
    await world.begin()
    await world.call(world.ann, "roles.delete", role="helper")


# ---- conversations


@scenario("conversations.direct")
async def opening_a_direct_conversation(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "conversations.direct", **{"with": "bob"})


@scenario("conversations.direct")
async def opening_one_that_is_there(world: World) -> None:
    await world.direct()
    await world.begin()
    await world.call(world.bob, "conversations.direct", **{"with": "ann"})


@scenario("conversations.direct")
async def opening_notes_to_oneself(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "conversations.direct", **{"with": "ann"})


@scenario("conversations.create")
async def opening_a_group(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "conversations.create", title="plans", members=["bob", "cay"], visibility="public")


@scenario("conversations.find_or_create")
async def opening_the_group_about_an_order(world: World) -> None:
    await world.begin()
    order = {"type": "order", "id": "7"}
    await world.call(world.ann, "conversations.find_or_create", context=order, members=["bob", "cay"])


@scenario("conversations.find_or_create")
async def finding_the_group_about_an_order(world: World) -> None:
    order = {"type": "order", "id": "7"}
    await world.ann.call("conversations.find_or_create", context=order, members=["bob"])
    await world.begin()
    await world.call(world.ann, "conversations.find_or_create", context=order, members=["cay"])


@scenario("conversations.update")
async def changing_a_group(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(
        world.ann, "conversations.update", conversation=group, title="picnic", description="salad", visibility="public"
    )


@scenario("conversations.update")
async def saying_when_a_direct_conversation_closes(world: World) -> None:
    talk = await world.direct()
    await world.begin()
    await world.call(world.bob, "conversations.update", conversation=talk, idle_days=30)


@scenario("conversations.join")
async def joining(world: World) -> None:
    group = await world.group("bob", visibility="public")
    await world.say(group, "one", "two @bob")
    await world.begin()
    await world.call(world.cay, "conversations.join", conversation=group)


@scenario("conversations.join")
async def joining_again(world: World) -> None:
    group = await world.group(visibility="public", history="since_joining")
    await world.say(group, "one")
    await world.cay.call("conversations.leave", conversation=group)
    await world.say(group, "two")
    await world.begin()
    await world.call(world.cay, "conversations.join", conversation=group)
    await world.say(group, "three @cay")


@scenario("conversations.leave")
async def leaving(world: World) -> None:
    group = await world.group()
    await world.say(group, "one")
    await world.begin()
    await world.call(world.bob, "conversations.leave", conversation=group)
    await world.say(group, "two")


@scenario("conversations.leave")
async def leaving_what_one_owns(world: World) -> None:
    group = await world.group()
    await world.ann.call("conversations.members.role", conversation=group, member="cay", role="admin")
    await world.begin()
    await world.call(world.ann, "conversations.leave", conversation=group)


@scenario("conversations.leave")
async def leaving_as_the_last(world: World) -> None:
    group = await world.group("bob")
    await world.bob.call("conversations.leave", conversation=group)
    await world.begin()
    await world.call(world.ann, "conversations.leave", conversation=group)


@scenario("conversations.members.add")
async def bringing_somebody_in(world: World) -> None:
    group = await world.group("bob")
    await world.say(group, "one", "two")
    await world.begin()
    await world.call(world.ann, "conversations.members.add", conversation=group, member="cay")
    await world.say(group, "three")


@scenario("conversations.members.add")
async def bringing_somebody_in_who_is_in(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.ann, "conversations.members.add", conversation=group, member="cay")


@scenario("conversations.members.remove")
async def taking_somebody_out(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.say(group, "one")
    await world.call(world.ann, "conversations.members.remove", conversation=group, member="cay")
    await world.say(group, "two")


@scenario("conversations.members.role")
async def making_an_admin(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.ann, "conversations.members.role", conversation=group, member="bob", role="admin")


@scenario("conversations.members.role")
async def handing_a_group_over(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.ann, "conversations.members.role", conversation=group, member="bob", role="owner")


# ---- messages and marks


@scenario("messages.post")
async def posting(world: World) -> None:
    group = await world.group()
    await world.group("bob", title="a later one")
    await world.say(group, "one", "two @bob @cay")
    await world.begin()
    original = (await world.bob.call("messages.list", conversation=group))["messages"][0]["message"]
    fields = {"conversation": group, "cid": "three", "text": "hm, @ann and @cay!", "reply_to": original}
    await world.call(world.bob, "messages.post", **fields)


@scenario("messages.post")
async def posting_the_same_again(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one")
    await world.begin()
    await world.call(world.ann, "messages.post", conversation=talk, cid="one", text="one")


@scenario("messages.post")
async def posting_in_a_thread(world: World) -> None:
    group = await world.group()
    root = await world.say(group, "one")
    await world.begin()
    for number, by in enumerate((world.bob, world.ann)):
        await world.call(by, "messages.post", conversation=group, cid=f"in-{number}", text="so it is", thread=root)


@scenario("messages.post")
async def beginning_a_thread(world: World) -> None:
    """All of it is missed: what the thread hangs on, pins of that, and the replies."""
    group = await world.group()
    await world.begin()
    fields = {"conversation": group, "cid": "root", "text": "so it is"}
    root = (await world.call(world.ann, "messages.post", **fields))["message"]
    for number, by in enumerate((world.bob, world.ann, world.cay)):
        await world.call(by, "messages.post", conversation=group, cid=f"in-{number}", text="so it is", thread=root)
        await world.call(world.ann, "messages.pin", message=root)
        await world.call(world.ann, "messages.unpin", message=root)
    world.changes_again = True


@scenario("messages.post")
async def naming_everyone(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.bob, "messages.post", conversation=group, cid="all", text="@everyone and @cay: come!")
    await world.call(world.bob, "messages.post", conversation=group, cid="admins", text="@admins first")


@scenario("messages.post")
async def posting_other_kinds(world: World) -> None:
    group = await world.group()
    await world.begin()
    media = {"file": "https://example.org/cat.png", "name": "cat.png", "type": "image/png", "bytes": 5_000, "width": 9}
    kinds: dict[str, dict[str, Any]] = {
        "image": {"media": media, "text": "my cat"},
        "file": {"files": [media, media | {"file": "https://example.org/dog.png", "name": "dog.png"}]},
        "location": {"location": {"latitude": 51.5, "longitude": -0.1}, "metadata": {"from": "a phone"}},
        "system": {"system": {"type": "order.accepted", "fields": {"order": "7"}}, "text": "Order 7 was accepted"},
    }
    for kind, fields in kinds.items():
        await world.call(world.ann, "messages.post", conversation=group, cid=kind, kind=kind, **fields)


@scenario("messages.edit")
async def editing(world: World) -> None:
    group = await world.group()
    message = await world.say(group, "one", "two @cay")
    await world.begin()
    await world.call(world.ann, "messages.edit", message=message, text="too @bob")
    await world.call(world.ann, "messages.edit", message=message, text="too @bob")


@scenario("messages.edit")
async def editing_what_some_never_saw(world: World) -> None:
    group = await world.group("bob")
    message = await world.say(group, "one")
    await world.ann.call("conversations.members.add", conversation=group, member="cay")
    await world.begin()
    await world.call(world.ann, "messages.edit", message=message, text="won")


@scenario("messages.delete")
async def deleting(world: World) -> None:
    group = await world.group()
    message = await world.say(group, "one", "two @cay", by=world.bob)
    await world.bob.call("messages.edit", message=message, text="too @cay")
    await world.begin()
    await world.call(world.ann, "messages.delete", message=message, reason="spam")
    await world.call(world.bob, "messages.delete", message=message)


@scenario("messages.delete")
async def deleting_what_some_never_saw(world: World) -> None:
    group = await world.group("bob")
    message = await world.say(group, "one")
    await world.ann.call("conversations.members.add", conversation=group, member="cay")
    await world.say(group, "two")
    await world.begin()
    await world.call(world.ann, "messages.delete", message=message)


@scenario("messages.pin")
async def pinning(world: World) -> None:
    talk = await world.direct()
    message = await world.say(talk, "one")
    await world.begin()
    await world.call(world.bob, "messages.pin", message=message)


@scenario("messages.unpin")
async def unpinning(world: World) -> None:
    talk = await world.direct()
    message = await world.say(talk, "one")
    await world.ann.call("messages.pin", message=message)
    await world.begin()
    await world.call(world.bob, "messages.unpin", message=message)


@scenario("messages.report")
async def reporting(world: World) -> None:
    message = await world.say(await world.direct(), "one")
    await world.begin()
    await world.call(world.bob, "messages.report", message=message, reason="spam")


@scenario("reports.resolve")
async def resolving_a_report(world: World) -> None:
    message = await world.say(await world.direct(), "one")
    report = await world.bob.call("messages.report", message=message, reason="spam")
    await world.begin()
    await world.call(world.ann, "reports.resolve", report=report["report"], resolution="it is not")


# ---- closing, settings, blocks


@scenario("conversations.close")
async def closing(world: World) -> None:
    group = await world.group()
    await world.begin()
    await world.call(world.ann, "conversations.close", conversation=group, reason="completed")


@scenario("conversations.reopen")
async def opening_again(world: World) -> None:
    talk = await world.direct()
    await world.bob.call("conversations.close", conversation=talk)
    await world.begin()
    await world.call(world.ann, "conversations.reopen", conversation=talk)


@scenario("conversations.support")
async def asking_for_support(world: World) -> None:
    await world.begin()
    await world.call(world.bob, "conversations.support", title="help", context={"type": "order", "id": "7"})


@scenario("conversations.settings")
async def changing_settings(world: World) -> None:
    group = await world.group()
    await world.begin()
    fields = {"muted_until": "2030-01-01T00:00:00Z", "notify": "mentions", "starred": True, "colour": "red"}
    await world.call(world.bob, "conversations.settings", conversation=group, **fields, label="later")


@scenario("conversations.settings")
async def taking_settings_back(world: World) -> None:
    group = await world.group()
    await world.bob.call("conversations.settings", conversation=group, colour="red", archived=True)
    await world.begin()
    await world.call(world.bob, "conversations.settings", conversation=group, colour="", archived=False)


@scenario("conversations.settings")
async def hiding_receipts(world: World) -> None:
    group = await world.group()
    await world.say(group, "one", "two", "three")
    await world.bob.call("receipts.read", conversation=group, seq=1)
    await world.begin()
    await world.call(world.bob, "conversations.settings", conversation=group, receipts=False)
    await world.call(world.bob, "receipts.read", conversation=group, seq=2)


@scenario("conversations.settings")
async def hiding_receipts_and_getting(world: World) -> None:
    group = await world.group()
    await world.say(group, "one", "two", "three")
    await world.begin()
    await world.call(world.bob, "conversations.settings", conversation=group, receipts=False)
    await world.call(world.bob, "receipts.read", conversation=group, seq=2)
    await world.call(world.bob, "receipts.delivered", conversation=group, seq=1)
    await world.call(world.bob, "receipts.delivered", conversation=group, seq=3)


@scenario("conversations.settings")
async def showing_receipts_again(world: World) -> None:
    group = await world.group()
    await world.bob.call("conversations.settings", conversation=group, receipts=False)
    await world.say(group, "one", "two", "three")
    await world.bob.call("receipts.read", conversation=group, seq=2)
    await world.begin()
    await world.call(world.bob, "conversations.settings", conversation=group, receipts=True)
    await world.call(world.bob, "receipts.read", conversation=group, seq=3)


@scenario("people.block")
async def blocking(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one")
    await world.begin()
    await world.call(world.bob, "people.block", person="ann")
    await world.call(world.bob, "people.block", person="ann")


@scenario("people.unblock")
async def unblocking(world: World) -> None:
    await world.direct()
    await world.bob.call("people.block", person="ann")
    await world.begin()
    await world.call(world.bob, "people.unblock", person="ann")


# ---- receipts


@scenario("receipts.read")
async def reading(world: World) -> None:
    group = await world.group()
    await world.say(group, "one", "two @bob", "three", "four @bob")
    await world.bob.call("receipts.delivered", conversation=group, seq=1)
    await world.begin()
    await world.call(world.bob, "receipts.read", conversation=group, seq=3)


@scenario("receipts.read")
async def reading_what_was_read(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one", "two")
    await world.bob.call("receipts.read", conversation=talk, seq=2)
    await world.begin()
    await world.call(world.bob, "receipts.read", conversation=talk, seq=1)


@scenario("receipts.read_all")
async def reading_everything(world: World) -> None:
    group, talk = await world.group(), await world.direct()
    hidden = await world.group("bob", title="hidden")
    await world.bob.call("conversations.settings", conversation=hidden, receipts=False)
    for conversation in (group, talk, hidden):
        await world.say(conversation, f"{conversation}-1", f"{conversation}-2 @bob")
    await world.begin()
    await world.call(world.bob, "receipts.read_all")
    await world.call(world.bob, "receipts.read_all", conversations=[group])


@scenario("receipts.delivered")
async def getting(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one", "two")
    await world.begin()
    await world.call(world.bob, "receipts.delivered", conversation=talk, seq=2)
    await world.call(world.bob, "receipts.delivered", conversation=talk, seq=1)


# ---- presence and typing: nothing of it is in the log


@scenario("presence.status")
async def setting_a_status(world: World) -> None:
    await world.direct()
    await world.begin()
    await world.call(world.bob, "presence.status", text="on the train", emoji="🚆")


@scenario("presence.visible")
async def hiding(world: World) -> None:
    await world.direct()
    await world.begin()
    await world.call(world.bob, "presence.visible", visible=False)


@scenario("typing")
async def typing(world: World) -> None:
    talk = await world.direct()
    await world.begin()
    await world.call(world.bob, "typing", conversation=talk)
    await world.say(talk, "so", by=world.bob)


# ---- importing


@scenario("import.conversation")
async def importing_a_conversation_that_everybody_joins(world: World) -> None:
    world.concerns_everybody = True
    await world.begin()
    await world.call(None, "import.conversation", source="zulip", key="general", title="general")


@scenario("import.conversation")
async def importing_a_conversation_that_nobody_joins(world: World) -> None:
    await world.begin()
    await world.call(None, "import.conversation", source="zulip", key="general", title="general", join=False)


@scenario("import.messages")
async def importing_messages(world: World) -> None:
    talk = await world.imported(join=False)
    for somebody in (world.ann, world.bob):
        await somebody.call("conversations.join", conversation=talk)
    await world.say(talk, "hello")
    await world.bob.call("receipts.delivered", conversation=talk, seq=1)
    await world.begin()
    items = [item(1), item(2, "Ada"), item(3, reply_to="old-1", reply_to_author="Grace Hopper"), item(1)]
    await world.call(None, "import.messages", conversation=talk, source="zulip", items=items)
    await world.say(talk, "so much for that @bob")


@scenario("import.messages")
async def importing_messages_that_are_there(world: World) -> None:
    talk = await world.imported()
    await world.node.call("import.messages", conversation=talk, source="zulip", items=[item(1), item(2)])
    await world.begin()
    await world.call(None, "import.messages", conversation=talk, source="zulip", items=[item(2), item(1)])


@scenario("import.missing")
async def asking_what_is_missing_learns_a_new_name(world: World) -> None:
    talk = await world.imported()
    await world.node.call("import.messages", conversation=talk, source="zulip", items=[item(1), item(2)])
    await world.begin()
    heads = [{"cid": each["cid"], "author": "Grace M. Hopper"} for each in (item(1), item(2), item(3))]
    await world.call(None, "import.missing", source="zulip", key="general", items=heads)


@scenario("people.adopt")
async def handing_an_imported_author_over(world: World) -> None:
    talk = await world.imported()
    await world.node.call("import.messages", conversation=talk, source="zulip", items=[item(1), item(2, "Ada")])
    await world.say(talk, "so much for that @grace.hopper")
    await world.begin()
    await world.call(None, "people.adopt", author="grace.hopper", person="bob")


# ---- the node


@scenario("jobs.run")
async def running_a_job(world: World) -> None:
    await world.say(await world.direct(), "hello")
    await world.begin()
    await world.call(None, "jobs.run", job="expired")


@scenario("work.pause")
async def pausing_a_work(world: World) -> None:
    work = await stored_work(world.node, world.bob)
    await world.begin()
    await world.call(world.bob, "work.pause", work=work)


@scenario("work.resume")
async def letting_a_work_go_on(world: World) -> None:
    work = await stored_work(world.node, world.bob)
    await world.bob.call("work.pause", work=work)
    await world.begin()
    await world.call(world.ann, "work.resume", work=work)


@scenario("work.cancel")
async def ending_a_work(world: World) -> None:
    work, of_nobody = await stored_work(world.node, world.cay), await stored_work(world.node)
    await world.begin()
    await world.call(world.cay, "work.cancel", work=work)
    await world.call(None, "work.cancel", work=of_nobody)


# ---- bots, slash commands, buttons


async def _with_bot(world: World) -> tuple[str, SignedIn]:
    """Ann's group, in which a bot of hers offers a command."""
    talk = await world.group()
    await world.ann.call("bots.create", handle="ci")
    bot = await SignedIn.of(world.node, "ci")
    await bot.call("bots.commands.set", commands=[DEPLOY])
    await world.ann.call("conversations.members.add", conversation=talk, member="ci")
    return talk, bot


@scenario("bots.create")
async def making_a_bot(world: World) -> None:
    await world.begin()
    await world.call(world.ann, "bots.create", handle="ci", name="Builds")


@scenario("bots.remove")
async def ending_a_bot(world: World) -> None:
    await _with_bot(world)
    await world.begin()
    await world.call(world.ann, "bots.remove", bot="ci")


@scenario("bots.token")
async def making_a_token_for_a_bot(world: World) -> None:
    await _with_bot(world)
    await world.begin()
    await world.call(world.ann, "bots.token", bot="ci", replace=True)


@scenario("bots.commands.set")
async def offering_a_command(world: World) -> None:
    _, bot = await _with_bot(world)
    await world.begin()
    await world.call(bot, "bots.commands.set", commands=[])


@scenario("slash.run")
async def running_a_slash_command(world: World) -> None:
    talk, _ = await _with_bot(world)
    await world.begin()
    await world.call(world.bob, "slash.run", conversation=talk, text="/deploy main", cid="1")


@scenario("slash.reply")
async def answering_a_slash_command(world: World) -> None:
    talk, bot = await _with_bot(world)
    invocation = (await world.bob.call("slash.run", conversation=talk, text="/deploy main", cid="1"))["invocation"]
    await world.begin()
    await world.call(bot, "slash.reply", invocation=invocation, text="on it")
    await world.call(bot, "slash.reply", invocation=invocation, text="deployed", visible="all", actions=[APPROVE])


@scenario("actions.invoke")
async def pressing_a_button(world: World) -> None:
    talk, bot = await _with_bot(world)
    message = await with_buttons(bot, talk)
    await world.begin()
    await world.call(world.cay, "actions.invoke", message=message, action="approve", cid="1")
    await world.call(bot, "messages.edit", message=message, text="approved", actions=[])


@scenario("backup.create")
async def making_a_backup(world: World) -> None:
    await world.say(await world.direct(), "hello")
    await world.begin()
    await world.call(None, "backup.create")


# ---- plugins


async def _left_over(world: World) -> int:
    """Something of a plugin that is not installed any more: a row that it set aside."""

    def write(tx: Transaction) -> int:
        tx.execute("INSERT INTO plugins (name, version, installed_at) VALUES ('gone', '1.0', 0)")
        values = "('gone', 'reading', 1, 'message.posted', 5, 'raised ValueError', 0)"
        tx.execute(f"INSERT INTO set_aside (plugin, consumer, gid, kind, tries, error, at) VALUES {values}")
        return tx.execute("SELECT max(key) FROM set_aside").fetchone()[0]

    return await world.node.core.db.write(write)


@scenario("plugins.replay")
@scenario("plugins.retry")
async def giving_rows_to_a_consumer_again(world: World) -> None:
    """Refused, as it does not run."""
    entry = await _left_over(world)
    await world.begin()
    with contextlib.suppress(Refusal):
        await world.call(None, "plugins.replay", plugin="gone", consumer="reading", gid=0)
    with contextlib.suppress(Refusal):
        await world.call(None, "plugins.retry", entry=entry)


@scenario("plugins.dismiss")
@scenario("plugins.disable")
@scenario("plugins.enable")
@scenario("plugins.drop")
async def clearing_up_after_a_plugin(world: World) -> None:
    entry = await _left_over(world)
    await world.begin()
    await world.call(None, "plugins.dismiss", entry=entry)
    await world.call(None, "plugins.disable", plugin="gone")
    await world.call(None, "plugins.enable", plugin="gone")
    await world.call(None, "plugins.drop", plugin="gone", confirm="gone")


# ---- retention


async def _let_pass(world: World, days: int) -> None:
    """Everything that was said, and closed, is so much older."""

    def write(tx: Transaction) -> None:
        tx.execute("UPDATE messages SET at = at - ?", (days * DAY_MS,))
        tx.execute("UPDATE conversations SET closed_at = closed_at - ?, last_at = last_at - ?", (days * DAY_MS,) * 2)

    await world.node.core.db.write(write)


@scenario("jobs.run")
async def removing_old_messages(world: World) -> None:
    group = await world.group(retention_days=30)
    root = await world.say(group, "one", "two @cay")
    await world.ann.call("messages.edit", message=root, text="too @cay")
    await world.ann.call("messages.pin", message=root)
    await _let_pass(world, 31)
    await world.ann.call("messages.post", conversation=group, cid="in", text="in the thread", thread=root)
    await world.say(group, "three @bob")
    await world.begin()
    await world.call(None, "jobs.run", job="retention")


@scenario("jobs.run")
async def removing_all_messages(world: World) -> None:
    talk, group = await world.direct(), await world.group("cay", retention_days=3)
    await world.say(talk, "zero")
    await world.say(group, "one", "two")
    await _let_pass(world, 4)
    await world.begin()
    await world.call(None, "jobs.run", job="retention")


@scenario("jobs.run")
async def taking_closed_conversations_out_of_the_inbox(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one")
    await world.ann.call("conversations.close", conversation=talk)
    await _let_pass(world, 366)
    await world.begin()
    await world.call(None, "jobs.run", job="retention")


@scenario("conversations.reopen")
async def opening_again_what_was_out_of_the_inbox(world: World) -> None:
    talk = await world.direct()
    await world.say(talk, "one")
    await world.ann.call("conversations.close", conversation=talk)
    await _let_pass(world, 366)
    await world.node.call("jobs.run", job="retention")
    await world.begin()
    await world.call(world.bob, "conversations.reopen", conversation=talk)


@scenario("jobs.run")
async def closing_what_is_idle(world: World) -> None:
    group = await world.group(idle_days=30)
    await world.say(group, "one")
    await _let_pass(world, 31)
    await world.begin()
    await world.call(None, "jobs.run", job="close idle")


@scenario("node.repair")
async def repairing_what_is_whole(world: World) -> None:
    await world.say(await world.direct(), "hello @bob")
    await world.begin()
    await world.call(None, "node.repair")
