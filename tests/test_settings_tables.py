"""Settings of plugins beyond plain values: tables, and secrets that stand in files."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import attrs
import pytest

from chatnode import config as configuration
from chatnode import config_file
from chatnode.api import setting
from chatnode.errors import StartError
from chatnode.settings import read_section


@attrs.frozen
class Rule:
    words: tuple[str, ...] = setting((), "What it is about.")
    action: str = setting("refuse", "What happens.", choices=("refuse", "hold"))


@attrs.frozen
class Mail:
    host: str = setting("localhost", "Where mail goes.")
    port: int = setting(25, "The port there.", minimum=1)
    password: str = setting("", "The password there.", secret=True)


@attrs.frozen
class Settings:
    rules: tuple[Rule, ...] = setting((), "Rules, the first that fits counts.", of=Rule)
    mail: Mail = setting(Mail(), "The mail server.")
    rooms: dict[str, Rule] = setting({}, "Rules by room.", of=Rule)
    titles: dict[str, str] = setting({}, "Titles by name.")
    token: str = setting("", "A token.", secret=True)


TABLES = """
[plugins.demo.mail]
host = "mail.example"

[[plugins.demo.rules]]
words = ["spam"]

[[plugins.demo.rules]]
words = ["shop"]
action = "hold"

[plugins.demo.rooms.lunch]
action = "hold"

[plugins.demo.titles]
ann = "Dr"
"""
EXPECTED = Settings(
    (Rule(("spam",)), Rule(("shop",), "hold")), Mail("mail.example"), {"lunch": Rule((), "hold")}, {"ann": "Dr"}
)


def read(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> Settings:
    (tmp_path / "config.toml").write_text(text)
    config = config_file.load(tmp_path / "config.toml", environment or {})
    return configuration.settings_of(config, "demo", Settings)


def of(values: dict[str, Any]) -> Settings:
    return read_section(Settings(), values, "plugins.demo", "settings")


def test_tables_are_objects_of_their_classes(tmp_path: Path) -> None:
    assert read(tmp_path, "") == Settings()
    assert read(tmp_path, TABLES) == EXPECTED


def test_the_environment_says_a_key_of_a_table_or_a_value_as_toml_has_it(tmp_path: Path) -> None:
    environment = {
        "CHATNODE_PLUGINS__DEMO__MAIL__PORT": "587",
        "CHATNODE_PLUGINS__DEMO__RULES": '[{words = ["ads"]}]',
        "CHATNODE_PLUGINS__DEMO__TITLES__BOB": "Mx",
    }
    found = read(tmp_path, TABLES, environment)
    assert found == attrs.evolve(
        EXPECTED, rules=(Rule(("ads",)),), mail=Mail("mail.example", 587), titles={"ann": "Dr", "bob": "Mx"}
    )


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        (
            {"rules": {"words": []}},
            "plugins.demo.rules must be a list of tables, each beginning with [[plugins.demo.rules]]",
        ),
        ({"rules": [{}, {"word": 1}]}, "no setting plugins.demo.rules[1].word; [plugins.demo.rules[1]] has words"),
        ({"rules": [{"action": "x"}]}, "plugins.demo.rules[0].action is 'x'; expected one of refuse, hold"),
        ({"rules": ["spam"]}, "plugins.demo.rules[0] must be a table, as in [plugins.demo.rules[0]]"),
        ({"rules": "[{"}, "plugins.demo.rules is not a valid TOML value: "),
        ({"mail": 25}, "plugins.demo.mail must be a table, as in [plugins.demo.mail]"),
        ({"mail": {"port": 0}}, "plugins.demo.mail.port is 0; the minimum is 1"),
        ({"rooms": {"lunch": {"x": 1}}}, "no setting plugins.demo.rooms.lunch.x; "),
        ({"titles": {"ann": 1}}, "plugins.demo.titles.ann must be a string"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(values: Any, fault: str) -> None:
    with pytest.raises(StartError) as caught:
        of(values)
    assert str(caught.value).startswith(f"settings: {fault}")


# ---- secrets


def test_a_secret_stands_in_a_file_which_the_environment_may_name(tmp_path: Path) -> None:
    (tmp_path / "token").write_text("hush\n")
    text = f'[plugins.demo]\ntoken_file = "{tmp_path}/token"\n'
    assert read(tmp_path, text).token == "hush"
    assert read(tmp_path, "", {"CHATNODE_PLUGINS__DEMO__TOKEN_FILE": f"{tmp_path}/token"}).token == "hush"
    assert read(tmp_path, "", {"CHATNODE_PLUGINS__DEMO__TOKEN": "hush"}).token == "hush"
    assert of({"mail": {"password_file": f"{tmp_path}/token"}}).mail.password == "hush"


def test_a_relative_path_is_a_credential_of_systemds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "token").write_text("hush")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert of({"token_file": "token"}).token == "hush"


@pytest.mark.parametrize(
    ("values", "fault"),
    [
        ({"token_file": "/gone"}, "plugins.demo.token_file: cannot read /gone: No such file or directory"),
        ({"token_file": "EMPTY"}, "plugins.demo.token_file: EMPTY is empty"),
        ({"token_file": "ODD"}, "plugins.demo.token_file: ODD is not UTF-8 text"),
        ({"token_file": ""}, "plugins.demo.token_file must be the path of a file"),
        ({"token": "hush", "token_file": "EMPTY"}, "plugins.demo has token and token_file; set only one of them"),
        ({"token": ["hush"]}, "plugins.demo.token must be a string"),
        ({"titles_file": "EMPTY"}, "no setting plugins.demo.titles_file; "),
    ],
)
def test_a_file_that_holds_none_is_refused_by_name(tmp_path: Path, values: Any, fault: str) -> None:
    (tmp_path / "EMPTY").write_text("\n")
    (tmp_path / "ODD").write_bytes(b"hush\xff")
    here = {key: f"{tmp_path}/{value}" if value in ("EMPTY", "ODD") else value for key, value in values.items()}
    with pytest.raises(StartError) as caught:
        of(here)
    assert str(caught.value).replace(f"{tmp_path}/", "").startswith(f"settings: {fault}")
    assert "hush" not in str(caught.value)


def test_a_secret_is_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = config_file.of_values({"plugins": {"demo": {"token": "hush", "mail": {"password": "hush"}}}})
    found = configuration.settings_of(config, "demo", Settings)
    assert (found.token, found.mail.password) == ("hush", "hush")
    logging.getLogger("chatnode").warning("%s %r", config, found)
    assert "hush" not in repr(config) + repr(found) + caplog.text


def _address(text: str) -> str:
    if not text.startswith("https:"):
        raise ValueError(f"write https://…, not {text}")
    return text


@attrs.frozen
class Hook:
    address: str = setting("https://example.org", "An address that is a password.", secret=True, read=_address)
    level: str = setting("low", "A word.", secret=True, choices=("low", "high"))


@pytest.mark.parametrize("values", [{"address": "hush"}, {"level": "hush"}])
def test_a_secret_that_is_wrong_is_not_shown_either(values: Any) -> None:
    """The reason is in the log, in `chatnode plugin list` and in /health."""
    with pytest.raises(StartError, match=rf"^settings: plugins.demo.{next(iter(values))} is not valid; ") as caught:
        configuration.settings_of(config_file.of_values({"plugins": {"demo": values}}), "demo", Hook)
    assert "hush" not in str(caught.value)
