"""GradNorm: learned weights under which both tasks train at the same pace."""

import torch
from torch import Tensor, nn

from amnl.combiners.contract import _number, _state_dtype
from amnl.combiners.gradients import GradientCombiner, Losses
from amnl.combiners.optimiser_check import OptimiserCheck
from amnl.combiners.registry import register


@register("gradnorm")
class GradNormLoss(GradientCombiner):
    """GradNorm: learn weights that let both tasks train at the same pace.

    Parameters
    ----------
    alpha
        How strongly a task that lags behind is favoured; at least 0.
    speed
        The weights' learning rate over the optimiser's, above 0. The paper's is 0.025, which is 25
        times this book's 1e-3.
    floor
        Least weight before the two are rescaled, in (0, 1]: the paper's rule could make one
        negative.

    Raises
    ------
    ValueError
        For a bad setting and for a loss that is negative; in training as `GradientCombiner.forward`
        says, and where no shared parameter that is trained has two dimensions.

    Notes
    -----
    The weights descend, with the targets T held fixed, on::

        Σ |G_i − T_i|,    G_i = w_i · ‖∇ L_i‖,    T_i = mean(G) · r_i^α

    - `∇ L_i`: gradient of a loss at the last shared weight matrix: of `shared_params`, the last
      that is trained and has two dimensions or more
    - `r_i`: L_i over its value at the first step (the first with losses that are all finite and not
      0), relative to the mean of all
    - `w_i`: the weights, rescaled to sum to 2 after each step, or to K; `α`: `alpha`

    No other gradient reaches the weights, and this one reaches nothing else. With norms or losses
    that are NaN or infinite, the weights are not moved.

    References
    ----------
    Z. Chen et al., "GradNorm: Gradient normalization for adaptive loss balancing in deep multitask
    networks", ICML 2018.

    Examples
    --------
    >>> import torch
    >>> w = torch.ones(1, 2, requires_grad=True)
    >>> combiner = GradNormLoss()
    >>> optimiser = torch.optim.SGD(combiner.parameters(), lr=1e-4)
    >>> for _ in range(3):
    ...     combiner(4 * w[0, 0], w[0, 1], shared_params=[w]).backward()
    ...     optimiser.step()
    >>> combiner.get_weights()["rul_weight"] < 1  # the steeper loss weighs less
    True
    """

    initial_losses: Tensor  # (K,), RUL first
    started: Tensor  # whether they are known

    def __init__(self, alpha: float = 1.5, speed: float = 25.0, floor: float = 0.01) -> None:
        super().__init__(total=2.0, signed=False)
        self.alpha = _number("alpha", alpha, lambda v: v >= 0.0, "lie in [0, ∞)")
        self.speed = _number("speed", speed, lambda v: v > 0.0, "lie in (0, ∞)")
        self.floor = _number("floor", floor, lambda v: 0.0 < v <= 1.0, "lie in (0, 1]")
        self._start(2)

    def _start(self, count: int) -> None:
        super()._start(count)
        # An optimiser moves a parameter by about its learning rate; the weight is `speed` times it.
        slow = torch.full((count,), 1.0 / self.speed, dtype=_state_dtype())
        self.slow_weights = nn.Parameter(slow)
        self._optimiser_check = OptimiserCheck()
        self.register_buffer("initial_losses", torch.ones(count, dtype=_state_dtype()))
        self.register_buffer("started", torch.zeros((), dtype=torch.bool))

    def training_total(self, losses: Losses, shared: list[Tensor], model: object) -> Tensor:
        """The weighted sum; its gradient at the weights is that of GradNorm's own loss."""
        matrices = [p for p in shared if p.ndim >= 2]
        if not matrices:
            raise ValueError(
                "GradNorm needs a weight matrix that is trained among shared_params=, found none"
            )
        _, half = self.reached(losses)
        self._rescale()
        values = self.over_ranks(torch.stack(losses).detach().to(self.weights))
        # `where`, not `if`: reading a loss on the host would stall a GPU at every step.
        usable = (values.isfinite() & (values > 0)).all()
        begins = usable & ~self.started
        self.initial_losses.copy_(torch.where(begins, values, self.initial_losses))
        self.started.logical_or_(usable)
        norms, _ = self.compared(losses, matrices[-1:], half=half, keep=True)
        slope = self._slope(values, norms.to(self.weights))
        slow_weights = self._optimiser_check.watched(self, self.slow_weights)
        own_loss = (slope * self.speed * slow_weights).sum()
        # Adds nothing to the value, and to the gradient of the weights everything.
        total = self.weighted(*losses)
        return total + (own_loss - own_loss.detach()).to(total.dtype)

    def get_name(self) -> str:
        return f"GradNorm(α={self.alpha:g})"

    def _slope(self, losses: Tensor, norms: Tensor) -> Tensor:
        """Of Σ |w · norm − target|, in w; 0 where it can't be known."""
        lengths = self.weights * norms
        ratio = losses / self.initial_losses
        target = lengths.mean() * (ratio / ratio.mean()) ** self.alpha
        slope = norms * torch.sign(lengths - target)
        # The sign of NaN is 0, so the target needs a look of its own.
        known = self.started & slope.isfinite().all() & target.isfinite().all()
        return torch.where(known, slope, 0.0)

    @torch.no_grad()
    def _rescale(self) -> None:
        """Take over what the optimiser did to the weights, rescaled to sum to their number."""
        moved = (self.speed * self.slow_weights).clamp(min=self.floor)
        self.weights.copy_(self.losses * moved / moved.sum())
        self.slow_weights.copy_(self.weights / self.speed)
