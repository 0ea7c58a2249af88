"""Moderation: messages with certain words or links are refused, or held until a moderator releases them."""

from __future__ import annotations

from chatnode.api import (
    Context,
    Draft,
    EventKind,
    Permission,
    Plugin,
    Reader,
    Refusal,
    Table,
    find_person,
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
    if rule.action == "refuse" or draft.content is not None:  # messages with content other than text are not held
        raise Refusal("forbidden", rule.reason, path="text")
    if await ctx.read(lambda reader: storage.is_released(reader, sender, draft)):
        return
    moderators = await _moderators(ctx, settings.moderators)
    await ctx.write(lambda tx: storage.hold(tx, sender, draft, rule.name, moderators))
    raise Refusal("forbidden", f"{rule.reason}; a moderator will look at it", path="text")


async def _moderators(ctx: Context, handles: tuple[str, ...]) -> list[int]:
    def find(reader: Reader) -> tuple[list[int], list[str]]:
        keys: list[int] = []
        unknown: list[str] = []
        for handle in handles:
            try:
                keys.append(find_person(reader, handle).key)
            except Refusal:
                unknown.append(handle)
        return keys, unknown

    keys, unknown = await ctx.read(find)
    if unknown:
        ctx.log.warning("plugins.moderation.moderators names unknown users: %s", ", ".join(unknown))
    return keys


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
        permissions=(Permission(REVIEW, "Release and discard held messages.", roles=("moderator",)),),
        commands=COMMANDS,
        events=(EventKind(storage.MessageHeld, storage.make_held),),
    )
