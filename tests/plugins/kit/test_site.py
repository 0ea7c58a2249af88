"""The site of a bundle: what is taken over, replaced and removed. tests/packages installs into one by pip."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

import pytest

from chatnode.hooks.site import PYTHON, PluginSite


def unpacked(place: Path, name: str, version: str, **files: str) -> Path:
    """What `pip install --target` leaves of a wheel; `__` in names of files is for a directory."""
    info = f"{name.replace('-', '_')}-{version}.dist-info"
    contents = {each.replace("__", "/") + ".py": text for each, text in files.items()}
    contents[f"{info}/METADATA"] = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n"
    contents["bin/program"] = "#!/no/such/python\n"
    contents[f"{info}/RECORD"] = "".join(f"{each},,\n" for each in (*contents, f"{info}/RECORD", "../outside"))
    for each, text in contents.items():
        (place / each).parent.mkdir(parents=True, exist_ok=True)
        (place / each).write_text(text)
    return place


def there(site: PluginSite) -> list[str]:
    return sorted(str(each.relative_to(site.path)) for each in site.path.rglob("*.py"))


def test_a_version_is_replaced_and_others_stay(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    assert site.requirements() == []
    site.add(unpacked(tmp_path / "one", "polls", "1.0", shared__polls="", old__module=""))
    site.add(unpacked(tmp_path / "two", "reminders", "2.0", shared__reminders=""))
    cached = site.path / "old/__pycache__/module.cpython-311.pyc"
    cached.parent.mkdir()
    cached.touch()
    site.add(unpacked(tmp_path / "three", "polls", "1.1", shared__polls="new", new__module=""))
    assert there(site) == ["new/module.py", "shared/polls.py", "shared/reminders.py"]
    assert not (site.path / "old").exists()
    assert not (site.path / "bin").exists()
    assert (site.path / "shared/polls.py").read_text() == "new"
    assert [(str(each), each.python) for each in site.requirements()] == [
        ("polls==1.1", PYTHON),
        ("reminders==2.0", PYTHON),
    ]


def test_what_is_removed_leaves_nothing_and_touches_nothing_else(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    site.add(unpacked(tmp_path / "one", "polls", "1.0", shared__polls=""))
    site.add(unpacked(tmp_path / "two", "reminders", "2.0", shared__reminders=""))
    outside = site.path.parent / "outside"
    outside.touch()
    site.remove("polls")
    assert there(site) == ["shared/reminders.py"]
    assert [str(each) for each in site.requirements()] == ["reminders==2.0"]
    assert outside.exists()
    site.remove("polls")
    site.remove("reminders")
    assert list(site.path.iterdir()) == []


def test_a_name_may_be_written_in_several_ways(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    site.add(unpacked(tmp_path / "one", "Team_Polls", "1.0", polls="", old=""))
    site.add(unpacked(tmp_path / "two", "team-polls", "1.1", polls=""))
    assert there(site) == ["polls.py"]
    assert [str(each) for each in site.requirements()] == ["team-polls==1.1"]
    site.remove("team.POLLS")
    assert (site.requirements(), there(site)) == ([], [])


def test_a_full_disk_takes_nothing_away(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    site.add(unpacked(tmp_path / "one", "polls", "1.0", polls="one"))
    new = unpacked(tmp_path / "two", "polls", "1.1", polls="two")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))  # not one byte can be written
    try:
        with pytest.raises(OSError, match="File too large"):
            site.add(new)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [str(each) for each in site.requirements()] == ["polls==1.0"]
    assert (site.path / "polls.py").read_text() == "one"
    site.add(new)
    assert (site.path / "polls.py").read_text() == "two"


def test_a_distribution_cannot_name_files_of_others_as_its_own(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    database = tmp_path / "data/chatnode.sqlite3"
    new = unpacked(tmp_path / "one", "polls", "1.0", polls="")
    with (new / "polls-1.0.dist-info/RECORD").open("a") as record:
        record.write(f"{database},,\n.,,\npolls-1.0.dist-info,,\n")
    site.add(new)
    database.touch()
    site.remove("polls")
    assert database.exists()
    assert there(site) == []


def test_it_is_not_looked_at_where_pip_installs_plugins(tmp_path: Path) -> None:
    site = PluginSite(tmp_path / "data")
    site.add(unpacked(tmp_path / "one", "polls", "1.0", polls=""))
    before = list(sys.path)
    site.use()
    assert sys.path == before
