"""Nothing changed, nothing recorded: every command that writes is carried out twice, and the second time no event, no
entry of the audit log and no history of presence comes of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import attrs
import pytest

from chatnode.config import Config, Limits, PresenceSettings
from chatnode.model.times import DAY_MS
from chatnode.node import Node
from chatnode.storage.engine.connection import Reader
from chatnode.testing import User, run_work
from tests.bots import APPROVE, DEPLOY, invoked, make_bot, with_buttons
from tests.commands import COMMANDS
from tests.plugins.attachments.messages.uploaded import Sender, Uploads
from tests.plugins.rows import ENDPOINT
from tests.services.dialogue import outcome, token_of
from tests.test_matrix import FIELDS, Target
from tests.works import stored_work

#: Of these each call makes another thing, or is an act of its own; or needs what can be used once.
ANOTHER = {
    "conversations.create", "conversations.support", "tokens.create", "invites.create", "setup.create", "backup.create",
    "people.reset_link", "people.reset_password", "invites.accept", "sessions.create", "people.password", "jobs.run",
    "node.repair", "crm.notes.add", "crm.lists.copy", "crm.segments.check", "crm.exports.create", "crm.imports.create",
    "attachments.copy", "certificate.issue", "certificate.revoke",
    "attachments.avatar.set", "attachments.rescan", "crm.contacts.add_accounts", "crm.duplicates.find",
    "crm.broadcasts.create", "crm.forms.create", "bots.token", "notifications.test", "notifications.mail.test",
    "notifications.retry",
    "webhooks.endpoints.rotate", "webhooks.endpoints.test", "webhooks.replay", "webhooks.incoming.rotate",
}  # fmt: skip
#: They need a mail server, and are tried in tests/plugins/notifications/mail.
WITH_MAIL = {"notifications.mailbox.add", "notifications.mailbox.verify"}
#: Preparations of one user, which concern nobody else: they are recorded nowhere.
UNRECORDED = {"crm.imports.map", "crm.imports.delete", "crm.mappings.save", "crm.mappings.delete"}
#: There is no plugin in this test for what is done to plugins: tests/cli/test_plugins.py, tests/plugins/core.
OF_PLUGINS = {each.name for each in COMMANDS if each.name.startswith("plugins.")}


@attrs.frozen
class World:
    node: Node
    root: User
    ann: User
    bob: User
    room: str
    message: str


Ask = Callable[[World], Awaitable[tuple[User | Node, dict[str, Any]]]]


async def operator(at: World, **fields: Any) -> tuple[Node, dict[str, Any]]:
    return at.node, fields


async def closed_account(at: World) -> tuple[Node, dict[str, Any]]:
    await at.node.call("people.deactivate", person="bob")
    return at.node, {"person": "bob"}


async def signed_in(at: World) -> tuple[Node, dict[str, Any]]:
    await token_of(at.bob)
    return at.node, {"person": "bob"}


async def reported(at: World) -> tuple[User, dict[str, Any]]:
    report = await at.bob.call("messages.report", message=at.message, reason="spam")
    return at.root, {"report": report["report"], "resolution": "none"}


async def pinned(at: World) -> tuple[User, dict[str, Any]]:
    await at.ann.call("messages.pin", message=at.message)
    return at.ann, {"message": at.message}


async def blocked(at: World) -> tuple[User, dict[str, Any]]:
    await at.ann.call("people.block", person="bob")
    return at.ann, {"person": "bob"}


async def shut(at: World) -> tuple[User, dict[str, Any]]:
    await at.ann.call("conversations.close", conversation=at.room)
    return at.ann, {"conversation": at.room}


async def role_to_delete(at: World) -> tuple[User, dict[str, Any]]:
    await at.root.call("roles.set", role="helper", permissions=["chat"])
    return at.root, {"role": "helper"}


async def invite(at: World) -> tuple[User, dict[str, Any]]:
    made = await at.root.call("invites.create")
    return at.root, {"invite": made["invite"]["invite"]}


async def session(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    device = await token_of(at.ann)
    return at.ann, {"session": await device.session(), **fields}


async def imported(at: World) -> tuple[Node, dict[str, Any]]:
    made = await at.node.call("import.conversation", source="irc", key="#y", title="#y")
    item = {"cid": "1", "author": "Ada", "at": 921_000_000_000, "text": "hello"}
    return at.node, {"conversation": made["conversation"], "source": "irc", "items": [item]}


async def known_by_another_name(at: World) -> tuple[Node, dict[str, Any]]:
    who, fields = await imported(at)
    await who.call("import.messages", **fields)
    return who, {"source": "irc", "key": "#y", "items": [{"cid": "1", "author": "Ada L"}]}


async def author(at: World) -> tuple[Node, dict[str, Any]]:
    who, fields = await imported(at)
    await who.call("import.messages", **fields)
    return who, {"author": "ada", "person": "bob"}


async def asked_by_bob(at: World) -> tuple[User, dict[str, Any]]:
    await at.bob.call("contacts.request", person="ann")
    return at.ann, {"person": "bob"}


async def asked_bob(at: World) -> tuple[User, dict[str, Any]]:
    await at.ann.call("contacts.request", person="bob")
    return at.ann, {"person": "bob"}


def kept(**fields: Any) -> Ask:
    async def contact(at: World) -> tuple[User, dict[str, Any]]:
        await at.ann.call("contacts.add", person="bob", groups=["Work"], nickname="bobby")
        return at.ann, fields

    return contact


def of(who: str, **fields: Any) -> Ask:
    async def ask(at: World) -> tuple[User, dict[str, Any]]:
        return getattr(at, who), fields

    return ask


#: Where the fields of tests/test_matrix.py do nothing the first time, when ann asks.
SPECIAL: dict[str, Ask] = {
    "people.create": lambda at: operator(at, handle="new"),
    "people.update": of("ann", name="Ann A", avatar=""),
    "people.sign_out": signed_in,
    "people.deactivate": lambda at: operator(at, person="bob"),
    "people.reactivate": closed_account,
    "people.erase": lambda at: operator(at, person="bob", handle="bob"),
    "people.role": lambda at: operator(at, person="bob", role="moderator"),
    "roles.set": lambda at: operator(at, role="member", permissions=["chat"]),
    "roles.delete": role_to_delete,
    "reports.resolve": reported,
    "messages.unpin": pinned,
    "messages.report": lambda at: asked_of(at.bob, message=at.message, reason="spam"),
    "messages.post": lambda at: asked_of(at.ann, conversation=at.room, cid="same", text="again"),
    "people.unblock": blocked,
    "people.block": of("ann", person="bob"),
    "conversations.reopen": shut,
    "conversations.direct": of("ann", **{"with": "eve"}),
    "conversations.members.add": lambda at: asked_of(at.ann, conversation=at.room, member="eve"),
    "conversations.members.remove": lambda at: asked_of(at.ann, conversation=at.room, member="bob"),
    "conversations.members.role": lambda at: asked_of(at.ann, conversation=at.room, member="bob", role="admin"),
    "conversations.update": lambda at: asked_of(
        at.ann, conversation=at.room, title="Größe", description="d", visibility="public", idle_days=3, retention_days=9
    ),
    "conversations.join": lambda at: asked_of(at.bob, conversation=at.room),
    "conversations.leave": lambda at: asked_of(at.bob, conversation=at.room),
    "receipts.read": lambda at: asked_of(at.bob, conversation=at.room, seq=1),
    "receipts.delivered": lambda at: asked_of(at.bob, conversation=at.room, seq=1),
    "receipts.read_all": lambda at: asked_of(at.bob),
    "presence.visible": of("ann", visible=False),
    "import.conversation": lambda at: operator(at, source="irc", key="#x", title="#x"),
    "import.messages": imported,
    "import.missing": known_by_another_name,
    "people.adopt": author,
    "invites.revoke": invite,
    "sessions.rename": lambda at: session(at, label="phone"),
    "sessions.revoke": session,
    "contacts.request": of("ann", person="bob"),
    "contacts.accept": asked_by_bob,
    "contacts.decline": asked_by_bob,
    "contacts.cancel": asked_bob,
    "contacts.add": of("ann", person="bob", groups=["Work"], tags=["new"], nickname="bobby", favourite=True),
    "contacts.update": kept(person="bob", groups=["Home"], nickname="robert", note="n", number="+1", favourite=True),
    "contacts.remove": kept(person="bob"),
    "contacts.labels.rename": kept(kind="group", name="work", to="WORK"),
    "contacts.labels.delete": kept(kind="group", name="work"),
    "reactions.remove": of("ann"),
    "work.pause": lambda at: work_of_ann(at),
    "work.resume": lambda at: work_of_ann(at, "work.pause"),
    "work.cancel": lambda at: work_of_ann(at),
    "attachments.remove": lambda at: sent_file(at),
    "attachments.quarantine": lambda at: moderated_file(at),
    "attachments.release": lambda at: moderated_file(at, "attachments.quarantine"),
    "attachments.check": operator,
    "attachments.collect": operator,
}


async def work_of_ann(at: World, *before: str) -> tuple[User, dict[str, Any]]:
    work = await stored_work(at.node, at.ann)
    for command in before:
        await at.ann.call(command, work=work)
    return at.ann, {"work": work}


async def sent_file(at: World) -> tuple[User, dict[str, Any]]:
    sender = Sender(at.node, at.ann.account)
    file = await Uploads(at.node).add(at.ann)
    message = await sender.sends(at.room, file, text="the plan")
    return at.ann, {"message": message["message"], "file": file}


async def moderated_file(at: World, *before: str) -> tuple[User, dict[str, Any]]:
    _, fields = await sent_file(at)
    for command in before:
        await at.root.call(command, file=fields["file"])
    return at.root, {"file": fields["file"]}


async def asked_of(who: User, **fields: Any) -> tuple[User, dict[str, Any]]:
    return who, fields


async def reacted(at: World) -> tuple[User, dict[str, Any]]:
    await at.ann.call("reactions.add", message=at.message, emoji="🎉")
    return at.ann, {"message": at.message}


SPECIAL["reactions.remove"] = reacted


async def of_bot(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    return await make_bot(at.node), fields


async def own_bot(at: World) -> tuple[User, dict[str, Any]]:
    await at.root.call("bots.create", handle="helper")
    return at.root, {"bot": "helper"}


async def offered(at: World) -> tuple[User, dict[str, Any]]:
    await make_bot(at.node, "ci", DEPLOY, room=at.room, by=at.ann)
    return at.bob, {"conversation": at.room, "text": "/deploy main", "cid": "once"}


async def to_answer(at: World) -> tuple[User, dict[str, Any]]:
    bot = await make_bot(at.node, "ci", DEPLOY, room=at.room, by=at.ann)
    return bot, {"invocation": await invoked(at.node, at.bob, at.room), "text": "done", "cid": "once"}


async def to_press(at: World) -> tuple[User, dict[str, Any]]:
    bot = await make_bot(at.node, room=at.room, by=at.ann)
    message = await with_buttons(bot, at.room)
    return at.bob, {"message": message, "action": APPROVE["id"], "cid": "once"}


SPECIAL |= {
    "bots.create": of("root", handle="helper", name="Helper"),
    "bots.remove": own_bot,
    "bots.commands.set": lambda at: of_bot(at, commands=[DEPLOY]),
    "slash.run": offered,
    "slash.reply": to_answer,
    "actions.invoke": to_press,
}


async def of_contact(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    made = await at.node.call("crm.contacts.create", email="ada@example.org")
    return at.root, {"contact": made["contact"]["id"], **fields}


async def with_note(at: World) -> tuple[User, dict[str, Any]]:
    _, fields = await of_contact(at, text="a note")
    return at.root, {"note": (await at.node.call("crm.notes.add", **fields))["note"]["id"]}


async def exported(at: World) -> tuple[User, dict[str, Any]]:
    made = await at.root.call("crm.exports.create", contacts={"all": True})
    return at.root, {"export": made["export"]["export"]}


async def with_import(at: World, *stages: str, **fields: Any) -> tuple[User, dict[str, Any]]:
    """An import that has come through these stages; a stage that is work is carried out, unless another follows it."""
    made = await at.root.call("crm.imports.create", text="email,first_name,last_name\nada@example.org,Ada,Lovelace\n")
    asked = {"import": made["import"]["id"]}
    for stage in stages:
        reply = await at.root.call(f"crm.imports.{stage}", **asked)
        if stage == stages[-1] and stage == "start":
            await run_work(at.node, reply["import"]["work"])
    return at.root, {**asked, **fields}


async def started_import(at: World) -> tuple[User, dict[str, Any]]:
    return await with_import(at, "map", "start", "get")


async def with_field(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    made = await at.node.call("crm.fields.define", name="size")
    return at.root, {"field": made["field"]["id"], **fields}


async def with_lists(at: World, *names: str, on_it: bool = False, **fields: Any) -> tuple[User, dict[str, Any]]:
    """Lists, with a contact on the first if `on_it`; `contacts` in the fields stands for it."""
    _, made = await of_contact(at)
    for name in names:
        await at.node.call("crm.lists.create", name=name, kind="campaign")
        if on_it and name == names[0]:
            await at.node.call("crm.lists.add", list=name, contacts=[made["contact"]])
    return at.root, fields | ({"contacts": [made["contact"]]} if "contacts" in fields else {})


async def with_tags(at: World, *names: str, given: bool = False, **fields: Any) -> tuple[User, dict[str, Any]]:
    """Tags, which a contact has if `given`; `contacts` in the fields stands for it."""
    _, made = await of_contact(at)
    for name in names:
        await at.node.call("crm.tags.create", name=name)
        if given:
            await at.node.call("crm.tags.apply", tags=[name], contacts=[made["contact"]])
    return at.root, fields | ({"contacts": [made["contact"]]} if "contacts" in fields else {})


async def with_segment(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    made = await at.node.call("crm.segments.create", name="Londoners", filter={"city": {"_eq": "London"}})
    return at.root, {"list": made["list"]["id"], **fields}


SPECIAL |= {
    "crm.lists.create": of("root", name="Newsletter"),
    "crm.lists.update": lambda at: with_lists(at, "one", list="one", name="two", description="x", owner="ann"),
    "crm.lists.archive": lambda at: with_lists(at, "one", list="one"),
    "crm.lists.restore": lambda at: with_lists(at, "one", list="one"),
    "crm.lists.stage": lambda at: with_lists(at, "one", list="one", stage="population"),
    "crm.lists.delete": lambda at: with_lists(at, "one", list="one"),
    "crm.lists.add": lambda at: with_lists(at, "one", list="one", contacts=True),
    "crm.lists.remove": lambda at: with_lists(at, "one", on_it=True, list="one", contacts=True),
    "crm.lists.merge": lambda at: with_lists(at, "one", "two", on_it=True, sources=["one"], into="two"),
    "crm.lists.intersect": lambda at: with_lists(at, "one", on_it=True, lists=["one"], name="two"),
    "crm.tags.create": of("root", name="VIP"),
    "crm.tags.update": lambda at: with_tags(at, "VIP", tag="VIP", color="#FFD700"),
    "crm.tags.delete": lambda at: with_tags(at, "VIP", tag="VIP"),
    "crm.tags.apply": lambda at: with_tags(at, "VIP", tags=["VIP"], contacts=True),
    "crm.tags.remove": lambda at: with_tags(at, "VIP", given=True, tags=["VIP"], contacts=True),
    "crm.tags.clear": lambda at: with_tags(at, "VIP", given=True, tag="VIP"),
    "crm.tags.merge": lambda at: with_tags(at, "VIP", "Lead", given=True, sources=["Lead"], into="VIP"),
}


SPECIAL |= {
    "crm.contacts.create": of("root", email="ada@example.org"),
    "crm.contacts.update": lambda at: of_contact(at, city="London", custom={}, opted_out=True),
    "crm.contacts.delete": of_contact,
    "crm.contacts.upsert": of("root", contacts=[{"email": "ada@example.org", "city": "London"}]),
    "crm.notes.delete": with_note,
    "crm.fields.define": of("root", name="size"),
    "crm.exports.create": of("root", contacts={"all": True}),
    "crm.exports.delete": exported,
    "crm.fields.change": lambda at: with_field(at, name="shoe_size"),
    "crm.fields.delete": with_field,
    "crm.segments.create": of("root", name="Londoners", filter={"city": {"_eq": "London"}}),
    "crm.segments.update": lambda at: with_segment(at, filter={"city": {"_eq": "Paris"}}),
}


async def with_identity(at: World) -> tuple[User, dict[str, Any]]:
    """An account of another service, which nobody has verified."""
    _, made = await of_contact(at)
    added = await at.node.call("crm.identities.add", **made, kind="telegram", external_id="ada")
    return at.root, {"identity": added["identity"]["identity"]}


async def opted_out(at: World) -> tuple[User, dict[str, Any]]:
    _, fields = await of_contact(at)
    await at.node.call("crm.contacts.opt_out", **fields)
    return at.root, fields


async def two_contacts(at: World) -> tuple[User, dict[str, Any]]:
    _, fields = await of_contact(at)
    other = await at.node.call("crm.contacts.create", email="ada@example.net")
    return at.root, fields | {"other": other["contact"]["id"]}


async def merged(at: World) -> tuple[User, dict[str, Any]]:
    _, fields = await two_contacts(at)
    return at.root, {"merge": (await at.node.call("crm.contacts.merge", **fields))["merge"]}


async def contact_to_erase(at: World) -> tuple[User, dict[str, Any]]:
    _, fields = await of_contact(at)
    return at.root, fields | {"confirm": fields["contact"]}


async def with_form(at: World, **fields: Any) -> tuple[User, dict[str, Any]]:
    made = await at.node.call("crm.forms.create", name="site", title="Talk to us")
    return at.root, {"form": made["form"]["form"], **fields}


async def with_broadcast(at: World, *before: str) -> tuple[User, dict[str, Any]]:
    made = await at.root.call("crm.broadcasts.create", title="News", text="news", contacts={"all": True})
    fields = {"broadcast": made["broadcast"]["broadcast"]}
    for command in before:
        await at.root.call(command, **fields)
    return at.root, fields


SPECIAL |= {
    "crm.identities.add": lambda at: of_contact(at, kind="telegram", external_id="ada"),
    "crm.identities.verify": with_identity,
    "crm.identities.remove": with_identity,
    "crm.contacts.opt_out": of_contact,
    "crm.contacts.opt_in": opted_out,
    "crm.contacts.not_same": two_contacts,
    "crm.contacts.merge": two_contacts,
    "crm.contacts.unmerge": merged,
    "crm.contacts.erase": contact_to_erase,
    "crm.forms.update": lambda at: with_form(at, title="Write to us"),
    "crm.forms.delete": with_form,
    "crm.broadcasts.pause": with_broadcast,
    "crm.broadcasts.resume": lambda at: with_broadcast(at, "crm.broadcasts.pause"),
    "crm.broadcasts.cancel": with_broadcast,
}
SPECIAL |= {
    "crm.imports.plan": lambda at: with_import(at, "map"),
    "crm.imports.start": lambda at: with_import(at, "map"),
    "crm.imports.undo": lambda at: with_import(at, "map", "start"),
    "crm.imports.pause": started_import,
    "crm.imports.resume": lambda at: with_import(at, "map", "start", "pause"),
    "crm.imports.cancel": started_import,
}


async def notified(at: World) -> tuple[User, dict[str, Any]]:
    made = await at.node.call("notifications.send", person="ann", title="Backup done")
    return at.ann, {"ids": [made["notification"]]}


async def ntfy_topic(at: World) -> tuple[User, dict[str, Any]]:
    return await token_of(at.ann), {"transport": "ntfy", "address": "https://ntfy.example.org/topic"}


async def registered(at: World) -> tuple[User, dict[str, Any]]:
    device, topic = await ntfy_topic(at)
    made = await device.call("notifications.register", **topic)
    return device, {"registration": made["device"]["registration"]}


async def undelivered(at: World) -> tuple[Node, dict[str, Any]]:
    """A notification that could not be delivered yet, and will be tried again tomorrow."""
    _, notification = await notified(at)
    await registered(at)
    await at.node.core.db.write(
        lambda tx: (
            tx.execute(
                "INSERT INTO notifications_deliveries (item, registration, due_at) "
                "SELECT i.key, r.key, i.created_at + ? "
                "FROM notifications_items i, notifications_registrations r",
                (DAY_MS,),
            ).rowcount
        )
    )
    return at.node, {"notification": notification["ids"][0]}


async def with_preview(at: World) -> tuple[User, dict[str, Any]]:
    message = await at.ann.says(at.room, "https://example.org/")
    await at.node.core.db.write(
        lambda tx: (
            tx.execute(
                "INSERT INTO previews_links (message, position, url, address, state, title, site) "
                "SELECT key, 0, text, x'00', 'shown', 'Example', 'example.org' FROM messages WHERE id = ?",
                (message,),
            ).rowcount
        )
    )
    return at.ann, {"message": message}


async def with_endpoint(at: World, *before: str, **fields: Any) -> tuple[User, dict[str, Any]]:
    made = await at.root.call("webhooks.endpoints.add", **ENDPOINT)
    endpoint = {"endpoint": made["endpoint"]["endpoint"]}
    for command in before:
        await at.root.call(command, **endpoint)
    return at.root, endpoint | fields


async def given_up(at: World) -> tuple[User, dict[str, Any]]:
    who, fields = await with_endpoint(at, "webhooks.endpoints.pause")
    await at.node.core.db.write(
        lambda tx: (
            tx.execute(
                "INSERT INTO webhooks_deliveries (endpoint, gid, kind, state, attempts, due_at) "
                "SELECT key, 1, 'crm.contact.deleted', 'dead', 9, 0 FROM webhooks_endpoints"
            ).rowcount
        )
    )
    return who, fields


async def with_incoming(at: World) -> tuple[User, dict[str, Any]]:
    made = await at.ann.call("webhooks.incoming.add", conversation=at.room, name="builds")
    return at.ann, {"webhook": made["webhook"]["webhook"]}


SPECIAL |= {
    "notifications.read": notified,
    "notifications.send": lambda at: operator(at, person="bob", title="Backup done", cid="backup-1"),
    "notifications.register": ntfy_topic,
    "notifications.unregister": registered,
    "notifications.forget": undelivered,
    "previews.remove": with_preview,
    "webhooks.endpoints.add": of("root", **ENDPOINT),
    "webhooks.endpoints.update": lambda at: with_endpoint(
        at,
        url="https://hooks.example.org/other",
        kinds=["crm.contact.created"],
        format="seed",
        echo=True,
        about="builds",
    ),
    "webhooks.endpoints.remove": with_endpoint,
    "webhooks.endpoints.pause": with_endpoint,
    "webhooks.endpoints.resume": lambda at: with_endpoint(at, "webhooks.endpoints.pause"),
    "webhooks.recover": given_up,
    "webhooks.incoming.remove": with_incoming,
}
WRITING = [
    each.name for each in COMMANDS if not each.reads and each.name not in ANOTHER | WITH_MAIL | UNRECORDED | OF_PLUGINS
]


def recorded(reader: Reader) -> tuple[int, ...]:
    """How much there is of all that is recorded when something changes."""
    sums = ("max(gid) FROM log", "count(*) FROM audit", "count(*) FROM presence_history", "sum(version) FROM presence")
    return tuple(reader.execute(f"SELECT coalesce({each.replace(' FROM', ', 0) FROM')}").fetchone()[0] for each in sums)


@pytest.fixture
def config() -> Config:
    return Config(limits=Limits(requests_per_minute=0), presence=PresenceSettings(history_days=30))


@pytest.mark.parametrize("name", WRITING)
async def test_the_second_time_nothing_is_recorded(node: Node, name: str) -> None:
    root = await User.new(node, "root", admin=True)
    ann, bob, _ = [await User.new(node, handle) for handle in ("ann", "bob", "eve")]
    room = await ann.group(bob)
    message = await ann.says(room, "hello")
    at = World(node, root, ann, bob, room, message)
    if name in SPECIAL:
        who, fields = await SPECIAL[name](at)
    else:
        who, fields = ann, FIELDS[name](Target(room, message, spare="bob", outside="eve"))
    before = await node.core.db.read(recorded)
    assert await outcome(who.call(name, **fields)) == "ok"
    once = await node.core.db.read(recorded)
    await outcome(who.call(name, **fields))
    assert await node.core.db.read(recorded) == once
    if name not in WITHOUT_TRACE:
        assert once != before, "the first time something is"


#: These are not recorded anywhere, or did nothing in this test.
WITHOUT_TRACE = {
    "typing",
    "messages.report",
    "sessions.rename",
    "conversations.join",
    "sessions.revoke_others",
    "bots.commands.set",
    "attachments.check",
    "attachments.collect",
    "crm.lists.create",
    "crm.lists.update",
    "crm.lists.archive",
    "crm.lists.restore",
    "crm.lists.stage",
    "crm.tags.create",
    "crm.tags.update",
    "notifications.register",
    "notifications.unregister",
    "notifications.mailbox.remove",
}
