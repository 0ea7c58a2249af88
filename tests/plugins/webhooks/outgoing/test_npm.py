"""The npm package of Standard Webhooks verifies what is sent, and refuses what was changed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import trio

from chatnode.testing import User
from tests.needs import program
from tests.plugins.webhooks.outgoing.dialogue import endpoint
from tests.plugins.webhooks.outgoing.receiver import Receiver

pytestmark = pytest.mark.slow

SCRIPT = """
const { Webhook } = require('standardwebhooks');
const cases = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const verified = cases.map(({ secret, body, headers }) => {
  try { new Webhook(secret).verify(body, headers); return true; } catch (error) { return false; }
});
console.log(JSON.stringify(verified));
"""


async def test_the_npm_package_verifies(receiver: Receiver, robo: User, ann: User, tmp_path: Path) -> None:
    node, npm = program("node"), program("npm")
    command = [npm, "install", "--no-package-lock", "--no-audit", "--no-fund", "--silent", "standardwebhooks"]
    await trio.run_process(command, cwd=tmp_path)
    secret = (await endpoint(robo, receiver))["secret"]
    await ann.says(await ann.group(robo), "grüße, 世界 🌍")
    [got] = await receiver.until_got(1)
    headers = {name: value for name, value in got.headers.items() if name.startswith("webhook-")}
    body = got.body.decode()
    cases = [
        {"secret": secret, "body": body, "headers": headers},
        {"secret": secret, "body": body + " ", "headers": headers},
        {"secret": secret, "body": body, "headers": {**headers, "webhook-id": "evt_1_1"}},
    ]
    (tmp_path / "verify.js").write_text(SCRIPT)
    done = await trio.run_process(
        [node, "verify.js"], stdin=json.dumps(cases).encode(), capture_stdout=True, cwd=tmp_path
    )
    assert json.loads(done.stdout) == [True, False, False]
