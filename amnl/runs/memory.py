"""The memory of a process that trains for others."""

import ctypes
import sys


def keep_freed_memory() -> None:
    """Dask tells its workers' malloc to give freed memory back at once. Training asks for the same
    megabytes again at every step, and the page faults double its time."""
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    if mallopt:  # glibc's; others have no such knob, nor the problem
        mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD, bytes
        mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD, its largest
