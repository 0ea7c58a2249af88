"""Hooks say what they want; everything else passes a plugin without calling it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from chatnode.api import Allow, Change, Context, Deny, Draft, Event, MessagePosted, PersonUpdated, Refusal, only_for
from chatnode.node import Node
from chatnode.testing import User, refused
from tests.plugins.surface.making import made, node_with, states

MEDIA = {"file": "https://x.example/a.png", "name": "a.png", "type": "image/png", "bytes": 1}


def has_media(subject: Any) -> bool:
    """Of a draft, or of the event of a posting."""
    return bool(subject.files if isinstance(subject, Draft) else subject.message.files)


def raising(subject: Any) -> bool:
    """What a faulty plugin says."""
    raise KeyError("secret words")


async def pair(node: Node) -> tuple[User, User, str]:
    ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
    return ann, bob, await ann.direct(bob)


async def post_picture(who: User, talk: str, cid: str = "picture") -> dict[str, Any]:
    return await who.call("messages.post", conversation=talk, cid=cid, text="look", kind="image", media=MEDIA)


def failure(node: Node) -> tuple[int, str | None]:
    (status,) = node.plugins.statuses()
    return status.failures, status.last_failure


async def test_a_check_is_called_for_the_commands_it_names(tmp_path: Path) -> None:
    asked: list[str] = []

    @only_for("messages.post", "people.list", when=lambda command: getattr(command, "text", "") != "harmless")
    async def check_command(ctx: Context, name: str, command: Any) -> Any:
        asked.append(name)
        return Deny("no")

    async with node_with(tmp_path, made("demo", check_command)) as node:
        ann, bob, talk = await pair(node)
        await ann.says(talk, "harmless")
        assert asked == []
        with refused("forbidden"):
            await ann.says(talk, "hello")
        with refused("forbidden"):
            await ann.call("people.list")
        assert asked == ["messages.post", "people.list"]
        assert await bob.reads(talk) == ["harmless"]


async def test_a_plain_text_passes_plugins_that_want_files(tmp_path: Path) -> None:
    called: list[tuple[str, str]] = []

    @only_for(when=has_media)
    async def prepare_draft(draft: Draft) -> None:
        called.append(("prepare_draft", draft.text))

    @only_for(MessagePosted, when=has_media)
    def audience(tx: Any, change: Change) -> list[int]:
        called.append(("audience", change.event.name))
        return []

    @only_for("message.posted", when=has_media)
    def in_transaction(tx: Any, change: Change) -> None:
        called.append(("in_transaction", change.event.name))

    async with node_with(tmp_path, made("demo", prepare_draft, audience, in_transaction)) as node:
        ann, bob, talk = await pair(node)
        posted = await ann.posts(talk, "hello")
        await ann.call("messages.edit", message=posted["message"], text="good day")
        assert called == []
        picture = await post_picture(ann, talk)
        followers = [("audience", "message.posted"), ("in_transaction", "message.posted")]
        assert called == [("prepare_draft", "look"), *followers]
        await ann.call("messages.edit", message=picture["message"], text="look here")
        assert called[3:] == [("prepare_draft", "look here")]
        assert await bob.reads(talk) == ["good day", "look here"]


async def test_each_follower_has_a_predicate_of_its_own(tmp_path: Path) -> None:
    called: list[str] = []

    def following(plugin: str, when: Any) -> Any:
        @only_for(MessagePosted, PersonUpdated, when=when)
        def in_transaction(tx: Any, change: Change) -> None:
            called.append(plugin)

        return made(plugin, in_transaction)

    def saying(text: str) -> Any:
        def when(event: Event) -> bool:
            return isinstance(event, MessagePosted) and event.message.text == text

        return when

    plugins = following("a", saying("one")), following("b", saying("two")), following("c", None)
    async with node_with(tmp_path, *plugins) as node:
        ann, _, talk = await pair(node)
        for text, expected in (("one", "ac"), ("two", "bc"), ("three", "c"), ("one", "ac")):
            called.clear()
            await ann.says(talk, text)
            assert "".join(called) == expected, text
        called.clear()
        await ann.call("people.update", name="Ann")
        assert called == ["c"]


async def test_a_draft_is_judged_as_the_plugins_before_left_it(tmp_path: Path) -> None:
    async def prepare_draft(draft: Draft) -> None:
        draft.text = draft.text.replace("shop", "https://shop.example")

    @only_for(when=lambda draft: "https://" in draft.text)
    async def refuses_links(draft: Draft) -> None:
        raise Refusal("invalid", "no links", path="text")

    refuses_links.__name__ = "prepare_draft"
    async with node_with(tmp_path, made("a", prepare_draft), made("b", refuses_links)) as node:
        ann, bob, talk = await pair(node)
        await ann.says(talk, "hello")
        with refused("invalid", "text"):
            await ann.says(talk, "buy at shop")
        assert await bob.reads(talk) == ["hello"]


async def test_a_predicate_that_raises_is_reported_and_lets_nothing_through(tmp_path: Path, caplog: Any) -> None:
    """A filter that cannot say what it wants is asked about everything."""

    @only_for(when=raising)
    async def prepare_draft(draft: Draft) -> None:
        if draft.text == "rude":
            raise Refusal("invalid", "say it otherwise", path="text")

    async with node_with(tmp_path, made("demo", prepare_draft)) as node:
        ann, bob, talk = await pair(node)
        with refused("invalid", "text"):
            await ann.says(talk, "rude")
        number, last = failure(node)
        assert (number, (last or "").partition(" at ")[0]) == (
            1,
            "prepare_draft failed in `when` of only_for: raised KeyError",
        )
        await ann.says(talk, "hello")
        assert await bob.reads(talk) == ["hello"]
    assert "secret words" not in caplog.text


@pytest.mark.parametrize("hook", ["check_command", "in_transaction", "audience"])
async def test_so_is_one_of_a_command_or_an_event(tmp_path: Path, hook: str) -> None:
    def follow(tx: Any, change: Change) -> None:
        raise Refusal("invalid", "no")

    async def check_command(name: str) -> Any:
        return Deny("no", "invalid")

    function: Any = check_command if hook == "check_command" else follow
    function.__name__ = hook
    name = "messages.post" if hook == "check_command" else "message.posted"
    async with node_with(tmp_path, made("demo", only_for(name, when=raising)(function))) as node:
        ann, bob, talk = await pair(node)
        with refused("invalid"):
            await ann.says(talk, "hello")
        assert await bob.reads(talk) == []
        assert f"{hook} failed in `when` of only_for" in (failure(node)[1] or "")


async def test_what_would_never_be_called_is_refused(tmp_path: Path) -> None:
    async def check_command() -> Any:
        return Allow()

    async def prepare_draft() -> None: ...

    def in_transaction() -> None: ...

    def enrich_people() -> Any: ...

    async def when(subject: Any) -> bool:
        return True

    def named(function: Any) -> Any:
        def copy() -> Any: ...

        async def async_copy() -> Any: ...

        made_of = async_copy if function in (check_command, prepare_draft) else copy
        made_of.__name__ = function.__name__
        return made_of

    no_command, no_event = "check_command wants the command messages.pots", "in_transaction wants the event"
    faults = {
        "a": (only_for("messages.pots")(named(check_command)), f"{no_command}, which does not exist; did you"),
        "b": (only_for("message.postd")(named(in_transaction)), f"{no_event} message.postd, which does not exist; did"),
        "c": (only_for("typing")(named(in_transaction)), f"{no_event} typing, which does not exist"),
        "d": (only_for("messages.post")(named(prepare_draft)), "prepare_draft accepts no names in only_for; use when="),
        "e": (only_for(when=when)(named(prepare_draft)), "`when` of prepare_draft must be def, not async def"),
        "f": (only_for(when=has_media)(named(enrich_people)), "enrich_people cannot be limited with only_for"),
        "g": (only_for("polls.vote")(named(check_command)), "running"),
    }  # fmt: skip
    async with node_with(tmp_path, *(made(name, hook) for name, (hook, _) in faults.items())) as node:
        found = states(node)
        assert {name: found[name][: len(reason)] for name, (_, reason) in faults.items()} == {
            name: reason for name, (_, reason) in faults.items()
        }
    with pytest.raises(TypeError, match="only_for takes names"):
        only_for()
