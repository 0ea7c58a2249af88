"""Secrets in addresses stay out of the log, whatever happens to the request."""

from __future__ import annotations

import logging
from typing import Any
from urllib.parse import urlsplit

import pytest
from chatnode_notifications.mail import unsubscribing
from chatnode_notifications.mail.keys import make_mail_key
from chatnode_webhooks.incoming import rows

from chatnode.node import Node
from chatnode.testing import LiveUser, fetch

CANARY = "canary-of-an-address"


def fails(*_: Any, **__: Any) -> Any:
    raise RuntimeError(CANARY)


async def ask(address: str) -> list[int]:
    """What a request of each kind is answered."""
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    requests: list[tuple[str, bytes, dict[str, str]]] = [
        ("GET", b"", {}), ("POST", b'{"text": "hello"}', {}), ("POST", b"List-Unsubscribe=One-Click", form),
        ("POST", b"x" * 100_000, {}), ("POST", b"", {}), ("PUT", b"{}", {}), ("OPTIONS", b"", {}),
    ]  # fmt: skip
    return [
        (await fetch(address, method=method, body=body, headers=headers)).status for method, body, headers in requests
    ]


async def test_tokens_of_addresses(
    node: Node, url: str, ann: LiveUser, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    caplog.set_level(logging.DEBUG)
    room = await ann.group()
    added = await ann.call("webhooks.incoming.add", conversation=room, name="CI")
    token = urlsplit(str(added["url"])).path.rsplit("/", 1)[1]
    key = await node.core.db.write(make_mail_key)
    context = node.plugins.loaded["notifications"].context
    link = unsubscribing.unsubscribe_url(context, key, ann.account.id, "ann@example.org", "instant")
    mac = link.rsplit(".", 1)[1]
    addresses = [url + urlsplit(each).path for each in (added["url"], link)]
    for address in (*addresses, addresses[0] + "/", addresses[0] + "?x=1", addresses[0][:-1], addresses[1] + "%0a"):
        assert 500 not in await ask(address)
    monkeypatch.setattr(rows, "find_by_token", fails)
    monkeypatch.setattr(unsubscribing, "_read_link", fails)
    for address in addresses:
        assert 500 in await ask(address)
    shown = caplog.text + "".join(str(each.__dict__) for each in caplog.records)
    assert "reference" in shown  # the failures are in the log
    assert token not in shown
    assert mac not in shown
    for path in ("/metrics", "/health"):
        text = (await fetch(url + path)).text
        assert token not in text
        assert mac not in text
