"""Nothing is skipped in silence where CI is set."""

import re
from pathlib import Path

import pytest

from tests import needs

ROOT = Path(__file__).parents[1]
SKIPS = re.compile(r"\b(?:skipif|importorskip|pytest\.skip|mark\.skip|mark\.xfail|unittest\.skip)\b")


@pytest.mark.parametrize("ci", ["", "true"])
def test_a_missing_program_skips_and_with_ci_fails(monkeypatch: pytest.MonkeyPatch, ci: str) -> None:
    monkeypatch.setenv("CI", ci)
    outcome = pytest.fail.Exception if ci else pytest.skip.Exception
    with pytest.raises(outcome, match="no-such-program or neither-this is not installed"):
        needs.program("no-such-program", "neither-this")
    assert needs.program("no-such-program", "sh").endswith("/sh")


def test_an_archive_that_is_named_has_to_be_there(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("CI", "true")
    monkeypatch.delenv("CHATNODE_ARCHIVE", raising=False)
    with pytest.raises(pytest.skip.Exception, match="CHATNODE_ARCHIVE names no real archive"):
        needs.real_data("log.xz")
    monkeypatch.setenv("CHATNODE_ARCHIVE", str(tmp_path / "archive.tar.xz"))
    with pytest.raises(pytest.fail.Exception, match=r"there is no log\.xz beside it"):
        needs.real_data("log.xz")
    (tmp_path / "log.xz").touch()
    assert needs.real_data("log.xz") == tmp_path / "log.xz"


def test_tests_skip_by_needs_alone() -> None:
    files = [path for folder in ("tests", "plugins", "examples", "chatnode") for path in (ROOT / folder).rglob("*.py")]
    assert len(files) > 400
    own = {Path(needs.__file__), Path(__file__)}
    skipping = [str(path.relative_to(ROOT)) for path in files if path not in own and SKIPS.search(path.read_text())]
    assert skipping == []
