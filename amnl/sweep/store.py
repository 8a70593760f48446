"""The store of finished cells, and what a cell's record is named by."""

import dataclasses
import hashlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from numbers import Real
from pathlib import Path
from typing import Any

from amnl.combiners.registry import FACTORIES
from amnl.runs import RecordStore, StoreError, UnreadError, canonical, fingerprint, unsealed
from amnl.training import GIVEN, NEWER, RunResult, TrainConfig, recorded

_VERSION = 1  # of records; raise it when training changes and no setting does: cells are run again
_BESIDE = ("version", "code")  # what a record's name covers, besides settings and data


class OtherVersionError(StoreError):
    """A whole record that another version of amnl made. It is no result of this one's."""


class Store(RecordStore):
    """A folder of finished cells.

    A record is named by the settings and the data of its cell, by the code of a combiner that is
    not amnl's own, and by the version of records, where it is not the first. Two sweeps may share
    a store.
    """

    def path(self, config: TrainConfig, data: str) -> Path:
        """Where this cell's record is, or will be. `data` is the `str` of a `Source`."""
        return self._path(dataclasses.asdict(config), data, _beside(config))

    def _path(self, settings: dict[str, Any], data: str, beside: dict[str, Any]) -> Path:
        known = {f.name for f in dataclasses.fields(TrainConfig) if f.type is float}
        same = {k: float(v) if k in known else v for k, v in recorded(settings).items()}
        same["combiner_settings"] = _as_floats(settings["combiner_settings"])
        identity = canonical({"config": same, "data": data, **beside})
        digest = hashlib.sha256(identity).hexdigest()[:16]
        return self.named(f"{settings['subset']}-seed{settings['seed']}-{digest}")

    def __iter__(self) -> Iterator[RunResult]:
        """Every record, verified. Those of other versions of amnl are left out, with a warning."""
        others = []
        for path in self.paths():
            try:
                yield self.load(path)
            except OtherVersionError as error:
                others.append(error)
        if others:
            more = f" ({len(others)} such records)" if len(others) > 1 else ""
            warnings.warn(f"left out: {others[0]}{more}", stacklevel=2)

    def load(self, path: Path) -> RunResult:
        """One record.

        Raises
        ------
        StoreError
            Where it is not what was written.
        OtherVersionError
            Where it has other settings than a `TrainConfig` of today, or is of another format.
        """

        def parse(run: dict[str, Any]) -> RunResult:
            beside = {key: run.pop(key) for key in _BESIDE if key in run}
            settings, data = run["config"], run["provenance"]["data"]
            if path.name != self._path(settings, data, beside).name:
                raise ValueError("its name is that of another cell")
            if faults := _of_another_version(settings, beside.get("version", 1)):
                raise OtherVersionError(
                    f"{path} was made by another version of amnl ({faults}). That version reads "
                    "it; in this one, the next sweep trains its cell again, and leaves it as it is"
                )
            result = RunResult.from_dict(run)
            if "code" in beside:
                result.provenance["combiner_code"] = beside["code"]
            return result

        return unsealed(path, parse)

    def put(self, result: RunResult) -> None:
        """Keep a finished cell: the whole record or none.

        Raises
        ------
        StoreError
            Where the folder cannot be written, and for a run whose combiner was given as an object:
            its name and numbers are not all that decides what it does.
        """
        if result.config.combiner.startswith(GIVEN):
            raise StoreError(
                f"a run's combiner was an object ({result.config.combiner}), and no name in a "
                "store says what such a one does. Register it and name it in the settings, or keep "
                "the run with RunResult.save"
            )
        path = self.path(result.config, result.provenance["data"])
        self.write(path, {**result.to_dict(), **_beside(result.config)})

    def put_failure(self, config: TrainConfig, data: str, error: BaseException) -> None:
        """Keep what went wrong. The cell stays open: the next sweep tries it again."""
        settings = recorded(dataclasses.asdict(config))
        self.write_failure(self.path(config, data), {"config": settings, "data": data}, error)


def own_factories(cells: Iterable[TrainConfig]) -> dict[str, Callable[..., Any]]:
    """What makes the combiners that are not amnl's, by name."""
    made = {config.combiner: FACTORIES.get(config.combiner) for config in cells}
    return {
        name: factory
        for name, factory in made.items()
        if factory and not str(getattr(factory, "__module__", "")).startswith("amnl.")
    }


def _beside(config: TrainConfig) -> dict[str, Any]:
    """What decides a cell besides its settings and data."""
    beside: dict[str, Any] = {} if _VERSION == 1 else {"version": _VERSION}
    if factory := own_factories([config]).get(config.combiner):
        try:
            beside["code"] = fingerprint(factory)
        except UnreadError as error:
            raise StoreError(
                f"combiner {config.combiner!r} holds a {error}, so its code cannot be known again; "
                "make it in __init__, or leave it out in __getstate__"
            ) from error
    return beside


def _of_another_version(settings: dict[str, Any], version: int) -> str:
    """In what the settings and the version of a record differ from today's."""
    today = {f.name for f in dataclasses.fields(TrainConfig)}
    faults = [f"it lacks {name}" for name in sorted(today - settings.keys() - set(NEWER))]
    faults += [f"it has {name}" for name in sorted(settings.keys() - today)]
    faults += [f"its format is {version}, ours {_VERSION}"] if version != _VERSION else []
    return ", ".join(faults)


def _as_floats(value: Any) -> Any:
    """25 and 25.0 are one setting, in whatever it lies."""
    if isinstance(value, dict):
        return {key: _as_floats(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_as_floats(part) for part in value]
    return float(value) if isinstance(value, Real) and not isinstance(value, bool) else value
