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
from chatnode import config_file
from chatnode.config import Config, Limits, settings_of
from chatnode.config_file import load, render, sections
from chatnode.errors import StartError
from chatnode.node import open_node
from chatnode.settings import setting

ROOT = Path(__file__).parents[1]
SETTINGS = [(section, field) for section, kind in sections() for field in attrs.fields(kind)]
NAMES = [f"{section}.{field.name}" for section, field in SETTINGS]


def test_the_file_at_the_top_shows_every_setting() -> None:
    assert (ROOT / "config.toml").read_text() == render(), "run: python -m chatnode.config_file > config.toml"


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
    with pytest.raises(StartError, match="minimum is 1"):
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


@pytest.mark.parametrize(
    ("variable", "meant"),
    [
        ("CHATNODE_SERVER_BIND", "CHATNODE_SERVER__BIND"),
        ("CHATNODE__SERVER__BIND", "CHATNODE_SERVER__BIND"),
        ("CHATNODE_BIND", "CHATNODE_SERVER__BIND"),
        ("chatnode_server__bind", "CHATNODE_SERVER__BIND"),
        ("CHATNODE_server__bind", "CHATNODE_SERVER__BIND"),
        ("CHATNODE-SERVER-BIND", "CHATNODE_SERVER__BIND"),
        ("CHATNODE_SERVER_PUBLIC_URI", "CHATNODE_SERVER__PUBLIC_URL"),
        ("CHATNODE_LIMITS_HEAD_BYTES", "CHATNODE_LIMITS__HEAD_BYTES"),
        ("CHATNODE_BACKUP_PASSPHRASE_FILE", "CHATNODE_BACKUP__PASSPHRASE_FILE"),
        ("CHATNODE_PLUGINS_CONTACTS_ENTRIES", "CHATNODE_PLUGINS__<PLUGIN>__<KEY>"),
    ],
)
def test_a_variable_that_is_nearly_a_setting_is_not_passed_over(variable: str, meant: str) -> None:
    with pytest.raises(StartError) as caught:
        load(None, {variable: "1"})
    assert str(caught.value) == f"environment: {variable} is not a setting; did you mean {meant}?"


def test_variables_of_others_are_none_of_our_business() -> None:
    own = ("CHATNODE_DATA", "CHATNODE_TOKEN", "CHATNODE_URL", "CHATNODE_BACKUP_PASSPHRASE", "CHATNODE_ARCHIVE")
    kubernetes = ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8008_TCP", "PORT_8008_TCP_ADDR", "SERVER_PORT")
    names = [*own, *(f"CHATNODE_{name}" for name in kubernetes), "CHATNODE", "CHATNODES_SERVER_BIND", "SERVER__BIND"]
    assert load(None, dict.fromkeys(names, "tcp://10.0.0.1:8008")) == Config()


def test_true_and_false_are_written_as_people_write_them(tmp_path: Path) -> None:
    for word, value in {
        "true": True, "True": True, "yes": True, "ON": True, "1": True, " true ": True,
        "false": False, "no": False, "off": False, "0": False,
    }.items():  # fmt: skip
        assert load(None, {"CHATNODE_SEARCH__ENABLED": word}).search.enabled is value, word
    path = tmp_path / "config.toml"
    for word, value in {"true": True, "false": False, "1": True, "0": False, "'no'": False}.items():
        path.write_text(f"[search]\nenabled = {word}\n")
        assert load(path, {}).search.enabled is value, word
    for word in ("", "2", "maybe", "truee"):
        with pytest.raises(StartError, match=r"search\.enabled is .*; expected true or false"):
            load(None, {"CHATNODE_SEARCH__ENABLED": word})


def test_a_list_in_the_environment_may_be_written_as_in_a_file() -> None:
    def allowed(text: str) -> tuple[str, ...]:
        return load(None, {"CHATNODE_OUTBOUND__ALLOW": text}).outbound.allow

    assert allowed('["10.1.0.0/16", "ntfy.lan:8080"]') == allowed("10.1.0.0/16,ntfy.lan:8080") != ()
    assert allowed("[fd00::5]:8443") == ("[fd00::5]:8443",)
    with pytest.raises(StartError, match="expected a list of strings"):
        allowed("[8]")


def test_addresses_and_origins_are_understood_wherever_they_are_set(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(
        '[server]\norigins = ["https://A.example/", "https://a.example:443"]\ntrusted_proxies = ["10.1.2.3/8"]\n'
        'metrics_addresses = ["[::1]"]\npublic_url = "https://Chat.example/"\n'
    )
    server = load(path, {}).server
    assert server.origins == ("https://a.example",)
    assert server.trusted_proxies == ("10.0.0.0/8",)
    assert server.metrics_addresses == ("::1",)
    assert server.public_url == "https://chat.example"
    made = configuration.Server(origins=("https://A.example/",), public_url="https://Chat.example/")
    assert (made.origins, made.public_url) == (server.origins, server.public_url)
    assert configuration.Server(origins=["https://A.example/"]).origins == server.origins  # type: ignore[arg-type]
    for wrong in ("https://a.example", ("https://a.example", 5), None, {"https://a.example"}):
        with pytest.raises(StartError, match=r"origins is .*; expected a list of strings"):
            configuration.Server(origins=wrong)  # type: ignore[arg-type]
    for not_text in (None, 5, ["https://chat.example"]):
        with pytest.raises(StartError, match=r"public_url is .*; expected a string"):
            configuration.Server(public_url=not_text)  # type: ignore[arg-type]
    with pytest.raises(StartError, match=r"origins is '\*'"):
        configuration.Server(origins=("https://a.example", "*"))
    with pytest.raises(StartError, match="trusted_proxies is 'localhost'"):
        load(None, {"CHATNODE_SERVER__TRUSTED_PROXIES": "10.0.0.1, localhost"})


def test_the_real_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CHATNODE_LIMITS__IN_FLIGHT", "7")
    assert load().limits.in_flight == 7


WRONG: dict[str, list[str]] = {
    "[limits]\nconnections = 'many'": ["limits.connections", "'many'", "an integer"],
    "[limits]\nconnections = 1.5": ["limits.connections", "1.5", "an integer"],
    "[limits]\nconnections = true": ["limits.connections", "True"],
    "[limits]\nconnections = [1]": ["limits.connections"],
    "[limits]\nconnections = -1": ["limits.connections", "minimum is 0"],
    "[limits]\nhead_seconds = nan": ["limits.head_seconds"],
    "[limits]\nhead_seconds = inf": ["limits.head_seconds"],
    f"[limits]\nhead_seconds = 1{'0' * 400}": ["limits.head_seconds", "expected a number"],
    "[server]\nbind = 8008": ["server.bind", "string"],
    "[server]\norigins = 'https://a.example'\ntrusted_proxies = [1]": ["server.trusted_proxies", "list of strings"],
    "[server]\ndead_peer_seconds = 0": ["server.dead_peer_seconds", "minimum is 1"],
    "[logs]\nlevel = 'loud'": ["logs.level", "debug, info, warning, error"],
    "[logs]\nformat = 'xml'": ["logs.format", "text, json"],
    "[logs]\ncolour = 'red'": ["no setting logs.colour", "level, format"],
    "[log]\nlevel = 'info'": ["no section [log]", ", ".join(name for name, _ in sections())],
    "logs = 'loud'": ["logs must be a section"],
    "[logs": ["table declaration"],
    "bind = '127.0.0.1:80'": ["bind is in no section", "move it to [server]"],
    "colour = 'red'": ["colour is in no section", "the sections are"],
    "[limits]\nbind = '127.0.0.1:80'": ["no setting limits.bind", "[server] has one"],
    "[server]\nbind = '127.0.0.1'": ["server.bind is '127.0.0.1'", "expected an address and a port"],
    "[server]\norigins = ['*']": ["server.origins is '*'", "https://chat.example.org"],
    "[server]\norigins = ['https://a.example/app']": ["server.origins", "use https://a.example"],
    "[server]\npublic_url = 'chat.example.org'": ["server.public_url is 'chat.example.org'", "http://"],
    "[server]\nbase_path = 'chat'": ["server.base_path is 'chat'", "as in /chat"],
    "[server]\nbase_path = '/v1'": ["server.base_path is '/v1'", "choose another one"],
    "[server]\ntrusted_proxies = ['proxy']": ["server.trusted_proxies is 'proxy'", "10.0.0.0/8"],
    "[server]\nmetrics_addresses = ['10.0.0.0/40']": ["server.metrics_addresses is '10.0.0.0/40'", "10.0.0.0/8"],
    "[search]\nenabled = 'perhaps'": ["search.enabled is 'perhaps'", "true or false"],
    "[search]\nenabled = 1.0": ["search.enabled is 1.0", "true or false"],
}


@pytest.mark.parametrize("text", WRONG, ids=[text.replace("\n", " ")[:80] for text in WRONG])
def test_what_is_wrong_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(StartError) as caught:
        load(path, {})
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert [part for part in WRONG[text] if part not in message] == [], message


def test_a_file_may_begin_with_the_mark_of_its_encoding(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b"\xef\xbb\xbf[limits]\r\nedits = 3\r\n")
    assert load(path, {}).limits.edits == 3


def test_a_file_in_another_encoding_names_the_line(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes("[limits]\nedits = 3  # höchstens\n".encode("latin-1"))
    with pytest.raises(StartError, match=f"{path}: line 2 is not UTF-8; save the file as UTF-8"):
        load(path, {})


@attrs.frozen
class OfPlugin:
    threads: int = setting(4, "Threads.", minimum=1)


def test_a_wrong_setting_of_a_plugin_names_where_it_is(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("[plugins.demo]\nthreads = 0")
    variable = {"CHATNODE_PLUGINS__DEMO__THREADS": "0"}
    for config, place in (
        (load(path, {}), str(path)), (load(None, variable), "environment"),
        (load(path, variable), f"{path} or environment"),
    ):  # fmt: skip
        with pytest.raises(StartError, match=f"^{place}: plugins.demo.threads is '?0'?; the minimum is 1"):
            settings_of(config, "demo", OfPlugin)


@pytest.mark.parametrize(
    ("variable", "value", "part"),
    [
        ("CHATNODE_LIMIT__CONNECTIONS", "1", "no section [LIMIT]"),
        ("CHATNODE_LIMITS__CONNECTION", "1", "no setting limits.connection"),
        ("CHATNODE_LIMITS__CONNECTIONS", "x", "limits.connections is 'x'"),
        ("CHATNODE_LIMITS__CONNECTIONS", "", "limits.connections is ''"),
        ("CHATNODE_LIMITS__", "1", "no setting limits."),
        ("CHATNODE_LOGS__LEVEL", "INFO", "expected one of debug, info, warning, error"),
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


@attrs.frozen
class OfAPlugin:
    loud: bool = configuration.setting(False, "Whether it shouts.")


def test_a_plugin_has_settings_that_are_true_or_false() -> None:
    config = load(None, {"CHATNODE_PLUGINS__HELLO__LOUD": "on"})
    assert configuration.settings_of(config, "hello", OfAPlugin).loud is True
    assert configuration.settings_of(config, "other", OfAPlugin).loud is False
    config = config_file.of_values({"plugins": {"hello": {"loud": "louder"}}})
    with pytest.raises(StartError, match=r"plugins\.hello\.loud is 'louder'; expected true or false"):
        configuration.settings_of(config, "hello", OfAPlugin)
