"""`chatnode user`, `token`, `role` and `audit`: what is typed and what is seen."""

from __future__ import annotations

import json
import re
from pathlib import Path

from .command import Done, chatnode


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
    assert ok(chatnode(data, "token", "revoke", "ann", "1")) == "1 is signed out\n"
    assert "[not_found]" in chatnode(data, "token", "revoke", "ann", "1").err
    assert ok(chatnode(data, "user", "sessions", "ann", "--sign-out")).endswith("1 session signed out\n")

    assert re.fullmatch(r"http://127\.0\.0\.1:8008/#reset=[\w-]{43}\n", ok(chatnode(data, "user", "reset", "ann")))
    assert ok(chatnode(data, "user", "deactivate", "ann")) == "ann is deactivated\n"
    assert "Ann Lee  [deactivated]\n" in ok(chatnode(data, "user", "list", "--prefix", "a"))
    done = chatnode(data, "user", "reset", "ann")
    assert (done.status, done.err) == (1, "chatnode: the account of ann is deactivated (person) [conflict]\n")
    assert ok(chatnode(data, "user", "reactivate", "ann")) == "ann can sign in again\n"


def test_roles_and_the_audit_log(data: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    assert ok(chatnode(data, "role", "set", "helper", "chat", "moderate")) == "helper now has: chat moderate\n"
    ok(chatnode(data, "user", "role", "ann", "helper"))
    listed = ok(chatnode(data, "role", "list"))
    assert re.search(r"^helper +1 account  chat moderate$", listed, re.MULTILINE)
    assert re.search(r"^chat +take part in conversations$", listed, re.MULTILINE)
    assert re.search(r"^attachments\.upload +upload files$", listed, re.MULTILINE)
    done = chatnode(data, "role", "delete", "helper")
    assert (done.status, "used by 1 account;" in done.err) == (1, True)
    ok(chatnode(data, "user", "role", "ann", "member"))
    assert ok(chatnode(data, "role", "delete", "helper")) == "helper is deleted\n"
    log = ok(chatnode(data, "audit", "--target", "ann", "--action", "people.role")).splitlines()
    assert [line.partition("(operator)")[2].split()[0] for line in log] == ["people.role"] * 2
    assert "before='member' after='helper'" in log[1]


def test_taking_everything_away_and_erasing_it(data: Path, tmp_path: Path) -> None:
    ok(chatnode(data, "user", "add", "ann", "--no-password"))
    file = tmp_path / "ann.ndjson"
    done = chatnode(data, "user", "export", "ann", str(file))
    assert done.err == "3 entries written\n"
    assert file.stat().st_mode & 0o777 == 0o600
    assert [json.loads(line)["kind"] for line in file.read_text().splitlines()] == ["profile", "audit", "audit"]

    refused = chatnode(data, "user", "erase", "ann", "--confirm", "anne")
    assert (refused.status, "[invalid]" in refused.err) == (1, True)
    ok(chatnode(data, "token", "create", "ann"))
    assert ok(chatnode(data, "user", "erase", "ann", "--confirm", "ann")) == (
        "        1  sessions\n0 texts searched for in the files: 0 found, 0 also written by others\n"
    )
    assert re.fullmatch(
        r"erased-[0-9a-f]{8} +erased-[0-9a-f]{8}  \[deactivated\]  \[erased\]\n", ok(chatnode(data, "user", "list"))
    )


def test_handing_an_imported_author_over(data: Path, tmp_path: Path) -> None:
    log = tmp_path / "irc.libera.#garden.weechatlog"
    log.write_text("2020-01-01 10:00:00\tada\thello\n2020-01-01 10:00:01\tgrace\thello\n")
    ok(chatnode(data, "import", "irc", str(log)))
    taken = chatnode(data, "user", "add", "ada", "--no-password")
    assert (taken.status, "imported messages" in taken.err, "chatnode user adopt ada" in taken.err) == (1, True, True)
    ok(chatnode(data, "user", "add", "al", "--no-password"))
    amount = "1 message, 0 mentions, 0 memberships"
    assert ok(chatnode(data, "user", "adopt", "ada", "al", "--dry-run")) == f"ada has {amount}\n"
    assert "ada                   ada  [imported]\n" in ok(chatnode(data, "user", "list"))
    assert ok(chatnode(data, "user", "adopt", "ada", "al", "--yes")) == "handed over 1 message of ada\n"
    printed = ok(chatnode(data, "user", "adopt", "grace", "--yes")).splitlines()
    assert printed[0] == "handed over 1 message of grace"
    assert re.fullmatch(r"http://127\.0\.0\.1:8008/#reset=[\w-]{43}", printed[1])
    assert "imported" not in ok(chatnode(data, "user", "list"))
    assert "already present 2, failed 0" in ok(chatnode(data, "import", "irc", str(log)))
