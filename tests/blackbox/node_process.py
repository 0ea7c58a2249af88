"""A node in a process of its own: start it, stop it, kill it, and run its command line beside it."""

import contextlib
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

ROOT = Path(__file__).resolve().parents[2]
LISTENING = re.compile(r"http://([0-9A-Za-z.\[\]:]+):(\d+)")
#: What a fault that got past its barrier leaves in the log.
TROUBLE = re.compile(r"Traceback|Fatal Python|never retrieved|core dumped")
#: Limits that would get in the way of a test that is not about them.
UNLIMITED = {
    "LIMITS__POSTS_PER_MINUTE": 0,
    "LIMITS__CHANGES_PER_MINUTE": 0,
    "LIMITS__LOGINS_PER_MINUTE": 0,
    "LIMITS__REQUESTS_PER_MINUTE": 0,
    "LIMITS__CONNECTIONS_PER_ADDRESS": 0,
}

#: Plugins that are not loaded, unless a test says which are disabled: importing them takes as long as all the rest.
SPARED = "crm,notifications,previews,webhooks"

Address = tuple[str, int]


class NodeFault(AssertionError):
    """The node's process did not do what it promises."""


@dataclass
class NodeProcess:
    """One data directory and, between `start` and `stop`, the process that serves it.

    `settings` are environment variables without their `CHATNODE_` prefix. `wrapper` is a command put in front
    (strace, say). A new port is taken at each start: ask `address` again after a restart.
    """

    data: Path
    settings: Mapping[str, object] = field(default_factory=lambda: dict(UNLIMITED))
    wrapper: Sequence[str] = ()
    process: subprocess.Popen[bytes] | None = None
    _address: Address | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.kill()

    # -- the process -------------------------------------------------------------------------------------

    def start(self, within: float = 30) -> Address:
        """Start serving and wait for the line with the address."""
        if self.process is not None:
            raise RuntimeError("already started")
        self.log_directory.mkdir(parents=True, exist_ok=True)
        command = [*self.wrapper, *self._command("serve", "--bind", "127.0.0.1:0")]
        started_at = self.stdout_path.stat().st_size if self.stdout_path.exists() else 0
        with self.stdout_path.open("ab") as out, self.stderr_path.open("ab") as err:
            self.process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._environment(),
                cwd=ROOT,
                start_new_session=True,
            )
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            with self.stdout_path.open("rb") as out:
                out.seek(started_at)
                found = LISTENING.search(out.read().decode("utf-8", "replace"))
            if found:
                self._address = (found[1].strip("[]"), int(found[2]))
                return self._address
            if self.process.poll() is not None:
                break
            time.sleep(0.01)
        status = self.process.poll()
        self.kill()
        raise NodeFault(f"the node did not start (status {status}):\n{self.stderr_tail()}")

    @property
    def address(self) -> Address:
        """Where the node listens now."""
        if self._address is None:
            raise RuntimeError("not serving")
        return self._address

    @property
    def pid(self) -> int:
        """The node's own process id, also under a wrapper."""
        if self.process is None:
            raise RuntimeError("not serving")
        if not self.wrapper:
            return self.process.pid
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0])

    @property
    def running(self) -> bool:
        """Whether the process is alive."""
        return self.process is not None and self.process.poll() is None

    def stop(self, within: float = 30) -> int:
        """SIGTERM, and the exit status; a node that does not end in time is a fault (and is killed)."""
        if self.process is None:
            raise RuntimeError("not serving")
        process = self.process
        os.kill(self.pid, signal.SIGTERM)
        try:
            return process.wait(within)
        except subprocess.TimeoutExpired:
            raise NodeFault(f"still running {within} s after SIGTERM:\n{self.stderr_tail()}") from None
        finally:
            self.kill()

    def kill(self) -> None:
        """SIGKILL to the process and everything it started; harmless when nothing runs."""
        process, self.process, self._address = self.process, None, None
        if process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def wait_death(self, within: float = 30) -> int:
        """Wait for the process to end by itself; its status."""
        if self.process is None:
            raise RuntimeError("not serving")
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            raise NodeFault(f"the process did not end within {within} s") from None
        finally:
            self.kill()

    # -- the command line --------------------------------------------------------------------------------

    def run(self, *arguments: str, stdin: str = "", within: float = 60) -> subprocess.CompletedProcess[str]:
        """Run `chatnode --data DIR ARGUMENTS` to its end."""
        return subprocess.run(
            self._command(*arguments),
            input=stdin,
            capture_output=True,
            text=True,
            env=self._environment(),
            cwd=ROOT,
            timeout=within,
            check=False,
        )

    def add_user(self, handle: str, *, admin: bool = False) -> None:
        """Create an account."""
        flags = ["--admin"] if admin else []
        done = self.run("user", "add", handle, "--password-stdin", *flags, stdin=f"correct horse {handle}\n")
        if done.returncode != 0:
            raise NodeFault(f"user add {handle}: status {done.returncode}\n{done.stdout}{done.stderr}")

    def token(self, handle: str) -> str:
        """Make a token; it is the only thing that the command prints."""
        done = self.run("token", "create", handle)
        token = done.stdout.strip()
        if done.returncode != 0 or not token or len(token.split()) != 1:
            raise NodeFault(f"token create {handle}: status {done.returncode}\n{done.stdout}{done.stderr}")
        return token

    def check(self) -> subprocess.CompletedProcess[str]:
        """`chatnode check`: status 0 when database, counters and index agree."""
        return self.run("check")

    # -- what can be seen from outside -------------------------------------------------------------------

    @property
    def log_directory(self) -> Path:
        """Where the output of the process goes: beside the data, not in it."""
        return self.data.with_name(self.data.name + "-log")

    @property
    def stdout_path(self) -> Path:
        """Everything the process printed."""
        return self.log_directory / "stdout"

    @property
    def stderr_path(self) -> Path:
        """Everything the process logged."""
        return self.log_directory / "stderr"

    def stderr_text(self, start: int = 0) -> str:
        """The log from a byte offset on."""
        if not self.stderr_path.exists():
            return ""
        with self.stderr_path.open("rb") as log:
            log.seek(start)
            return log.read().decode("utf-8", "replace")

    def stderr_size(self) -> int:
        """The length of the log now, in bytes."""
        return self.stderr_path.stat().st_size if self.stderr_path.exists() else 0

    def stderr_tail(self, characters: int = 4000) -> str:
        """The end of the log, for the message of a failed test."""
        return self.stderr_text()[-characters:]

    def trouble(self, start: int = 0) -> str | None:
        """The part of the log around the first sign of an unhandled fault, or None."""
        text = self.stderr_text(start)
        found = TROUBLE.search(text)
        return text[max(0, found.start() - 500) : found.start() + 3000] if found else None

    def memory(self, line: str = "VmRSS") -> int:
        """Resident memory in bytes now, or at its highest (`VmHWM`)."""
        for row in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if row.startswith(line + ":"):
                return int(row.split()[1]) * 1024
        raise RuntimeError(f"no {line} for process {self.pid}")

    def open_files(self) -> int:
        """How many file descriptors the process holds."""
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    # -- private -----------------------------------------------------------------------------------------

    def _command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "chatnode", "--data", str(self.data), *arguments]

    def _environment(self) -> dict[str, str]:
        inherited = {key: value for key, value in os.environ.items() if not key.startswith("CHATNODE_")}
        chosen = {"PLUGINS__DISABLED": SPARED, **self.settings}
        return inherited | {f"CHATNODE_{key}": str(value) for key, value in chosen.items()}
