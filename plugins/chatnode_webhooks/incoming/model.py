"""What the commands on incoming webhooks take and give. Times are RFC 3339 in UTC."""

from __future__ import annotations

from typing import Annotated

from chatnode.api import Id, Name, PersonRef, Who, Whole, record

MOST_GRACE_HOURS = 168

_Grace = Annotated[int, Whole(0, MOST_GRACE_HOURS)]


@record
class IncomingHook:
    """An incoming webhook. Its messages come from `bot`.

    `mentions_everyone`: @everyone in its messages notifies everyone. `signed`: it accepts signed posts only. `posts` is
    how many posts it has taken, `used_at` when it took the last one. `rotated_until`: the token from before the last
    rotation works until then.
    """

    webhook: str
    name: str
    conversation: str
    bot: PersonRef
    mentions_everyone: bool
    signed: bool
    posts: int
    created_at: str
    used_at: str | None = None
    rotated_until: str | None = None


@record
class AddIncoming:
    """`bot` is the handle or id of a bot to post as; without it, the webhook gets a bot of its own with its name."""

    conversation: Id
    name: Name
    bot: Who | None = None
    mentions_everyone: bool = False
    signed: bool = False


@record
class OfIncoming:
    """An incoming webhook by its id."""

    webhook: Id


@record
class RotateIncoming:
    """`grace_hours`: how long the old token, and the old secret, still work."""

    webhook: Id
    grace_hours: _Grace = 0


@record
class IncomingSecrets:
    """A webhook with what is shown only once: the `url` to post to, and the `secret` that signs posts, if it is
    `signed`. Both are as good as a password."""

    webhook: IncomingHook
    url: str
    secret: str | None = None


@record
class ListIncoming:
    """The webhooks of one conversation, or of all. `after` takes the `next` of the previous page."""

    conversation: Id | None = None
    after: Id | None = None
    limit: Annotated[int, Whole(1)] = 50


@record
class IncomingHooks:
    """In the order of ids. `next` is absent on the last page."""

    webhooks: list[IncomingHook]
    next: str | None = None
