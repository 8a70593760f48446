"""Helpers that tests of several folders import. Each folder may have a conftest of its own, and of
two modules of that name a test would get the last one."""

import os
import shutil
import subprocess
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
EVERY_PAGE = "AMNL_TEST_EVERY_PAGE"  # 1: run them all from the wheel

QUIET = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",  # no network but the test's own
]


def find_browser() -> str | None:
    return next((found for name in BROWSERS if (found := shutil.which(name))), None)


@dataclass(frozen=True)
class Rendered:
    """A finished `jupyter-book build`: its exit status, its log and where the pages lie."""

    status: int
    log: str
    html: Path


def render(staged: Path, output: Path) -> Rendered:
    """Render staged pages with warnings as errors."""
    import pages

    done = subprocess.run(
        pages.render_command(staged, output),
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "NO_COLOR": "1"},
    )
    return Rendered(done.returncode, done.stdout + done.stderr, output / "_build" / "html")


def session_of(process: "subprocess.Popen[str]") -> list[int]:
    """Every living process that this one started in its own session, and itself."""
    import psutil

    found = []
    for other in psutil.process_iter():
        with suppress(OSError, psutil.Error):
            if os.getsid(other.pid) == process.pid and other.status() != psutil.STATUS_ZOMBIE:
                found.append(other.pid)
    return found


def in_child(action: Callable[[], object]) -> int:
    """Exit status of another process that does this: 0 for true, 1 for false; −n for signal n."""
    pid = os.fork()
    if pid == 0:
        status = 2
        try:
            status = 0 if action() else 1
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
