"""Other plugins judge downloads too: they may refuse any, and only they allow those of files that they use."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import chatnode_attachments
import pytest

from chatnode.api import Account, Allow, Context, Deny, Refusal
from chatnode.config import Config, Plugins
from chatnode.node import open_node
from tests.plugins.surface.making import made
from tests.transport.clients import serving

from .fetching import Reader
from .storing import Storing

Judged = Callable[[Any], AbstractAsyncContextManager[tuple[Storing, Reader, Reader]]]


@pytest.fixture
def judged(tmp_path: Path) -> Judged:
    """A node on which the implementations judge, with Ann and Bob."""

    @asynccontextmanager
    async def judged(*judges: Any) -> AsyncIterator[tuple[Storing, Reader, Reader]]:
        others = [made(f"judge{number}", each, requires=("attachments",)) for number, each in enumerate(judges)]
        config = Config(plugins=Plugins(hook_seconds=0.2))
        async with open_node(tmp_path / "data", config, only=[chatnode_attachments, *others]) as node:
            async with serving(node) as address:
                ann, bob = await Reader.at(address, node, "ann"), await Reader.at(address, node, "bob")
                yield Storing(node), ann, bob

    return judged


def judge(decide: Callable[[Account, str | None], Any]) -> Any:
    async def may_download(ctx: Context, account: Account, file: str, used_by: str | None) -> Any:
        return decide(account, used_by)

    return may_download


async def test_a_plugin_may_refuse_what_is_visible(judged: Judged) -> None:
    only_ann = judge(lambda account, _: Allow() if account.handle == "ann" else Deny("not for bob", "closed"))
    async with judged(only_ann) as (storing, ann, bob):
        stored = await storing.picture(ann)
        await storing.post(stored, ann, await ann.direct(bob))
        link = (await ann.asks("attachments.link", file=stored.id))["link"]
        for target in (stored.target, f"{stored.target}/thumb320"):
            assert (await ann.gets(target)).status == 200
            got = await bob.gets(target)
            assert (got.status, got.error) == (409, {"code": "closed", "message": "not for bob", "path": "file"})
        assert await bob.asks("attachments.link", file=stored.id) == "closed"
        assert (await bob.gets(link)).status == 200  # Ann asks


async def test_a_plugin_allows_nothing_that_is_not_visible(judged: Judged) -> None:
    async with judged(judge(lambda *_: Allow())) as (storing, ann, bob):
        stored = await storing.picture(ann)
        assert (await bob.gets(stored.target)).status == 404


async def test_the_user_of_a_file_says_who_gets_it(judged: Judged) -> None:
    mine = judge(lambda account, used_by: Allow() if used_by == "judge0" and account.handle == "bob" else None)
    async with judged(mine, judge(lambda *_: None)) as (storing, ann, bob):
        used = await storing.picture(ann, used_by="judge0")
        other = await storing.picture(ann, used_by="another")
        assert [(await who.gets(used.target)).status for who in (ann, bob)] == [404, 200]
        assert [(await who.gets(other.target)).status for who in (ann, bob)] == [404, 404]
        await storing.set_content(used, "scan", "pending")
        assert [(await who.gets(used.target)).status for who in (ann, bob)] == [404, 503]


async def test_one_refusal_is_enough(judged: Judged) -> None:
    async with judged(judge(lambda *_: Allow()), judge(lambda *_: Deny("no"))) as (storing, ann, _):
        used = await storing.picture(ann, used_by="judge0")
        assert (await ann.gets(used.target)).status == 403


@pytest.mark.parametrize("nonsense", [False, True, "allow", 0])
async def test_what_is_no_verdict_refuses(judged: Judged, nonsense: object) -> None:
    async with judged(judge(lambda *_: nonsense)) as (storing, ann, _):
        stored = await storing.picture(ann)
        assert (await ann.gets(stored.target)).status == 500


@pytest.mark.parametrize(
    ("failure", "status"), [(ValueError(), 500), (Refusal("closed", "not today"), 409), (SystemExit(), 500)]
)
async def test_a_plugin_that_cannot_decide_refuses(judged: Judged, failure: BaseException, status: int) -> None:
    def fail(*_: object) -> None:
        raise failure

    async with judged(judge(fail), judge(lambda *_: Allow())) as (storing, ann, _):
        stored = await storing.picture(ann)
        assert (await ann.gets(stored.target)).status == status
