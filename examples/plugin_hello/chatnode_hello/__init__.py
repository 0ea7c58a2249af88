"""Hello: greets users, and marks messages that begin with a greeting."""

from __future__ import annotations

from typing import Protocol

import attrs
import click

from chatnode.api import (
    CHAT,
    Context,
    Draft,
    Person,
    Plugin,
    Who,
    command,
    find_person,
    hookimpl,
    public_person,
    setting,
)

# ---- a setting: [plugins.hello] of config.toml


@attrs.frozen
class Settings:
    """Greeting."""

    word: str = setting("hello", "The word to greet users with.")


# ---- a command: on the socket, over HTTP, in OpenAPI, in `chatnode call`


@attrs.define
class Greet:
    """The user to greet."""

    person: Who


@attrs.define
class Greeting:
    """The greeting."""

    person: Person
    text: str


@command("hello.greet", permission=CHAT, reads=True)
async def greet(ctx: Context, asked: Greet) -> Greeting:
    """Return a greeting for a user."""
    person = public_person(await ctx.read(lambda reader: find_person(reader, asked.person)))
    return Greeting(person, f"{ctx.settings(Settings).word}, {person.name or person.handle}!")


# ---- a hook: it changes messages before they are written


@hookimpl
async def prepare_draft(ctx: Context, draft: Draft) -> None:
    """Mark messages that begin with the greeting."""
    if draft.text.casefold().startswith(ctx.settings(Settings).word.casefold()):
        draft.metadata = {**(draft.metadata or {}), "hello.greets": "yes"}


# ---- a subcommand of `chatnode`: `chatnode hello greet ann`


class Call(Protocol):
    """Runs a command as the operator."""

    def __call__(self, name: str, /, **fields: str) -> dict[str, str]: ...


@click.group()
def cli() -> None:
    """Greet people."""


@cli.command("greet")
@click.argument("person")
@click.pass_obj
def greet_here(call: Call, person: str) -> None:
    """Print a greeting for PERSON."""
    click.echo(call("hello.greet", person=person)["text"])


# ---- the declaration


@hookimpl
def chatnode_plugin() -> Plugin:
    """The declaration."""
    return Plugin(
        name="hello",
        version="1.0",
        api="2.0",
        about="Greets users.",
        settings=Settings,
        commands=(greet,),
        cli=cli,
    )
