"""Ctrl-C and SIGTERM: a line that says what is kept, at once, and the end within a second.

The answer comes from a thread of its own, because the main one may be deep in an import, in Dask's
start or in one long step of a GPU. Meanwhile `SystemExit` unwinds the main thread, so that files
are closed and temporary ones removed; what takes longer than `GRACE` is cut off. Finished cells and
epochs are whole files already, so nothing is lost that way.
"""

import os
import signal
import socket
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

GRACE = 0.5  # seconds
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_SHOW_CURSOR = "\x1b[?25h"  # a progress bar hides it

_kept: Callable[[], str] = lambda: "nothing is lost; the same command starts anew"  # noqa: E731


def keeps(kept: str | Callable[[], str]) -> None:
    """From now on, a command that is stopped says this of what is kept."""
    global _kept
    _kept = kept if callable(kept) else lambda: kept


@contextmanager
def answered() -> Iterator[None]:
    """Within it, the first Ctrl-C or SIGTERM ends the process with 128 plus the signal's number
    (130 and 143). A signal that was ignored from the start stays so, as behind `nohup`."""
    stopped, unwound = threading.Event(), threading.Event()
    inbox, outbox = socket.socketpair()
    outbox.setblocking(False)

    def stop(number: int, _: object) -> None:
        stopped.set()
        raise SystemExit(128 + number)

    thread = threading.Thread(target=_answer, args=(inbox, unwound), daemon=True)
    thread.start()
    heeded = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    signal.set_wakeup_fd(outbox.fileno(), warn_on_full_buffer=False)
    for number in heeded:
        signal.signal(number, stop)
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=_forget)
    try:
        yield
    finally:
        for number in heeded:  # what is left takes a moment, and has its own exit status
            signal.signal(number, signal.SIG_IGN)
        if stopped.is_set():
            unwound.set()
            thread.join()
        signal.set_wakeup_fd(-1)
        outbox.close()  # which ends the thread


def _forget() -> None:
    """A forked child, such as a DataLoader's worker, dies of its signals and tells nobody."""
    signal.set_wakeup_fd(-1)
    for number in _SIGNALS:
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL)


def _answer(inbox: socket.socket, unwound: threading.Event) -> None:
    number = 0
    while number not in _SIGNALS:  # others, such as a SIGCHLD that somebody handles, come here too
        received = inbox.recv(1)
        if not received:
            return
        number = received[0]
    with suppress(OSError):  # no standard error: nobody to tell
        clear = f"{_SHOW_CURSOR}\n" if os.isatty(2) else ""
        encoding = getattr(sys.__stderr__, "encoding", "ascii")  # a bar stands in for sys.stderr
        terminal = os.dup(2)
        # First: a bar's last words and tracebacks of what is cut off would come after the line.
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
        os.write(terminal, f"{clear}stopped: {_kept()}\n".encode(encoding, "replace"))
    unwound.wait(GRACE)
    _end_children()
    os._exit(128 + number)


def _end_children() -> None:
    """All but the tracker of `multiprocessing`, which sweeps up after the others and then ends."""
    psutil = sys.modules.get("psutil")  # Dask has imported it; alone it knows one just being born
    processes = sys.modules.get("multiprocessing.process")
    if psutil:
        with suppress(psutil.Error):
            for child in psutil.Process().children():
                with suppress(psutil.Error):
                    if "resource_tracker" not in " ".join(child.cmdline()):
                        child.kill()
    elif processes:
        for child in processes.active_children():
            child.kill()
