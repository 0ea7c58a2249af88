"""Moderation: messages with certain words or links are refused, or held until a moderator releases them."""

from __future__ import annotations

from chatnode.api import (
    CHAT,
    Context,
    Draft,
    EventKind,
    Permission,
    Plugin,
    PluginRole,
    Refusal,
    Table,
    hookimpl,
    only_for,
    steps_in,
)

from . import storage
from .commands import COMMANDS, REVIEW
from .rules import Settings, fitting


def says_something(draft: Draft) -> bool:
    """System messages are not filtered, nor are pictures without a caption."""
    return draft.kind != "system" and bool(draft.text)


@hookimpl
@only_for(when=says_something)
async def prepare_draft(ctx: Context, draft: Draft) -> None:
    """Refuse or hold new messages and edits that break a rule. Imported messages do not pass through this hook."""
    settings = ctx.settings(Settings)
    rule = fitting(settings.rules, draft.conversation, draft.text)
    if rule is None:
        return
    sender = ctx.me
    if rule.action == "refuse" or draft.kind != "text":  # messages with content other than text are not held
        raise Refusal("forbidden", rule.reason, path="text")
    if await ctx.read(lambda reader: storage.is_released(reader, sender, draft)):
        return
    await ctx.write(lambda tx: storage.hold(tx, sender, draft, rule.name))
    raise Refusal("forbidden", f"{rule.reason}; a moderator will look at it", path="text")


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="moderation",
        version="1.0",
        api="2.0",
        about="Refuses messages with certain words or links, or holds them for moderators.",
        settings=Settings,
        steps=steps_in(__name__),
        tables=(Table("moderation_held", people=("sender",), export=storage.EXPORT),),
        permissions=(
            Permission(REVIEW, "Be notified of held messages; release and discard them.", roles=("moderator",)),
        ),
        roles=(PluginRole("moderation-reviewer", (CHAT, REVIEW)),),
        commands=COMMANDS,
        events=(EventKind(storage.MessageHeld, storage.make_held),),
    )
