"""Plugins that were installed into a bundle: they are in the data directory, and so stay when the bundle is replaced.

    plugins/site              as `pip install --target` leaves it, on the module path after the bundle's own
    plugins/requirements.txt  a line for each distribution there, with the Python that it was installed for

Where chatnode runs in a Python like any other, pip installs plugins beside it, and nothing of this is looked at.
"""

from __future__ import annotations

import os
import re
import shutil
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from importlib import invalidate_caches
from importlib.metadata import distributions
from pathlib import Path, PurePath

from chatnode import bundle
from chatnode.model.records import record
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.file_owners import chown_like_parent, make_directory

PYTHON = f"Python {sys.version_info.major}.{sys.version_info.minor}"


@record(frozen=True)
class Requirement:
    """A distribution in a site. `python` is what it was installed for; others may not be able to import it."""

    name: str
    version: str
    python: str

    def __str__(self) -> str:
        return f"{self.name}=={self.version}"


class PluginSite:
    """The third-party plugins of one data directory."""

    def __init__(self, data: Path | str) -> None:
        self.path = DataDirectory(Path(data)).site
        self._requirements = self.path.with_name("requirements.txt")

    def use(self) -> None:
        """Let plugins be found here too, if this is a bundle. The directory need not be there yet."""
        place = os.path.abspath(self.path)
        if bundle.ROOT is not None and place not in sys.path:
            sys.path.append(place)

    def requirements(self) -> list[Requirement]:
        """What is installed, in the order of names."""
        try:
            lines = self._requirements.read_text(encoding="utf-8").splitlines()
        except FileNotFoundError:
            return []
        found: list[Requirement] = []
        for line in lines:
            pinned, _, python = line.partition("#")
            name, separator, version = pinned.strip().partition("==")
            if separator:
                found.append(Requirement(name, version, python.strip()))
        return found

    def add(self, new: Path) -> None:
        """Take over what `pip install --target` has put into `new`, in place of other versions of the same. `new` is on
        the same file system.

        Raises `OSError`, such as on a full disk; then what was there is still there.
        """
        found = [*distributions(path=[str(new)])]
        shutil.rmtree(new / "bin", ignore_errors=True)  # programs, for a Python that is not here
        make_directory(self.path)
        # What needs room comes first; the rest only removes and renames.
        note = self._written(
            [each for each in self.requirements() if _key(each.name) not in {_key(new.name) for new in found}]
            + [Requirement(each.name, each.version, PYTHON) for each in found]
        )
        for each in found:
            self._remove_files(each.name)
        for file in [path for path in new.rglob("*") if not path.is_dir()]:
            place = self.path / file.relative_to(new)
            place.parent.mkdir(parents=True, exist_ok=True)
            file.replace(place)
        note.replace(self._requirements)
        self._give_all()
        invalidate_caches()

    def remove(self, name: str) -> None:
        """Remove a distribution, but not what it requires. One that is not there is no error."""
        self._remove_files(name)
        self._written(each for each in self.requirements() if _key(each.name) != _key(name)).replace(self._requirements)
        invalidate_caches()

    def _remove_files(self, name: str) -> None:
        for found in list(distributions(path=[str(self.path)], name=name)):
            files = {file for each in found.files or () if (file := self._file(each)) is not None}
            for file in files:
                with suppress(IsADirectoryError):
                    file.unlink(missing_ok=True)
            for folder in sorted({parent for file in files for parent in self._within(file)}, reverse=True):
                shutil.rmtree(folder / "__pycache__", ignore_errors=True)
                with suppress(OSError):  # something else is in it
                    folder.rmdir()

    def _file(self, listed: PurePath) -> Path | None:
        """Where a file is that a distribution lists as its own; None if that is not in the site."""
        file = self.path / listed
        return file if ".." not in file.parts and file.is_relative_to(self.path) and file != self.path else None

    def _within(self, file: Path) -> Iterator[Path]:
        """The directories of the site that a file is in."""
        return (each for each in file.parents if each != self.path and each.is_relative_to(self.path))

    def _written(self, requirements: Iterable[Requirement]) -> Path:
        """A list of them, which can take the place of the one in use."""
        lines = [f"{each}  # {each.python}\n" for each in sorted(requirements, key=lambda each: _key(each.name))]
        partial = self._requirements.with_suffix(".partial")
        partial.write_text("".join(lines), encoding="utf-8")
        chown_like_parent(partial)
        return partial

    def _give_all(self) -> None:
        for folder, _, files in os.walk(self.path):
            chown_like_parent(Path(folder))
            for file in files:
                chown_like_parent(Path(folder, file))


def _key(name: str) -> str:
    """`Foo_Bar`, `foo.bar` and `foo-bar` are one distribution (PEP 503)."""
    return re.sub("[-_.]+", "-", name).lower()
