"""Where a training or a sweep stands, while it runs."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from rich.table import Table

from amnl.cli.output import duration, err, on_terminal, say

if TYPE_CHECKING:
    from amnl.runs import Progress
    from amnl.training import TrainConfig


@contextmanager
def epochs_shown(epochs: int) -> Iterator[Callable[[dict[str, Any]], None]]:
    """A bar; on something else than a terminal, a line an epoch."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as Remaining

    def text(record: dict[str, Any]) -> str:
        model = f"model {record['fold'] + 1}, " if "fold" in record else ""
        return f"{model}loss {record['loss']:.3f}  validation RMSE {record['val_rmse']:.2f}"

    if not on_terminal():
        yield lambda record: say(
            f"epoch {record['epoch']} of {epochs}: {text(record)}, "
            f"{duration(record['seconds'] * (epochs - record['epoch']))} to go"
        )
        return
    columns = (BarColumn(), MofNCompleteColumn(), Remaining(), TextColumn("{task.description}"))
    with Progress(TextColumn("epoch"), *columns, console=err) as bar:
        task = bar.add_task("", total=epochs)
        yield lambda record: bar.update(task, completed=record["epoch"], description=text(record))


@contextmanager
def sweep_shown() -> Iterator[Callable[["Progress[TrainConfig]"], None]]:
    """A table that follows a sweep; on something else than a terminal, a line a finished cell."""
    from rich.live import Live

    def table(progress: "Progress[TrainConfig]") -> Table:
        left = progress.seconds_left
        shown = Table(
            title=f"{progress.left} of {progress.total} cells left, {progress.workers} workers, "
            + (f"{duration(left)} to go" if left is not None else "time unknown yet")
            + (f", epoch {progress.epoch}" if progress.epoch else "")
        )
        for name in ("subset", "finished now", "running"):
            shown.add_column(name, justify="right")
        for subset in sorted({c.subset for c in (*progress.finished, *progress.running)}):
            done = sum(c.subset == subset for c in progress.finished)
            running = ", ".join(label(c) for c in progress.running if c.subset == subset)
            shown.add_row(subset, str(done), running)
        if progress.failed:
            shown.caption = f"{len(progress.failed)} failed"
        return shown

    if on_terminal():
        with Live(console=err, refresh_per_second=2) as live:
            yield lambda progress: live.update(table(progress))
        return
    said = 0

    def tell(progress: "Progress[TrainConfig]") -> None:
        nonlocal said
        for cell in progress.finished[said:]:
            left = progress.seconds_left
            say(
                f"{cell.subset} {label(cell)}: done; {progress.left} left, "
                f"{duration(left or 0)} to go"
            )
        said = len(progress.finished)

    yield tell


def label(cell: "TrainConfig") -> str:
    what = cell.combiner if cell.lam is None else f"λ={cell.lam:g}"
    return f"{what} unit={cell.rul_unit:g} seed={cell.seed}"
