"""Makes the Autobahn test suite, which is Python 2 code, run on Python 3.11 or 3.12.

`python -m tests.autobahn.port INSTALLED TARGET` copies the package `autobahntestsuite` as pip installed it, translates
it with lib2to3, and mends what that leaves: the cases speak of payloads as text of one character a byte (latin-1), the
wire speaks bytes. Only the core cases are ported: 1 to 7 and 10.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

_BOUNDARY = """
import binascii, builtins
from autobahn.websocket.utf8validator import Utf8Validator as Strict

def to_bytes(value):
    return value.encode("latin-1") if isinstance(value, str) else None if value is None else bytes(value)

class Utf8Validator(Strict):
    def validate(self, data):
        return Strict.validate(self, to_bytes(data))

class Boundary:
    def sendFrame(self, opcode, payload=b"", **options):
        payload, size = to_bytes(payload), options.pop("payload_len", None)
        if size:
            payload = (payload * (size // len(payload) + 1))[:size]
        return super().sendFrame(opcode, payload, **options)

    def sendMessage(self, payload, isBinary=False, *more, **options):
        return super().sendMessage(to_bytes(payload), isBinary, *more, **options)

    def sendPing(self, payload=None):
        return super().sendPing(to_bytes(payload))

    def sendPong(self, payload=None):
        return super().sendPong(to_bytes(payload))

    def sendCloseFrame(self, code=None, reasonUtf8=None, isReply=False):
        return super().sendCloseFrame(code, to_bytes(reasonUtf8), isReply)

    def sendMessageFrameData(self, payload, sync=False):
        return super().sendMessageFrameData(to_bytes(payload), sync)

builtins._to_bytes = to_bytes
builtins._to_hex = lambda value: binascii.b2a_hex(to_bytes(value)).decode()
builtins._Utf8Validator = Utf8Validator
"""

_FUZZING = [
    ("binascii.b2a_hex(", "_to_hex("),
    ("data[:maxlen] + ellipses\n", "data[:maxlen] + (ellipses if isinstance(data, str) else ellipses.encode())\n"),
    ("return dd.decode('utf8',", "return _to_bytes(dd).decode('utf8',"),
    (
        "p = ''.join(payload)",
        "p = b''.join(map(_to_bytes, [payload] if isinstance(payload, (str, bytes)) else payload))",
    ),
    ('.encode("utf-8"))', ")"),
    ("class FuzzingProtocol:", "from autobahntestsuite._boundary import Boundary\nclass FuzzingProtocol(Boundary):"),
    ("self.runCase.onMessage(msg, binary)", "self.runCase.onMessage(msg.decode('latin-1'), binary)"),
    ("self.runCase.onPong(payload)", "self.runCase.onPong(payload.decode('latin-1'))"),
    (", debug = debug, debugCodePaths = debug", ""),
    (
        "json.dumps(case, sort_keys",
        "json.dumps(case, default = lambda o: o.decode('latin-1') if isinstance(o, bytes) else repr(o), sort_keys",
    ),
    ("self.debug", "getattr(self, 'debug', False)"),
]


def port(installed: Path, target: Path) -> None:
    """Put a copy of `installed` that runs on Python 3 into the folder `target`."""
    package = target / "autobahntestsuite"
    shutil.copytree(installed, package, ignore=shutil.ignore_patterns("__pycache__"))
    translate = [sys.executable, "-W", "ignore", "-m", "lib2to3", "-w", "-n", "--no-diffs", str(package)]
    subprocess.run(translate, check=True, capture_output=True)
    (package / "_boundary.py").write_text(_BOUNDARY)
    init = package / "__init__.py"
    init.write_text("from . import _boundary\n" + init.read_text())
    for case in (package / "case").glob("*.py"):
        _port_case(case)
    _replace(package / "case/case.py", [("pickle.dumps(obj1) == pickle.dumps(obj2)", "obj1 == obj2")])
    validator = "from autobahn.websocket.utf8validator import Utf8Validator"
    _replace(package / "case/case6_x_x.py", [(validator, "Utf8Validator = _Utf8Validator")])
    _replace(package / "fuzzing.py", _FUZZING)
    _replace(package / "wstest.py", [("from . import serializer\n", "serializer = None\n")])


def _port_case(path: Path) -> None:
    text = path.read_text()
    text = text.replace("from zope.interface import implements", "implements = lambda *a: None")
    if path.name.startswith("case6_2_"):  # the literals were UTF-8
        text = re.sub(r'(PAYLOAD\d? = "[^"]*")', r'\1.encode().decode("latin-1")', text)
    if path.name == "case12_x_x.py":  # not run, but imported with the others
        text = re.sub(r"\b((request|accept)(NoContextTakeover|MaxWindowBits))\b", lambda found: _snake(found[1]), text)
    if path.name == "case10_1_1.py":
        text = text.replace("len(self.payload) / self", "len(self.payload) // self")
    text = re.sub(r"\(object, *Case", "(Case", text)
    path.write_text(text.replace("binascii.b2a_hex(", "_to_hex(").replace("binascii.hexlify(", "_to_hex("))


def _snake(name: str) -> str:
    return re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), name)


def _replace(path: Path, pairs: list[tuple[str, str]]) -> None:
    text = path.read_text()
    for old, new in pairs:
        if old not in text:
            raise SystemExit(f"{path.name} is not as expected: no {old!r}")
        text = text.replace(old, new)
    path.write_text(text)


if __name__ == "__main__":
    port(Path(sys.argv[1]), Path(sys.argv[2]))
