"""Rules of the library TorchJD by their names there: the next one needs no code of ours."""

import inspect
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import torch
from torch import Tensor

from amnl.combiners.gradients import GradientCombiner, Losses
from amnl.combiners.registry import register


@register("torchjd")
class TorchJDLoss(GradientCombiner):
    """Weigh the losses as a rule of TorchJD does.

    Parameters
    ----------
    rule
        A name in `torchjd.aggregation` that weighs whole gradients, such as "IMTLG", "MGDA" or
        "AlignedMTL", or in `torchjd.scalarization`, such as "IMTLL" or "Random". Its settings are
        the library's defaults.

    Raises
    ------
    ValueError
        For a name that TorchJD lacks, and for a rule that does not weigh whole gradients, such as
        "GradDrop", which picks among their elements.
    ImportError
        Without TorchJD.

    Notes
    -----
    A rule about gradients sees the (K, P) matrix of those with respect to the shared parameters;
    its weights are those of the step, for the heads as well. A rule about losses sees them alone.
    What is drawn at random comes from a generator of the combiner's own, so that the dropout of a
    seed is that of every other combiner.

    With two losses some rules are one. Nash-MTL (Navon et al. 2022) asks for weights α with
    GGᵀα = 1/α, so α₁‖g₁‖ = α₂‖g₂‖: the direction of IMTL-G. IMTL-L is uncertainty weighting of
    two regressions, with the sign of its parameter turned.

    Examples
    --------
    >>> w = torch.tensor([1.0, 1.0], requires_grad=True)
    >>> combiner = TorchJDLoss("IMTLG")
    >>> total = combiner(3 * w[0], w[1], shared_params=[w])  # lengths 3 and 1
    >>> {name: round(weight, 4) for name, weight in combiner.get_weights().items()}
    {'rul_weight': 0.25, 'health_weight': 0.75}
    """

    random: Tensor  # state of the generator of the rule's draws

    def __init__(self, rule: str = "IMTLG") -> None:
        super().__init__()
        try:
            from torchjd import aggregation, scalarization
        except ImportError as error:
            raise ImportError("the combiner torchjd needs TorchJD: pip install torchjd") from error
        weighs: dict[str, Any] = {
            name: kind
            for room, base in (
                (aggregation, aggregation.WeightedAggregator),
                (scalarization, scalarization.Scalarizer),
            )
            for name, kind in vars(room).items()
            if isinstance(kind, type) and issubclass(kind, base) and not inspect.isabstract(kind)
        }
        if rule not in weighs:
            what = "does not weigh whole gradients" if hasattr(aggregation, rule) else "is none"
            raise ValueError(
                f"rule {rule!r} of TorchJD {what}; those that do: {', '.join(sorted(weighs))}"
            )
        self._kind = weighs[rule]
        self.rule: Any = self._rule_of(2)
        self.of_losses = isinstance(self.rule, scalarization.Scalarizer)
        self.label = f"TorchJD {rule}"
        own = torch.Generator().manual_seed(torch.initial_seed() ^ 1)
        self.register_buffer("random", own.get_state())

    def _rule_of(self, count: int) -> Any:
        takes = {"n_tasks", "shape"} & inspect.signature(self._kind).parameters.keys()
        return self._kind(**dict.fromkeys(takes, count))

    def _start(self, count: int) -> None:
        super()._start(count)
        self.rule = self._rule_of(count)

    def training_total(self, losses: Losses, shared: list[Tensor], model: object) -> Tensor:
        with self._own_draws():
            if self.of_losses:
                values = torch.stack(losses)
                total = cast(Tensor, self.rule(values))
                (weights,) = torch.autograd.grad(total, values, retain_graph=True)
                self._log(weights)
                return total
            half = self.reached(losses)[1]
            norms, gradients = self.compared(losses, shared, half=half, keep=True)
            matrix = torch.stack([torch.cat([g.flatten() for g in of]) for of in gradients])
            if norms.isfinite().all() and torch.stack(losses).isfinite().all():
                self._log(self.rule.weighting(self.over_ranks(matrix.double())))
        return self.weighted(*losses)

    def get_name(self) -> str:
        return self.label

    def _log(self, weights: Tensor) -> None:
        weights = weights.detach().to(self.weights)
        self.weights.copy_(torch.where(weights.isfinite().all(), weights, self.weights))

    @contextmanager
    def _own_draws(self) -> Iterator[None]:
        outer = torch.get_rng_state()
        torch.set_rng_state(self.random.cpu())
        try:
            yield
        finally:
            self.random.copy_(torch.get_rng_state())
            torch.set_rng_state(outer)
