"""What the rules that compare the two losses' gradients share."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.graph import get_gradient_edge

from amnl.combiners.contract import AdaptiveCombiner, loss_names

Losses = tuple[Tensor, ...]  # RUL first
Tensors = Sequence[Tensor]


def task_gradients(losses: Tensors, parameters: Tensors, keep_graph: bool = True) -> list[Tensor]:
    """Each loss's gradient with respect to the parameters, flattened to (P,).

    A parameter that a loss does not reach counts as 0. The graph stays, unless told otherwise.

    Examples
    --------
    >>> import torch
    >>> w = torch.tensor([2.0, 3.0], requires_grad=True)
    >>> [g.tolist() for g in task_gradients([(w**2).sum(), w[0]], [w])]
    [[4.0, 6.0], [1.0, 0.0]]
    """
    flat = []
    for k, loss in enumerate(losses, start=1):
        keep = keep_graph or k < len(losses)
        grads = torch.autograd.grad(loss, parameters, retain_graph=keep, materialize_grads=True)
        flat.append(torch.cat([g.flatten() for g in grads]))
    return flat


class GradientCombiner(AdaptiveCombiner):
    """An adaptive combiner that compares the gradients of the two losses.

    A subclass writes `training_total`. Parameters are those of `AdaptiveCombiner`.

    Notes
    -----
    Where gradients pass through float16, small ones would vanish, and the caller's `GradScaler`
    comes too late for them. So each loss is taken at the size of 1 and scaled by `half_scale`,
    which goes by `GradScaler`'s rule: halved after an overflow, doubled after 2,000 steps without.
    """

    half_scale: Tensor
    half_steps: Tensor  # since the last overflow or doubling

    def __init__(self, total: float = 1.0, *, signed: bool = True) -> None:
        super().__init__(total, signed=signed)
        # Not in the state dict: a resumed run finds the scale again.
        self.register_buffer("half_scale", torch.tensor(4096.0), persistent=False)
        self.register_buffer("half_steps", torch.tensor(0), persistent=False)

    def forward(
        self,
        rul_loss: Tensor,
        health_loss: Tensor,
        *more: Tensor,
        shared_params: Iterable[Tensor] | Tensor | None = None,
        model: nn.Module | None = None,
        **extras: Any,
    ) -> Tensor:
        """The weighted sum, 0-D; where it learns, it moves the weights first.

        Parameters
        ----------
        rul_loss, health_loss, *more
            0-D, with a graph; as many as the rule was made for.
        shared_params
            The parameters that both tasks train, at which gradients are compared.
        model
            Lets a rule that has computed all gradients already hand them to `backward`.
        **extras
            Ignored.

        Raises
        ------
        ValueError
            In training: without `shared_params`, with all of them frozen, where one is no tensor,
            where a loss has no gradient, or reaches none of those compared.
        """
        losses = self.checked(rul_loss, health_loss, *more)
        if not self.learning:
            return self.weighted(*losses)
        training_total = self.training_total
        if torch.compiler.is_compiling():  # gradients within a graph are not for a compiler
            training_total = torch.compiler.disable(training_total)  # type: ignore[no-untyped-call]
        return training_total(losses, self._trained(shared_params), model)

    def training_total(self, losses: Losses, shared: list[Tensor], model: object) -> Tensor:
        """The total of a training step, given the shared parameters that are not frozen."""
        raise NotImplementedError

    def compared(
        self, losses: Losses, shared: Tensors, others: Tensors = (), *, half: bool, keep: bool
    ) -> tuple[Tensor, list[list[Tensor]]]:
        """How long each loss's gradient is at `shared`, and the gradients there and at `others`.

        Lengths have shape (K,), in float64: tiny and huge gradients keep their ratio. A parameter
        that a loss does not reach has the gradient 0. `half` says that gradients pass through
        float16, `keep` that the graph is wanted again.
        """
        parameters = [*shared, *others]
        lengths, gradients = [], []
        for name, loss in zip(loss_names(len(losses)), losses, strict=True):
            scale = self._half_scale_of(loss) if half else None
            upstream = None if scale is None else scale.to(loss.dtype)
            graph = keep or loss is not losses[-1]
            found = torch.autograd.grad(loss, parameters, upstream, graph, allow_unused=True)
            if all(g is None for g in found[: len(shared)]):
                raise ValueError(
                    f"{name} reaches none of the shared_params= that {self.get_name()} compares "
                    "gradients at; pass parameters that both losses train"
                )
            if scale is not None:
                found = tuple(None if g is None else g.float() / scale for g in found)
            pairs = zip(parameters, found, strict=True)
            gradients.append([torch.zeros_like(p) if g is None else g for p, g in pairs])
            flat = torch.cat([g.flatten() for g in gradients[-1][: len(shared)]])
            lengths.append(torch.linalg.vector_norm(self.over_ranks(flat), dtype=torch.float64))
        norms = torch.stack(lengths)
        if half:
            self._adjust_half_scale(norms.isfinite().all())
        return norms, gradients

    def reached(self, losses: Losses) -> tuple[list[Tensor], bool]:
        """The leaves that the losses' gradients reach, and whether these pass through float16."""
        for name, loss in zip(loss_names(len(losses)), losses, strict=True):
            if not loss.requires_grad:
                raise ValueError(
                    f"{name} has no gradient, and {self.get_name()} compares gradients; pass the "
                    "loss as computed, not detached and not from under torch.no_grad()"
                )
        nodes = [get_gradient_edge(loss).node for loss in losses]
        seen = set(nodes)
        leaves, half = [], any(loss.dtype is torch.float16 for loss in losses)
        while nodes:
            node: Any = nodes.pop()
            inputs = getattr(node, "_input_metadata", ())
            half = half or any(of.dtype is torch.float16 for of in inputs)
            if node.name() == "torch::autograd::AccumulateGrad":
                leaves.append(node.variable)
            below = {child for child, _ in node.next_functions if child is not None} - seen
            seen |= below
            nodes += below
        # A compiled model shows its insides to nobody: autocast tells of them.
        device = losses[0].device.type
        if torch.amp.is_autocast_available(device) and torch.is_autocast_enabled(device):
            half = half or torch.get_autocast_dtype(device) is torch.float16
        return leaves, half

    def _trained(self, shared_params: Iterable[Tensor] | Tensor | None) -> list[Tensor]:
        """The shared parameters that are not frozen."""
        if isinstance(shared_params, Tensor) or not isinstance(shared_params, Iterable):
            shared_params = [] if shared_params is None else [shared_params]
        shared = list(shared_params)
        if not shared:
            spent = " (an iterator gives them once: pass a list)"
            raise ValueError(
                f"{self.get_name()} needs shared_params=, the parameters that both tasks train, "
                "to compare the tasks' gradients" + spent * isinstance(shared_params, Iterator)
            )
        for p in shared:
            if not isinstance(p, Tensor):
                raise ValueError(
                    f"shared_params= must hold tensors, got {type(p).__name__}; pass "
                    "list(trunk.parameters())"
                )
        trained = [p for p in shared if p.requires_grad]
        if not trained:
            raise ValueError(
                f"all shared_params= are frozen, so {self.get_name()} has no gradients to compare; "
                "pass a layer that is trained, or use 'fixed'"
            )
        return trained

    def _half_scale_of(self, loss: Tensor) -> Tensor:
        """A power of two: it changes no digit of a gradient."""
        _, exponent = torch.frexp(loss.detach().float())
        scale = torch.ldexp(self.half_scale, -exponent.clamp(-64, 64))
        return scale.clamp(max=2.0**15) if loss.dtype is torch.float16 else scale

    def _adjust_half_scale(self, finite: Tensor) -> None:
        steps = torch.where(finite, self.half_steps + 1, 0)
        doubled = torch.where(steps == 2000, 2.0 * self.half_scale, self.half_scale)
        self.half_scale.copy_(torch.where(finite, doubled, 0.5 * self.half_scale))
        self.half_steps.copy_(steps % 2000)
