"""`chatnode chat`."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import click
import trio

from chatnode.cli.addressing import url_of_node, url_option
from chatnode.client import SignedOut
from chatnode.terminal.interactive import chat_at_terminal
from chatnode.terminal.login import log_in, log_in_by_invite
from chatnode.terminal.piped import chat_by_lines


@click.command()
@url_option
@click.option("--as", "handle", metavar="HANDLE", help="Handle to sign in as (default: the last one used).")
@click.option("--token", envvar="CHATNODE_TOKEN", help="Sign in with this token, without saving it.")
@click.option("--invite", metavar="LINK", help="Create your account with an invite or set-up link.")
@click.option("--notify", is_flag=True, help="Show desktop notifications, with notify-send.")
@click.argument("who", metavar="[WHO_OR_CONVERSATION]", required=False)
@click.pass_obj
def chat(
    data: Path,
    url: str | None,
    handle: str | None,
    token: str | None,
    invite: str | None,
    notify: bool,
    who: str | None,
) -> None:
    """Chat in this terminal.

    The first time, asks for handle and password, and saves a token. WHO_OR_CONVERSATION is the handle of a user or the
    title of a conversation to open.

    If standard input or output is not a terminal, it posts each line of standard input to
    WHO_OR_CONVERSATION, prints what others write there, and exits at the end of input.
    """
    by_lines = not (sys.stdin.isatty() and sys.stdout.isatty())
    if by_lines and notify:
        raise click.UsageError("--notify needs a terminal")
    if by_lines and who is None:
        raise click.UsageError("without a terminal, name the conversation: chatnode chat HANDLE_OR_TITLE")
    reconfigure = getattr(sys.stdout, "reconfigure", None)
    if reconfigure is not None:
        reconfigure(errors="replace")  # one message in a script that the terminal lacks must not end it
    ticket = log_in_by_invite(invite) if invite is not None else log_in(url_of_node(url, data), handle, token)
    try:
        if not by_lines:
            trio.run(partial(chat_at_terminal, ticket.url, ticket.token, who, notify=notify))
        elif who is not None and not trio.run(partial(chat_by_lines, ticket.url, ticket.token, who)):
            sys.exit(1)
    except SignedOut as refusal:
        ticket.forget()
        click.echo(f"chatnode: {refusal.message}; {ticket.remedy}", err=True)
        sys.exit(1)
    except BrokenPipeError:  # the reader of our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
