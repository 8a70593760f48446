"""Worker processes of Dask: a running scheduler's, or those of a cluster on this machine."""

import multiprocessing
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

NO_DASK = "a sweep needs Dask: pip install 'amnl[cluster]'"


@contextmanager
def connect(scheduler: str | None, workers: int) -> Iterator["Client"]:
    """A client of a running Dask scheduler, or of a local cluster that ends with it.

    Parameters
    ----------
    scheduler
        Its address, `tcp://…`; None starts `workers` processes of one thread here.

    Raises
    ------
    RuntimeError
        Without Dask, and for a scheduler that does not answer or has no worker.
    SystemExit
        With one line, in a script without a main guard: each local worker imports the script that
        started it. The workers, which would sweep too, end instead.
    """
    if getattr(multiprocessing.current_process(), "_inheriting", False):
        os._exit(1)  # a worker that imports such a script; its parent says what to do
    try:
        from distributed import Client
    except ImportError as error:
        raise RuntimeError(NO_DASK) from error
    with ExitStack() as stack:
        if scheduler is None:
            cluster = stack.enter_context(_local_cluster(workers))
            yield stack.enter_context(Client(cluster))
            return
        try:
            client = stack.enter_context(Client(scheduler, timeout=10))
            client.wait_for_workers(1, timeout=60)
        except (OSError, TimeoutError) as error:
            raise RuntimeError(
                f"no scheduler with a worker at {scheduler} ({error}). Start them with "
                f"`dask scheduler` and `dask worker {scheduler} --nthreads 1`."
            ) from error
        yield client


def _local_cluster(workers: int) -> "LocalCluster":
    from distributed import LocalCluster

    try:
        with _deaf_to_ctrl_c():
            return LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                memory_limit=0,
                dashboard_address=None,
                # Its HTTP server starts all the same, by default on a port for one sweep only.
                scheduler_kwargs={"dashboard_address": "127.0.0.1:0"},
                silence_logs="CRITICAL",
                preload=["import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)"],
            )
    except RuntimeError as error:
        line = (
            f"the workers ended as they started ({error}). In a script, sweep under "
            '`if __name__ == "__main__":`, as each worker imports the script first'
        )
        script = getattr(sys.modules["__main__"], "__file__", None)
        raise (SystemExit(line) if script else RuntimeError(line)) from error


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are started here leave a Ctrl-C, which a terminal sends to all, to us."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows: they hear it until their preload
        yield
        return
    from multiprocessing import resource_tracker

    # Started now, as its start lifts the mask. It sweeps up after processes that are cut off, and
    # need not tell the terminal.
    quiet = "ignore:resource_tracker:UserWarning"
    sys.warnoptions.append(quiet)
    try:
        resource_tracker.ensure_running()
    finally:
        sys.warnoptions.remove(quiet)
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def cores() -> int:
    """How many cores this process may use."""
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS
        return os.cpu_count() or 1
