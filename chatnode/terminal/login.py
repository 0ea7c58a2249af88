"""Signing in: with a given token, a saved token, or handle and password."""

from __future__ import annotations

import socket
import sys
from functools import partial
from urllib.parse import parse_qs, urlsplit

import attrs
import click
import trio

from chatnode.client import accept_invite, sign_in
from chatnode.client.wire import check_reachable
from chatnode.errors import Refusal
from chatnode.terminal.tokens import Tokens, state_directory

_TRIES = 3


@attrs.frozen
class Ticket:
    """A node and a token for it; `handle` when the token is kept, and so can be forgotten."""

    url: str
    token: str
    handle: str | None = None

    @property
    def remedy(self) -> str:
        """What to do once the token does not work any more."""
        return "pass another --token" if self.handle is None else "run it again to sign in"

    def forget(self) -> None:
        """The token does not work any more."""
        if self.handle is not None:
            Tokens(state_directory(), self.url).forget(self.handle)


def log_in(url: str, handle: str | None, token: str | None) -> Ticket:
    """With `token` as it is; else with the one kept for `handle`, or for the last user; else by asking.

    Raises `Refusal` or `Unreachable`, and `click.UsageError` when there is nobody to ask.
    """
    if token is not None:
        return Ticket(url, token)
    tokens = Tokens(state_directory(), url)
    handle = handle or tokens.last_used()
    if handle is not None and (kept := tokens.load(handle)) is not None:
        return Ticket(url, kept, handle)
    _need_terminal()
    return _ask_password(url, handle, tokens)


def _ask_password(url: str, handle: str | None, tokens: Tokens) -> Ticket:
    trio.run(check_reachable, url)  # before anything is asked in vain
    click.echo(f"Sign in at {url}", err=True)
    asked = handle or click.prompt("Handle", err=True)
    for left in reversed(range(_TRIES)):
        password = click.prompt("Password", hide_input=True, err=True)
        try:
            signed_in = trio.run(partial(sign_in, url, asked, password, _device()))
        except Refusal as refusal:
            if refusal.code != "wrong_password" or not left:
                raise
            click.echo(f"  {refusal.message}", err=True)
        else:
            tokens.save(signed_in.person.handle, signed_in.token)
            return Ticket(url, signed_in.token, signed_in.person.handle)
    raise AssertionError


def log_in_by_invite(link: str) -> Ticket:
    """Make the account that an invite or set-up link is for, asking until the node takes what is given."""
    url, code = parse_link(link)
    _need_terminal()
    click.echo(f"Create your account at {url}", err=True)
    handle = name = password = None
    while True:
        handle = handle or click.prompt("Handle (a-z, 0-9 and . _ -)", err=True)
        name = name or click.prompt("Display name", default=handle, err=True)
        password = password or click.prompt("Password", hide_input=True, confirmation_prompt=True, err=True)
        try:
            signed_in = trio.run(partial(accept_invite, url, code, handle, password, name, _device()))
        except Refusal as refusal:
            if refusal.path not in ("handle", "name", "password"):
                raise
            click.echo(f"  {refusal.message}", err=True)
            handle = None if refusal.path == "handle" else handle
            name = None if refusal.path == "name" else name
            password = None if refusal.path == "password" else password
        else:
            Tokens(state_directory(), url).save(signed_in.person.handle, signed_in.token)
            for each in signed_in.not_joined or ():
                click.echo(f"You could not join one of this invite's groups: {each.message}.", err=True)
            return Ticket(url, signed_in.token, signed_in.person.handle)


def parse_link(link: str) -> tuple[str, str]:
    """Node and code of `http://host:port/#invite=CODE` or `#setup=CODE`."""
    parts = urlsplit(link)
    fields = parse_qs(parts.fragment)
    codes = fields.get("invite") or fields.get("setup")
    if not codes or parts.scheme not in ("http", "https"):
        raise click.UsageError(f"{link!r} is not an invite link; expected one like http://127.0.0.1:8008/#invite=CODE")
    return f"{parts.scheme}://{parts.netloc}{parts.path.rstrip('/')}", codes[0]


def _device() -> str:
    return f"terminal on {socket.gethostname()}"[:100]


def _need_terminal() -> None:
    if not sys.stdin.isatty():
        raise click.UsageError("no terminal to ask for a password; use --token or set CHATNODE_TOKEN")
