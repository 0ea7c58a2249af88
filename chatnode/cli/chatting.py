"""`chatnode chat`."""

from __future__ import annotations

import os
import sys
from functools import partial

import click
import trio

from chatnode.client import SignedOut
from chatnode.terminal.interactive import chat_at_terminal
from chatnode.terminal.login import log_in, log_in_by_invite
from chatnode.terminal.piped import chat_by_lines


@click.command()
@click.option("--url", envvar="CHATNODE_URL", default="http://127.0.0.1:8008", show_default=True, help="The node.")
@click.option("--as", "handle", metavar="HANDLE", help="Who you are there; whoever was last by default.")
@click.option("--token", envvar="CHATNODE_TOKEN", help="Sign in with this token and keep nothing.")
@click.option("--invite", metavar="LINK", help="Make your account with an invite or set-up link.")
@click.argument("who", metavar="[WHO_OR_CONVERSATION]", required=False)
def chat(url: str, handle: str | None, token: str | None, invite: str | None, who: str | None) -> None:
    """Chat in this terminal.

    Asks for handle and password at first; then keeps a token of this terminal's own. WHO_OR_CONVERSATION is a
    handle or the title of a conversation to go to.

    Without a terminal on both sides it works by lines: those of standard input are posted to
    WHO_OR_CONVERSATION, what others say there is printed, and it ends when the input does.
    """
    by_lines = not (sys.stdin.isatty() and sys.stdout.isatty())
    if by_lines and who is None:
        raise click.UsageError("without a terminal, name the conversation: chatnode chat HANDLE_OR_TITLE")
    ticket = log_in_by_invite(invite) if invite is not None else log_in(url, handle, token)
    try:
        if not by_lines:
            trio.run(chat_at_terminal, ticket.url, ticket.token, who)
        elif who is not None and not trio.run(partial(chat_by_lines, ticket.url, ticket.token, who)):
            sys.exit(1)
    except SignedOut as refusal:
        ticket.forget()
        click.echo(f"chatnode: {refusal.message}; run it again to sign in anew", err=True)
        sys.exit(1)
    except BrokenPipeError:  # whoever read our output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
