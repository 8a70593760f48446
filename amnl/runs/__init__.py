"""Finished runs and what makes them: sealed records in a folder, and the driver that fills it.

It knows neither turbofans nor models: the study's sweep and the reader's both run through here.
"""

from amnl.runs.cluster import NO_DASK, connect, cores
from amnl.runs.driver import Progress, drive
from amnl.runs.fingerprint import UnreadError, fingerprint, rows_of
from amnl.runs.locks import Claims
from amnl.runs.memory import keep_freed_memory
from amnl.runs.records import StoreError, canonical, sealed, unsealed
from amnl.runs.store import RecordStore
from amnl.runs.workers import InProcess, OnDask, Workers

__all__ = [  # noqa: RUF022 - in groups
    # records
    "StoreError",
    "RecordStore",
    "Claims",
    "canonical",
    "sealed",
    "unsealed",
    # names
    "UnreadError",
    "fingerprint",
    "rows_of",
    # the driver
    "Progress",
    "drive",
    "Workers",
    "InProcess",
    "OnDask",
    "connect",
    "cores",
    "keep_freed_memory",
    "NO_DASK",
]
