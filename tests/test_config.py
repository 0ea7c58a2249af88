"""Settings: one place says them, one file shows them, and each is used."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import attrs
import pytest

import chatnode
from chatnode import config as configuration
from chatnode.config import Config, Limits, load, render, sections
from chatnode.errors import StartError
from chatnode.node import open_node

ROOT = Path(__file__).parents[1]
SETTINGS = [(section, field) for section, kind in sections() for field in attrs.fields(kind)]
NAMES = [f"{section}.{field.name}" for section, field in SETTINGS]


def test_the_file_at_the_top_shows_every_setting() -> None:
    assert (ROOT / "config.toml").read_text() == render(), "write it anew: python -m chatnode.config > config.toml"


def test_the_file_at_the_top_changes_nothing() -> None:
    assert load(ROOT / "config.toml", {}) == Config()
    shown = tomllib.loads(render())
    assert [f"{section}.{key}" for section, keys in shown.items() for key in keys] == NAMES


@pytest.mark.parametrize(("section", "field"), SETTINGS, ids=NAMES)
def test_a_setting_is_explained_and_used(section: str, field: attrs.Attribute[Any]) -> None:
    help = field.metadata["help"]
    assert help[0].isupper() or help.startswith(("debug", "text"))
    assert help.endswith(".")
    assert len(help) > 20
    sources = [path for path in Path(chatnode.__file__).parent.rglob("*.py") if path.name != "config.py"]
    assert any(re.search(rf"\.{field.name}\b", path.read_text()) for path in sources), "nobody reads it"


def test_a_limit_of_0_is_no_limit() -> None:
    limits = [field.name for field in attrs.fields(Limits)]
    nothing = {f"CHATNODE_LIMITS__{name.upper()}": "0" for name in limits if name != "page_items"}
    assert attrs.asdict(load(None, nothing).limits) == dict.fromkeys(limits, 0) | {"page_items": 500}
    with pytest.raises(StartError, match="least is 1"):
        load(None, {"CHATNODE_LIMITS__PAGE_ITEMS": "0"})


def test_a_file_needs_only_what_differs(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text('[server]\norigins = ["https://a.example"]\nshutdown_seconds = 2\n[limits]\nconnections = 1_000\n')
    config = load(path, {})
    assert config.server.origins == ("https://a.example",)
    assert (config.server.shutdown_seconds, type(config.server.shutdown_seconds)) == (2.0, float)
    assert config.limits == attrs.evolve(Limits(), connections=1_000)
    assert config.server.bind == Config().server.bind


def test_the_environment_is_above_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[limits]\nconnections = 1\nin_flight = 2\n")
    environment = {
        "CHATNODE_LIMITS__CONNECTIONS": "3",
        "CHATNODE_SERVER__BIND": "0.0.0.0:80",
        "CHATNODE_SERVER__ORIGINS": "https://a.example, https://b.example,",
        "CHATNODE_SERVER__TRUSTED_PROXIES": "",
        "CHATNODE_SERVER__SHUTDOWN_SECONDS": "0.5",
        "CHATNODE_LOGS__LEVEL": "debug",
        "CHATNODE_DATA": "elsewhere",  # a command line's own, like CHATNODE_TOKEN
        "CHATNODE": "x",
        "OTHER_LIMITS__IN_FLIGHT": "9",
    }
    config = load(path, environment)
    assert (config.limits.connections, config.limits.in_flight) == (3, 2)
    assert config.server.bind == "0.0.0.0:80"
    assert config.server.origins == ("https://a.example", "https://b.example")
    assert config.server.trusted_proxies == ()
    assert config.server.shutdown_seconds == 0.5
    assert config.logs.level == "debug"


def test_the_real_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATNODE_LIMITS__IN_FLIGHT", "7")
    assert load().limits.in_flight == 7


WRONG: dict[str, list[str]] = {
    "[limits]\nconnections = 'many'": ["limits.connections", "'many'", "whole number"],
    "[limits]\nconnections = 1.5": ["limits.connections", "1.5", "whole number"],
    "[limits]\nconnections = true": ["limits.connections", "True"],
    "[limits]\nconnections = [1]": ["limits.connections"],
    "[limits]\nconnections = -1": ["limits.connections", "least is 0"],
    "[limits]\nhead_seconds = nan": ["limits.head_seconds"],
    "[limits]\nhead_seconds = inf": ["limits.head_seconds"],
    "[server]\nbind = 8008": ["server.bind", "text"],
    "[server]\norigins = 'https://a.example'\ntrusted_proxies = [1]": ["server.trusted_proxies", "list of texts"],
    "[server]\ndead_peer_seconds = 0": ["server.dead_peer_seconds", "least is 1"],
    "[logs]\nlevel = 'loud'": ["logs.level", "debug, info, warning, error"],
    "[logs]\nformat = 'xml'": ["logs.format", "text, json"],
    "[logs]\ncolour = 'red'": ["no setting logs.colour", "level, format"],
    "[log]\nlevel = 'info'": ["no section [log]", ", ".join(name for name, _ in sections())],
    "logs = 'loud'": ["logs must be a section"],
    "[logs": ["table declaration"],
}


@pytest.mark.parametrize("text", WRONG, ids=[text.replace("\n", " ") for text in WRONG])
def test_what_is_wrong_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(StartError) as caught:
        load(path, {})
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert [part for part in WRONG[text] if part not in message] == [], message


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("CHATNODE_LIMIT__CONNECTIONS", "1", "no section [LIMIT]"),
        ("CHATNODE_LIMITS__CONNECTION", "1", "no setting limits.connection"),
        ("CHATNODE_LIMITS__CONNECTIONS", "x", "limits.connections is 'x'"),
        ("CHATNODE_LIMITS__CONNECTIONS", "", "limits.connections is ''"),
        ("CHATNODE_LIMITS__", "1", "no setting limits."),
        ("CHATNODE_LOGS__LEVEL", "INFO", "it takes debug, info, warning, error"),
    ],
)
def test_what_is_wrong_in_the_environment_is_named(variable: str, value: str, part: str) -> None:
    with pytest.raises(StartError, match=re.escape(part)) as caught:
        load(None, {variable: value})
    assert str(caught.value).startswith("environment: ")


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match="no such file"):
        load(tmp_path / "nowhere.toml", {})
    with pytest.raises(StartError, match=re.escape(str(tmp_path))):
        load(tmp_path, {})


async def test_a_directorys_own_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[limits]\npage_items = 3\n")
    async with open_node(tmp_path) as node:
        assert node.core.config.limits.page_items == 3
    async with open_node(tmp_path, Config()) as node:
        assert node.core.config.limits.page_items == 500


def test_settings_do_not_change_while_a_node_runs() -> None:
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        configuration.Config().limits.connections = 1  # type: ignore[misc]
