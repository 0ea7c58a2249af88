"""Links in messages show what their pages say, to those who see the message."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
import trio
from chatnode_previews import fetching
from chatnode_previews.pages import PageHead, read_page
from chatnode_previews.state import Fetching

from chatnode.node import Node
from chatnode.outbound import breakers
from chatnode.testing import LiveUser, MakePerson, User, catch_up, check_plugin, configured, open_node, refused
from tests.plugins.previews.looking import pending, previews, settle, titles
from tests.plugins.previews.site import Site, broken, endless, free_port, gate, html, redirect
from tests.plugins.sql import rows
from tests.services.dialogue import outcome
from tests.services.test_privacy import export_of


def test_the_declaration_is_complete() -> None:
    import chatnode_previews

    check_plugin(chatnode_previews)


async def test_all_who_see_the_message_see_the_preview(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    group = await ann.group(bob, history="since_joining")
    link = site.page("/news", "News &lt;1>", description="All of it", site_name="The Site") + "#top"
    text = f"read {link} and {site.page('/plain', 'Plain')}!"
    message = await ann.says(group, text)
    await settle(node)
    first = {"url": link, "title": "News <1>", "text": "All of it", "site": "The Site"}
    second = {"url": f"{site.url}/plain", "title": "Plain", "site": "127.0.0.1"}
    for who in (ann, bob):
        assert await previews(who, group) == {text: [first, second]}
        events = [await who.hears("preview.added", message=message) for _ in range(2)]
        assert events[-1]["previews"] == [first, second]
    await ann.call("conversations.members.add", conversation=group, member="eve")
    await ann.says(group, "welcome")
    assert await previews(eve, group) == {}
    assert eve.heard("preview.added") == []
    assert "News" not in json.dumps([await export_of(eve), await eve.call("inbox.list"), eve.heard()])
    assert site.hits == {"/news": 1, "/plain": 1}


async def test_those_who_were_away_hear_it_when_they_are_back(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, eve: LiveUser
) -> None:
    group = await ann.group(bob)
    (head,) = (await rows(node, "SELECT max(gid) FROM log"))[0]
    await ann.says(group, site.page("/1", "CANARY"))
    await settle(node)
    told, _ = await node.core.db.read(lambda reader: _events_for(reader, bob.key, head))
    assert [each["previews"][0]["title"] for each in told if each["event"] == "preview.added"] == ["CANARY"]
    untold, _ = await node.core.db.read(lambda reader: _events_for(reader, eve.key, head))
    assert "CANARY" not in json.dumps(untold)


def _events_for(reader: Any, person: int, gid: int) -> tuple[list[dict[str, Any]], int]:
    from chatnode.storage.log import plugin_log

    return plugin_log.events_for(reader, person, gid, 500)


async def test_pages_that_have_nothing_to_show(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    elsewhere = free_port()
    site.page("/good", "never")
    bad = [
        site.has("/404", html("<title>no</title>", status=404)),
        site.has("/pdf", html("<title>no</title>", content_type="application/pdf")),
        site.has("/empty", html("")),
        site.has("/to-private", redirect(f"http://127.0.0.1:{elsewhere}/")),
        site.has("/to-metadata", redirect("http://169.254.169.254/latest/meta-data")),
        site.has("/to-file", redirect("file:///etc/passwd")),
        site.has("/to-action", redirect("/unsubscribe?user=7")),
        site.has("/to-nowhere", redirect("http://[::1")),
        site.has("/loop", redirect("/loop")),
        f"http://127.0.0.1:{elsewhere}/",
        "http://[::1]/",
        "http://0x7f.1/",
        "http://localhost/",
    ]
    for link in bad:
        await ann.says(group, link)
    await settle(node)
    assert await previews(bob, group) == {}
    assert bob.heard("preview.added") == []
    assert (site.hits["/unsubscribe?user=7"], site.hits["/loop"], site.hits["/good"]) == (0, 6, 0)


async def test_a_server_that_breaks_off_has_no_preview(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser
) -> None:
    group = await ann.group(bob)
    await ann.says(group, site.has("/broken", broken))
    await settle(node)
    assert await previews(bob, group) == {}


async def test_hostile_pages_are_read_as_far_as_they_go(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser
) -> None:
    group = await ann.group(bob)
    head, latin = "<title>seen</title>", "<meta charset=utf-8><title>\xfcber</title>".encode("latin-1")
    links = [
        site.has("/endless", endless(head.encode())),
        site.has("/huge", html(head + "<!--" + "x" * 2_000_000)),
        site.has("/nested", html(head + "<div>" * 90_000)),
        site.has("/latin", html(latin, content_type="text/html; charset=latin1")),
        site.has("/short", redirect("/one")),
    ]
    site.has("/one", redirect("two?x=1"))
    site.page("/two?x=1", "target")
    for link in links:
        await ann.says(group, link)
    await settle(node)
    assert sorted(map(str, await titles(bob, group))) == ["seen", "seen", "seen", "target", "über"]


async def test_a_page_is_fetched_once(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    link, gone = site.page("/1", "one"), site.url + "/gone"
    for _ in range(3):
        await ann.says(group, f"{link} {gone}")
        await settle(node)
    assert (site.hits["/1"], site.hits["/gone"]) == (1, 1)
    assert await titles(bob, group) == ["one"] * 3
    await node.core.db.write(lambda tx: tx.execute("UPDATE previews_pages SET expires_at = 1"))
    site.page("/1", "two")
    await ann.says(group, f"{link} {gone}")
    await settle(node)
    assert (site.hits["/1"], site.hits["/gone"]) == (2, 2)
    assert await titles(bob, group) == ["one"] * 3 + ["two"]


async def test_a_slow_site_holds_up_only_its_own(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser
) -> None:
    group, opened = await ann.group(bob), threading.Event()
    slow = site.has("/slow", gate(opened, html("<title>slow</title>")))
    await ann.says(group, slow)
    await ann.says(group, site.page("/quick", "quick"))
    assert (await bob.hears("preview.added"))["previews"][0]["title"] == "quick"
    opened.set()
    assert (await bob.hears("preview.added"))["previews"][0]["title"] == "slow"


async def test_a_page_of_a_site_that_is_left_alone_is_fetched_later(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breakers, "FIRST_SECONDS", 0.5)
    group, good = await ann.group(bob), site.page("/good", "good")
    for number in range(breakers.FAILURES):
        await ann.says(group, site.has(f"/{number}", html("down", status=503)))
    await settle(node)
    await ann.says(group, good)
    await catch_up(node)
    fetching = node.plugins.loaded["previews"].context.state(Fetching)
    with trio.fail_after(30):
        while not fetching.postponed:  # noqa: ASYNC110 -- nobody is told
            await trio.sleep(0.01)
    assert site.hits["/good"] == 0
    await ann.says(group, site.page("/other", "other"))
    assert [(await bob.hears("preview.added"))["previews"][0]["title"] for _ in range(2)] == ["good", "other"]
    assert not fetching.unavailable() - fetching.busy


async def test_a_page_that_the_node_fails_on_ends_nothing_else(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_on_some(text: str) -> PageHead | None:
        if "bad" in text:
            raise ZeroDivisionError
        return read_page(text)

    monkeypatch.setattr(fetching, "read_page", fail_on_some)
    group = await ann.group(bob)
    await ann.says(group, f"{site.page('/1', 'bad')} {site.page('/2', 'good')}")
    await settle(node)
    assert await titles(bob, group) == ["good"]


async def test_previews_follow_edits(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    one, two = site.page("/1", "one"), site.page("/2", "two")
    message = await ann.says(group, one)
    await settle(node)
    await ann.call("messages.edit", message=message, text=f"{two} {one}")
    await settle(node)
    assert await titles(bob, group) == ["two", "one"]
    await ann.call("messages.edit", message=message, text="never mind")
    await settle(node)
    assert (await bob.hears("preview.removed", message=message))["previews"] == []
    assert await titles(bob, group) == []
    await ann.call("messages.edit", message=message, text=two)
    await settle(node)
    assert await titles(bob, group) == ["two"]


async def test_who_removes_previews(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, eve: LiveUser, person: MakePerson
) -> None:
    carol, root = await person("carol"), await person("root", admin=True)
    group = await ann.group(bob, carol)
    one, two = site.page("/1", "one"), site.page("/2", "two")
    message = await bob.says(group, f"{one} {two}")
    await settle(node)
    assert await outcome(carol.call("previews.remove", message=message)) == "forbidden"
    assert await outcome(eve.call("previews.remove", message=message)) == "not_found"
    assert await outcome(root.call("previews.remove", message=message)) == "not_found"  # nobody reported it
    left = await bob.call("previews.remove", message=message, url=one)
    assert [each["title"] for each in left["previews"]] == ["two"]
    told = await carol.hears("preview.removed", message=message)
    assert told["previews"] == left["previews"]
    assert await ann.call("previews.remove", message=message) == {"previews": []}  # she owns the group
    assert await ann.call("previews.remove", message=message) == {"previews": []}
    assert len(carol.heard("preview.removed")) == 2
    await bob.call("messages.edit", message=message, text=f"again {one} {two}")
    await settle(node)
    assert await titles(bob, group) == []
    actions = [each["action"] for each in (await node.call("audit.list"))["entries"]]
    assert actions.count("previews.remove") == 1


async def test_removed_before_it_is_there(node: Node, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    """The node does not serve, so nothing is fetched."""
    group = await ann.group(bob)
    message = await ann.says(group, site.page("/1", "one"))
    await ann.call("previews.remove", message=message)
    await settle(node)
    assert await rows(node, "SELECT state FROM previews_links") == [("removed",)]


async def test_switching_off(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser, eve: LiveUser) -> None:
    group, direct = await ann.group(bob), await ann.direct(bob)
    link = site.page("/1", "one")
    with refused("forbidden"):
        await bob.call("previews.settings.update", conversation=group, enabled=False)
    with refused("not_found"):
        await eve.call("previews.settings.update", conversation=group, enabled=False)
    off = {"enabled": False, "node": True, "direct": False}
    assert await bob.call("previews.settings.update", enabled=False) == off
    assert await bob.call("previews.settings.update", enabled=False) == off
    await bob.says(group, link)
    await ann.says(direct, link)
    await settle(node)
    assert site.hits == {}
    await bob.call("previews.settings.update", enabled=True)
    there = await ann.call("previews.settings.update", conversation=group, enabled=False)
    assert there["conversation_enabled"] is False
    await bob.says(group, link)
    await settle(node)
    assert site.hits == {}
    await ann.call("previews.settings.update", conversation=group, enabled=True)
    assert (await bob.call("previews.settings", conversation=group))["conversation_enabled"] is True
    await bob.says(group, link)
    await settle(node)
    assert site.hits == {"/1": 1}
    assert len(await titles(ann, group)) == 1


@pytest.mark.parametrize("more_settings", [{"direct": True, "links_per_minute": 2}], ids=["direct, 2 a minute"])
async def test_direct_conversations_and_the_budget(
    node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser
) -> None:
    direct = await ann.direct(bob)
    for number in range(6):
        await ann.says(direct, site.page(f"/{number}", str(number)))
    await settle(node)
    assert 2 <= len(await titles(bob, direct)) <= 4  # a minute may begin meanwhile
    await bob.says(direct, site.page("/bob", "bob"))
    await settle(node)
    assert "bob" in await titles(ann, direct)


@pytest.mark.parametrize("more_settings", [{"enabled": False}], ids=["disabled"])
async def test_the_node_makes_none(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    await ann.says(await ann.group(bob), site.page("/1", "one"))
    await settle(node)
    assert (site.hits, await rows(node, "SELECT * FROM previews_links")) == ({}, [])


async def test_a_preview_goes_with_its_message(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group, opened = await ann.group(bob), threading.Event()
    message = await ann.says(group, site.page("/1", "CANARY"))
    await settle(node)
    await ann.call("messages.delete", message=message)
    later = await ann.says(group, site.has("/slow", gate(opened, html("<title>CANARY</title>"))))
    assert await titles(bob, group) == []
    await node.consumers.catch_up()
    await ann.call("messages.delete", message=later)
    opened.set()
    await settle(node)
    for table in ("previews_links", "previews_pages"):
        assert await rows(node, f"SELECT * FROM {table}") == []
    assert "CANARY" not in json.dumps(await bob.sees(group))


async def test_an_erased_user_leaves_none(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    await bob.says(group, site.page("/1", "CANARY"))
    await settle(node)
    await bob.call("previews.settings.update", enabled=False)
    assert await titles(ann, group) == ["CANARY"]
    assert "previews_people_off" in json.dumps(await export_of(bob))
    await node.call("people.erase", person="bob", handle="bob")
    await node.call("jobs.run", job="erasures")
    for table in ("previews_links", "previews_pages", "previews_people_off"):
        assert await rows(node, f"SELECT * FROM {table}") == []


async def test_links_wait_for_a_node_that_was_killed(tmp_path: Any, site: Site) -> None:
    import chatnode_previews
    import trio

    config = configured(outbound={"allow": [f"127.0.0.1:{site.port}"]})
    data = tmp_path / "data"
    async with open_node(data, config, only=[chatnode_previews]) as node:
        ann, bob = await User.new(node, "ann"), await User.new(node, "bob")
        group = await ann.group(bob)
        await ann.says(group, site.page("/1", "one"))
        await node.consumers.catch_up()
        assert await pending(node) == 1
    async with open_node(data, config, only=[chatnode_previews]) as node, trio.open_nursery() as nursery:
        await nursery.start(node.serve, "127.0.0.1:0")
        await settle(node)
        assert await titles(await User.of(node, "bob"), group) == ["one"]
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("more_settings", [{"keep_hours": 0.0}], ids=["nothing kept"])
async def test_pages_are_forgotten(node: Node, url: str, site: Site, ann: LiveUser, bob: LiveUser) -> None:
    group = await ann.group(bob)
    await ann.says(group, site.page("/1", "one"))
    await settle(node)
    await node.call("jobs.run", job="previews.forget")
    assert await rows(node, "SELECT * FROM previews_pages") == []
    assert await titles(bob, group) == ["one"]
