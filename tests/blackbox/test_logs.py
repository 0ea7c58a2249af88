"""The log of a node in all detail, after a dialogue with everything wrong in it: no secret, nothing that was said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from .frames import Op
from .node_process import UNLIMITED, NodeProcess
from .wire import Chat, Wire

SAID = "canarywren"
SECRETS = ("canaryplover", "canaryheron")


@pytest.mark.slow
@pytest.mark.parametrize("form", ["text", "json"])
def test_a_dialogue_at_its_most_talkative(tmp_path: Path, form: str) -> None:
    node = NodeProcess(tmp_path / "data", UNLIMITED | {"LOGS__LEVEL": "debug", "LOGS__FORMAT": form})
    for handle in ("ann", "bob"):
        done = node.run("user", "add", handle, "--password-stdin", stdin=f"{SECRETS[0]} of {handle}\n")
        assert done.returncode == 0
    given: list[str] = []
    with node:
        token = node.token("ann")
        given.append(token)
        talk(node, token, given)
        assert node.stop() == 0
    log = node.stderr_text()
    assert "messages.post" in log  # it does tell what was asked …
    assert "sessions.create" in log
    if form == "json":
        assert all(isinstance(json.loads(line), dict) for line in log.splitlines())
    for word in (SAID, *SECRETS, *given, "argon2"):  # … and of whom, but not what with
        assert word not in log, [line for line in log.splitlines() if word in line][:3]
        assert word.encode() not in node.stdout_path.read_bytes()


def talk(node: NodeProcess, token: str, given: list[str]) -> None:
    """Everything right and wrong, in as many places as a secret or a text can stand."""
    with Chat(node.address, token, device=f"{SAID} phone") as chat:
        room = chat.direct("bob")
        chat.post(room, f"{SAID} is what I say @bob")
        for op, fields in {
            "conversations.create": {"title": SAID, "description": SAID, "members": ["bob"]},
            "messages.post": {"conversation": room, "cid": SAID, "text": f"{SAID}\0"},
            "messages.list": {"conversation": SAID},
            "search.messages": {"query": f'"{SAID} AND NEAR( -'},
            "items.query": {"collection": "messages", "filter": {"text": {"_contains": SAID, "_wrong": SAID}}},
            "people.update": {"name": SAID},
            "people.get": {"person": SAID},
            "presence.status": {"text": SAID, "until": SAID},
            "people.password": {"current": SECRETS[1], "new": SECRETS[1]},
            "sessions.create": {"handle": "ann", "password": SECRETS[1]},
            "invites.accept": {"code": SECRETS[1], "handle": "cy", "password": SECRETS[1]},
            "people.reset_password": {"code": SECRETS[1], "new": SECRETS[1]},
            f"no.such.{SAID}": {SAID: SAID},
        }.items():
            assert chat.ask(op, **fields).get("error", {}).get("code") != "internal"
        given.append(chat.call("tokens.create", label=SAID)["token"])
        given.append(chat.call("sessions.create", handle="ann", password=f"{SECRETS[0]} of ann")["token"])
        for frame in (
            SAID.encode(),
            b'{"id": 1, "op": "%s"}' % SAID.encode(),
            b'{"text": "%s\\ud800"}' % SAID.encode(),
        ):
            chat.send_frame(Op.TEXT, frame)
    mine = {"Authorization": f"Bearer {given[0]}"}
    for path, headers, body in (
        (f"/{SAID}", {}, b""),
        (f"/v1/people.get?person={SAID}&token={given[0]}", mine, b""),
        ("/v1/people.me", {"Authorization": f"Bearer {SECRETS[1]}"}, b""),
        ("/v1/people.me", {"Cookie": f"chatnode_session={SECRETS[1]}"}, b""),
        (
            "/v1/messages.post",
            {"Authorization": f"Bearer {given[0]}", "Content-Type": "application/json"},
            SAID.encode(),
        ),
        ("/metrics", {"Authorization": f"Bearer {SECRETS[1]}", "Via": SAID}, b""),
    ):
        lines = [f"{'POST' if body else 'GET'} {path} HTTP/1.1", "Host: localhost", f"Content-Length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        with Wire(node.address) as wire:
            wire.send("\r\n".join([*lines, "", ""]).encode() + body)
            assert wire.receive()
    for hostile in (
        f"GET /{SAID}\x00 HTTP/1.1\r\nHost: x\r\n\r\n",
        f"{SAID}\r\n\r\n",
        f"GET / HTTP/1.1\r\n{SAID}\r\n\r\n",
    ):
        with Wire(node.address) as wire:
            wire.send(hostile.encode())
            wire.receive()
