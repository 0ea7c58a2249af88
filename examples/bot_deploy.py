"""A bot with a slash command and buttons: `/deploy BRANCH` asks the conversation, and a button decides.

    CHATNODE_TOKEN=… python examples/bot_deploy.py http://127.0.0.1:8008

Add the bot to a group, then run `/deploy main` there. `bot.py` shows how to store the position of the last event, so
that a bot also handles what it missed while it was not running.
"""

from __future__ import annotations

import os
import sys

import trio

from chatnode.client import Client, Pushed, connect
from chatnode.model.events import ActionInvoked, SlashInvoked

COMMANDS = [{"name": "deploy", "about": "Deploy a branch", "usage": "BRANCH"}]
BUTTONS = [
    {"id": "approve", "label": "Approve", "style": "primary"},
    {"id": "reject", "label": "Reject", "style": "danger", "confirm": "Really reject it?"},
]


async def run_bot(url: str, token: str) -> None:
    """Runs until cancelled, or until the token is revoked."""
    async with connect(url, token) as bot:
        await bot.call("bots.commands.set", commands=COMMANDS)
        async for item in bot.events():
            if isinstance(item, Pushed) and isinstance(item.event, SlashInvoked):
                await ask(bot, item.event)
            elif isinstance(item, Pushed) and isinstance(item.event, ActionInvoked):
                await decide(bot, item.event)


async def ask(bot: Client, invoked: SlashInvoked) -> None:
    """Answer everyone with a question, or the user alone. The cid makes it safe to answer the same event again."""
    branch = invoked.text.strip()
    if branch:
        answer = {"text": f"Deploy {branch}, as {invoked.person.handle} asks?", "visible": "all", "actions": BUTTONS}
    else:
        answer = {"text": "Which branch? /deploy BRANCH", "visible": "only_you"}
    await bot.call("slash.reply", invocation=invoked.invocation, cid="answer", **answer)


async def decide(bot: Client, pressed: ActionInvoked) -> None:
    """The first press decides: it replaces the buttons by the decision. Presses that arrive later change nothing."""
    message = (await bot.call("messages.get", message=pressed.message))["message"]
    if "actions" in message:
        verdict = "approved" if pressed.action == "approve" else "rejected"
        text = f"{message['text']} {verdict.capitalize()} by {pressed.person.handle}."
        await bot.call("messages.edit", message=pressed.message, text=text, actions=[])


if __name__ == "__main__":
    trio.run(run_bot, sys.argv[1], os.environ["CHATNODE_TOKEN"])
