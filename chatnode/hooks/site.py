"""Plugins that were installed into a bundle: they are in the data directory, and so stay when the bundle is replaced.

    plugins/site              as `pip install --target` leaves it, on the module path after the bundle's own
    plugins/requirements.txt  a line for each distribution there, with the Python that it was installed for

Where chatnode runs in a Python like any other, pip installs plugins beside it, and nothing of this is looked at.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from importlib import invalidate_caches
from importlib.metadata import Distribution, distributions
from pathlib import Path, PurePath
from tempfile import TemporaryDirectory

from chatnode import bundle
from chatnode.model.records import record
from chatnode.storage.engine.directory import DataDirectory
from chatnode.storage.engine.file_owners import give, make_directory

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
        """Take over what `pip install --target` has put into `new`, in place of other versions of the same."""
        found = [*distributions(path=[str(new)])]
        shutil.rmtree(new / "bin", ignore_errors=True)  # programs, for a Python that is not here
        make_directory(self.path)
        # Copied while the old version is whole, and then only renamed: a disk that is full takes nothing away.
        with TemporaryDirectory(dir=self.path.parent, prefix=".site-") as beside:
            copied = Path(shutil.copytree(new, Path(beside, "new")))
            for each in found:
                self._remove_files(each.name)
            for file in [path for path in copied.rglob("*") if not path.is_dir()]:
                place = self.path / file.relative_to(copied)
                place.parent.mkdir(parents=True, exist_ok=True)
                file.replace(place)
        self._give_all()
        self._note(found)

    def remove(self, name: str) -> None:
        """Remove a distribution, but not what it requires. One that is not there is no error."""
        self._remove_files(name)
        self._note([], without=name)

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
        invalidate_caches()

    def _file(self, listed: PurePath) -> Path | None:
        """Where a file is that a distribution lists as its own; None if that is not in the site."""
        file = self.path / listed
        return file if ".." not in file.parts and file.is_relative_to(self.path) and file != self.path else None

    def _within(self, file: Path) -> Iterator[Path]:
        """The directories of the site that a file is in."""
        return (each for each in file.parents if each != self.path and each.is_relative_to(self.path))

    def _note(self, new: list[Distribution], without: str = "") -> None:
        kept = {each.name: each for each in self.requirements() if each.name != without}
        kept |= {each.name: Requirement(each.name, each.version, PYTHON) for each in new}
        lines = [f"{each}  # {each.python}\n" for _, each in sorted(kept.items())]
        partial = self._requirements.with_suffix(".partial")
        partial.write_text("".join(lines), encoding="utf-8")
        give(partial)
        partial.replace(self._requirements)
        invalidate_caches()

    def _give_all(self) -> None:
        for folder, _, files in os.walk(self.path):
            give(Path(folder))
            for file in files:
                give(Path(folder, file))
