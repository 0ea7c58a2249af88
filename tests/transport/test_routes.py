"""Every address of the HTTP side: who gets what of it, and that the document knows it."""

from __future__ import annotations

import re

import pytest

from chatnode.node import Node
from chatnode.testing import User
from chatnode.transport import http, openapi
from chatnode.transport.route_table import RouteTable
from tests.transport.clients import Address, Http, bearer

EVERYBODY = (200, 200, 200, 200)
SIGNED_IN = (401, 200, 200, 200)
OPERATORS = (401, 403, 403, 200)

#: Address → statuses for nobody, a member, a moderator, an administrator. Commands are test_permissions.py's.
ROUTES = {
    "/": EVERYBODY,
    "/<name>": EVERYBODY,
    "/health": EVERYBODY,
    "/health/live": EVERYBODY,
    "/health/ready": EVERYBODY,
    "/metrics": OPERATORS,
    "/items/<collection>": SIGNED_IN,
    "/plugins": SIGNED_IN,
    "/v1/events": SIGNED_IN,
    "/v1/export": SIGNED_IN,
    "/v1/openapi.json": EVERYBODY,
}
EXAMPLES = {"/<name>": "/page.css", "/items/<collection>": "/items/messages"}
FROM_OUTSIDE = {"X-Forwarded-For": "192.0.2.7"}  # who asks on the node's own machine may see its figures


def addresses(node: Node) -> set[str]:
    app = http.make_app(node.core, node.table, node.sessions, node.health, node.plugins)
    return {address for rule in app.url_map.iter_rules() for address in _each(rule.rule)}


def _each(rule: str) -> list[str]:
    """One rule has the names of many commands."""
    start, several, names = rule.partition("<any(")
    return [start + name for name in re.findall('"(.+?)"', names)] if several else [rule]


async def test_every_address_is_a_commands_or_has_a_row(node: Node) -> None:
    assert addresses(node) == set(ROUTES) | {f"/v1/{command.name}" for command in node.table}


async def test_every_address_is_in_the_document(node: Node) -> None:
    """But for the page and its files. Routes of plugins are in it too."""
    described = set(openapi.document(node.table, node.plugins)["paths"])
    every = addresses(node) | RouteTable(node.plugins).addresses
    assert {rule.replace("<", "{").replace(">", "}") for rule in every - {"/", "/<name>"}} == described


@pytest.mark.parametrize("rule", ROUTES)
async def test_who_gets_what_of_an_address(node: Node, address: Address, rule: str) -> None:
    people = [await User.new(node, handle, admin=handle == "admin") for handle in ("member", "moderator", "admin")]
    await node.call("people.role", person="moderator", role="moderator")
    tokens = [None, *[(await each.call("tokens.create"))["token"] for each in people]]
    found: list[int] = []
    for token in tokens:
        async with await Http.open(address) as client:
            method = "HEAD" if rule == "/v1/events" else "GET"  # the stream of it has no end
            answer = await client.request(method, EXAMPLES.get(rule, rule), headers=FROM_OUTSIDE | bearer(token))
            found.append(answer.status)
    assert tuple(found) == ROUTES[rule]
