"""`chatnode upload` and `chatnode download`."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import AsyncExitStack, aclosing
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click
import trio

from chatnode.cli.addressing import url_of_node, url_option
from chatnode.cli.progress import Bars
from chatnode.client import Client, SignedOut, UploadedFile, connect, new_cid
from chatnode.terminal.login import Ticket, log_in
from chatnode.terminal.naming import find
from chatnode.terminal.posting import post_patiently
from chatnode.terminal.printable import one_line
from chatnode.terminal.saving import places, save
from chatnode.terminal.tokens import state_directory
from chatnode.terminal.unfinished import UnfinishedUpload, UnfinishedUploads

_F = TypeVar("_F", bound=Callable[..., object])
_READ_BYTES = 2**17
_STAGE_CHARS = 24


def _at_a_node(command: _F) -> _F:
    """The options that say which node, and as which user."""
    for option in (
        click.option("--token", envvar="CHATNODE_TOKEN", help="Sign in with this token, without saving it."),
        click.option("--as", "handle", metavar="HANDLE", help="Handle to sign in as (default: the last one used)."),
        url_option,
    ):
        command = option(command)
    return command


@click.command()
@_at_a_node
@click.option("--to", "who", metavar="WHO_OR_CONVERSATION", help="Post the files there, in one message.")
@click.option("--text", default="", help="Text of the message; needs --to.")
@click.option("--original", is_flag=True, help="Upload pictures unchanged, with metadata such as location.")
@click.option("--name", help="Name of the file, instead of its own; needed for standard input.")
@click.argument("files", metavar="FILE…", nargs=-1, required=True)
@click.pass_obj
def upload(
    data: Path,
    url: str | None,
    handle: str | None,
    token: str | None,
    files: tuple[str, ...],
    name: str | None,
    **options: Any,
) -> None:
    """Upload files as a user, and print their ids.

    FILE is a path, or - for standard input. If it is interrupted, run it again: it continues where it stopped.
    Files that are not posted within a day are removed.
    """
    if name is None and "-" in files:
        raise click.UsageError("standard input needs a --name")
    if name is not None and len(files) > 1:
        raise click.UsageError("--name is for one file")
    if options["text"] and options["who"] is None:
        raise click.UsageError("--text needs --to")
    _run(log_in(url_of_node(url, data), handle, token), partial(_upload, files=files, name=name, **options))


@click.command()
@_at_a_node
@click.option("--variant", help="A variant of the file, such as thumb320.")
@click.argument("file")
@click.argument("target", type=click.Path(path_type=Path), default=Path())
@click.pass_obj
def download(
    data: Path, url: str | None, handle: str | None, token: str | None, file: str, target: Path, variant: str | None
) -> None:
    """Download a file as a user, and print its path.

    FILE is its id. TARGET is a directory, or a path that does not exist yet; the current directory by default. Nothing
    is overwritten. If it is interrupted, run it again: it continues where it stopped.
    """
    _run(log_in(url_of_node(url, data), handle, token), partial(_download, file=file, target=target, variant=variant))


def _run(ticket: Ticket, main: Callable[[Client, str], Any]) -> None:
    async def run() -> None:
        async with connect(ticket.url, ticket.token, events=False) as client:
            await main(client, ticket.url)

    try:
        trio.run(run)
    except SignedOut as refusal:
        ticket.forget()
        click.echo(f"chatnode: {refusal.message}; {ticket.remedy}", err=True)
        sys.exit(1)


async def _upload(
    client: Client, url: str, files: Sequence[str], name: str | None, who: str | None, text: str, original: bool
) -> None:
    conversation = (await find(client, who)).conversation if who is not None else None
    unfinished = UnfinishedUploads(state_directory(), url, client.me.id)
    uploaded: list[UploadedFile] = []
    async with AsyncExitStack() as kept:
        bars = kept.enter_context(Bars())
        standard_input = await kept.enter_async_context(aclosing(_standard_input()))
        begun: list[UnfinishedUpload] = []
        for file in files:
            path = None if file == "-" else Path(file)
            begun.append(kept.enter_context(unfinished.of_file(path, original=original)))
            own = name or Path(file).name
            uploaded.append(
                await client.upload(
                    path or standard_input,
                    name=own,
                    as_file=original,
                    progress=partial(_show, bars, one_line(own, _STAGE_CHARS)),
                    resume=begun[-1].id,
                    created=begun[-1].keep,
                )
            )
            begun[-1].keep(uploaded[-1].id)
        if conversation is not None:
            await post_patiently(client, conversation, text, cid=new_cid(), files=uploaded)
        for each in uploaded:
            click.echo(each.id)
        for each in begun:
            each.forget()
        unsafe = [each.name for each in uploaded if each.scan == "unsafe"]
        for name in unsafe:
            click.echo(
                f"chatnode: {one_line(name, _STAGE_CHARS)}: the virus scanner found something in it; it was removed",
                err=True,
            )
        if unsafe:
            sys.exit(1)


def _show(bars: Bars, stage: str, done: int, whole: int | None) -> None:
    if whole is not None:
        bars(stage, done, whole)


async def _standard_input() -> AsyncGenerator[bytes]:
    # os.read, not sys.stdin: a thread that is left behind must not hold the lock of a Python file.
    while data := await trio.to_thread.run_sync(os.read, sys.stdin.fileno(), _READ_BYTES, abandon_on_cancel=True):
        yield data


async def _download(client: Client, url: str, file: str, target: Path, variant: str | None) -> None:
    name = ""
    if await trio.Path(target).is_dir():
        name = str((await client.call("attachments.get", file=file))["file"]["name"])
    paths = await places(target, name)
    with Bars() as bars:
        stage = one_line(name or target.name, _STAGE_CHARS)
        saved = await save(client, file, paths, partial(_show, bars, stage), variant)
    click.echo(str(saved))
