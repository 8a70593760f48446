"""The five-point sweep on C-MAPSS FD003: writes amnl/study/rows/five_point-fd003-*.json.

`python tools/measure/five_point_fd003.py` sweeps twice, as the book's page "How far to believe it"
tells it: with the RUL loss in cycles², and with that loss divided by what the first sweep's scale
check says. Needs NASA's files. Settings were fixed before the first run: the tool's own 10 epochs
and 5 seeds, the protocol's batch size, learning rate, margin, thinning and compact network.
Finished runs are kept in runs/five_point_fd003.
"""

import json
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from amnl import cmapss, five_point_sweep
from amnl.files import write_atomically
from amnl.stats import MARGIN
from amnl.task_losses import moderate_weighted_mse_loss, rmse
from amnl.training import provenance
from amnl.training.model import make_model
from amnl.weigh import FivePoint, Losses

RESULTS = Path(__file__).resolve().parents[2] / "amnl" / "study" / "rows"
STORE = "runs/five_point_fd003"


# The page shows these lines; a test compares.
def tensors(windows: cmapss.Windows) -> tuple[Tensor, ...]:
    return tuple(map(torch.as_tensor, (windows.gather(), windows.rul, windows.health)))


def build() -> nn.Module:
    return make_model("compact")


def losses_in(divisor: float) -> Losses:
    def losses(model: nn.Module, batch: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        x, rul, health = batch
        predicted, logits = model(x)
        rul_loss = moderate_weighted_mse_loss(predicted, rul)
        return rul_loss / divisor, cross_entropy(logits, health)

    return losses


def metric(model: nn.Module, val: tuple[Tensor, ...]) -> float:
    return rmse(model(val[0])[0], val[1])  # cycles


def sweep(data: cmapss.Data, divisor: float) -> FivePoint:
    return five_point_sweep(
        build, losses_in(divisor), metric, tensors(data.train), tensors(data.val),
        margin=MARGIN, batch_size=256, store=STORE, tell=print,
    )  # fmt: skip


# The end of what the page shows.


def keep(name: str, found: FivePoint, source: cmapss.Source) -> None:
    told = provenance(torch.device("cpu")) | {"source": str(source), "threads": 1}
    text = json.dumps({**found.to_dict(), "provenance": told}, indent=1, ensure_ascii=False)
    path = RESULTS / f"five_point-fd003-{name}.json"
    write_atomically(path, f"{text}\n".encode())
    print(f"\n{path.name}\n{found}\n", flush=True)


def main() -> None:
    torch.set_num_threads(1)
    data = cmapss.load("FD003", seed=0, stride=4)
    first = sweep(data, 1.0)
    keep("cycles2", first, data.source)
    if not first.before.ratio:
        raise SystemExit("one of the tasks does not pull; there is nothing to divide by")
    keep("divided", sweep(data, float(f"{first.before.ratio:.3g}")), data.source)


if __name__ == "__main__":
    main()
