"""`chatnode user`, `token`, `role` and `audit`: what is typed and what is seen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from .command import Done, chatnode


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


def ok(done: Done) -> str:
    assert done.status == 0, done
    return done.out


def test_a_life(data: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--name", "Ann Lee", "--no-password"))
    ok(chatnode(data, "user", "add", "weather", "--bot"))
    assert ok(chatnode(data, "user", "list")) == "ann                   Ann Lee\nweather               weather  [bot]\n"
    ok(
        chatnode(
            data, "token", "create", "ann", "--label", "archive", "--scope", "chat:read", "--scope", "operate:read"
        )
    )
    ok(chatnode(data, "token", "create", "ann", "--label", "all"))
    seen = ok(chatnode(data, "user", "sessions", "ann"))
    assert re.fullmatch(
        r" +1  token   never used +archive  \[chat:read operate:read\]\n +2  token +never used +all\n", seen
    )
    assert ok(chatnode(data, "user", "sessions", "ann", "--sign-out")).endswith("2 sessions signed out\n")

    assert re.fullmatch(r"http://127\.0\.0\.1:8008/#reset=[\w-]{43}\n", ok(chatnode(data, "user", "reset", "ann")))
    assert ok(chatnode(data, "user", "deactivate", "ann")) == "ann is deactivated\n"
    assert "Ann Lee  [deactivated]\n" in ok(chatnode(data, "user", "list", "--prefix", "a"))
    done = chatnode(data, "user", "reset", "ann")
    assert (done.status, done.err) == (1, "chatnode: the account of ann is deactivated (person) [conflict]\n")
    assert ok(chatnode(data, "user", "reactivate", "ann")) == "ann can sign in again\n"


def test_roles_and_the_audit_log(data: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    assert ok(chatnode(data, "role", "set", "helper", "chat", "moderate")) == "helper may now: chat moderate\n"
    ok(chatnode(data, "user", "role", "ann", "helper"))
    listed = ok(chatnode(data, "role", "list"))
    assert "helper                1 accounts  chat moderate\n" in listed
    assert "chat            take part in conversations\n" in listed
    done = chatnode(data, "role", "delete", "helper")
    assert (done.status, "1 accounts have this role" in done.err) == (1, True)
    ok(chatnode(data, "user", "role", "ann", "member"))
    assert ok(chatnode(data, "role", "delete", "helper")) == "helper is deleted\n"
    log = ok(chatnode(data, "audit", "--target", "ann", "--action", "people.role")).splitlines()
    assert [line.partition("(operator)")[2].split()[0] for line in log] == ["people.role"] * 2
    assert "before='member' after='helper'" in log[1]
