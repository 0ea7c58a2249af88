"""Settings of certificates that do not go together are refused at the start, with the fix."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from chatnode import config_file
from chatnode.certificates import wanted
from chatnode.cli import cli
from chatnode.errors import StartError

URL = "https://chat.example.org"


def checked(server: dict[str, Any] | None = None, **acme: Any) -> tuple[str, ...]:
    config = config_file.of_values({"server": server or {}, "acme": acme})
    wanted.check(config)
    return wanted.domains(config)


def test_the_names_are_those_of_the_settings_or_of_the_public_url() -> None:
    assert checked({"public_url": URL}, accept_terms=True) == ("chat.example.org",)
    assert checked({"public_url": URL}, accept_terms=True, domains=["B.example.org", "a.example.org."]) == (
        "b.example.org",
        "a.example.org",
    )
    assert checked({"public_url": "https://chät.example"}, accept_terms=True) == ("xn--cht-rla.example",)
    wanted.check(config_file.of_values({}))


@pytest.mark.parametrize(
    ("server", "acme", "said"),
    [
        ({}, {"accept_terms": True}, "set acme.domains or server.public_url"),
        ({"public_url": "https://192.0.2.7"}, {"accept_terms": True}, "IP addresses.*acme.domains"),
        ({"public_url": "http://chat.example.org"}, {"accept_terms": True}, "use https://"),
        ({"public_url": URL}, {"domains": ["a.example"]}, "acme.domains is set, and acme.accept_terms is not"),
        ({"public_url": URL}, {"contact": "root@example.org"}, "acme.contact is set"),
        ({"tls_certificate": "c", "tls_key": "k"}, {"accept_terms": True}, "both set; remove one"),
        ({"tls_certificate": "c"}, {}, "belong together"),
        ({"http_bind": "*:80"}, {}, "there is no certificate"),
        ({"public_url": URL}, {"accept_terms": True, "eab_kid": "x"}, "eab_key_file belong together"),
        ({"public_url": URL}, {"accept_terms": True, "eab_kid": "x", "eab_key": "a b"}, "not base64url"),
        ({}, {"accept_terms": True, "domains": [f"{number}.example" for number in range(101)]}, "takes 100"),
        ({}, {"accept_terms": True, "domains": ["*.example.org"]}, "wildcard"),
        ({}, {"accept_terms": True, "domains": ["192.0.2.7"]}, "IP addresses"),
        ({}, {"accept_terms": True, "domains": ["https://a.example"]}, "without https://"),
        ({}, {"accept_terms": True, "domains": ["a.example:443"]}, "without a port"),
        ({}, {"accept_terms": True, "directory": "http://ca.example"}, "https:// URL"),
        ({}, {"accept_terms": True, "contact": "nobody"}, "expected an address"),
        ({"http_bind": "here"}, {}, "expected an address and a port"),
    ],
)
def test_what_contradicts_itself_is_refused(server: dict[str, Any], acme: dict[str, Any], said: str) -> None:
    with pytest.raises(StartError, match=said) as caught:
        checked(server, **acme)
    assert "a b" not in str(caught.value)


@pytest.mark.parametrize(
    ("server", "bind", "said"),
    [
        ({"public_url": URL, "trusted_proxies": ["10.0.0.1"]}, "*:443", "behind a proxy that terminates TLS"),
        ({"public_url": URL}, "127.0.0.1:8443", "this machine only"),
        ({"public_url": URL}, "*:443", ""),
    ],
)
def test_what_keeps_an_authority_away_is_said(
    server: dict[str, Any], bind: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        wanted.warn(config_file.of_values({"server": server, "acme": {"accept_terms": True}}), bind)
    assert said in caplog.text
    assert bool(said) == bool(caplog.text)


def test_the_check_of_the_settings_finds_it_too(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[acme]\ndomains = ["a.example"]\n')
    done = CliRunner().invoke(cli, ["--data", str(tmp_path), "config", "--check"])
    assert isinstance(done.exception, StartError)
    assert "acme.accept_terms is not" in str(done.exception)
