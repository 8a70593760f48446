"""A training loop of Lightning, weighed: `amnl weigh with_lightning.py`."""

import lightning as L
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss
from torch.utils.data import DataLoader, TensorDataset

from amnl.weigh import measured_pulls

draw = torch.Generator().manual_seed(0)
X = torch.randn(200, 8, generator=draw)
HEAT = 100 * X[:, :3].sum(1) + 30 * torch.randn(200, generator=draw)  # in watts
KIND = (X[:, 0] > 0).long()
TRAIN, VAL = TensorDataset(X[:150], HEAT[:150], KIND[:150]), (X[150:], HEAT[150:])


class Net(L.LightningModule):
    def __init__(self, weights: dict[str, float]) -> None:
        super().__init__()
        self.weights = weights
        self.trunk = nn.Sequential(nn.Linear(8, 16), nn.ReLU())
        self.heat, self.kind = nn.Linear(16, 1), nn.Linear(16, 2)

    def losses(self, batch: list[Tensor]) -> dict[str, Tensor]:
        x, heat, kind = batch
        shared = self.trunk(x)
        return {
            "heat": mse_loss(100 * self.heat(shared)[:, 0], heat),
            "kind": cross_entropy(self.kind(shared), kind),
        }

    def training_step(self, batch: list[Tensor], index: int) -> Tensor:
        losses = self.losses(batch)
        return sum(self.weights[name] * loss for name, loss in losses.items())

    def configure_optimizers(self) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.parameters(), 1e-2)


def train(weights: dict[str, float], seed: int) -> float:
    """The score of one training: the error of the heat, RMSE in watts."""
    L.seed_everything(seed, verbose=False)
    net = Net(weights)
    trainer = L.Trainer(
        max_epochs=3, accelerator="cpu", logger=False, enable_checkpointing=False,
        enable_progress_bar=False, enable_model_summary=False,
    )  # fmt: skip
    trainer.fit(net, DataLoader(TRAIN, 30, shuffle=True))
    with torch.no_grad():
        return mse_loss(100 * net.heat(net.trunk(VAL[0]))[:, 0], VAL[1]).sqrt().item()


losses = ["heat", "kind"]
margin = 5.0  # watts

# How hard each loss pulls on the trunk of a fresh network.
# Without it nothing can be balanced.
L.seed_everything(0, verbose=False)
fresh = Net({})
pulls = measured_pulls(fresh.losses(TRAIN.tensors), fresh.trunk.parameters())
