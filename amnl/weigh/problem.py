"""A reader's own two-task problem: tried out, with help for what is wrong, and trained once.

Two of the source's three pitfalls (chapter 15.1) are looked for here: samples that are weighted
twice, and a combiner that takes no extras. The third, finely tuned weights, is
`amnl.weigh.five_point`'s.
"""

import dataclasses
import inspect
import math
import random
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils.data import (
    DataLoader,
    Dataset,
    RandomSampler,
    Subset,
    TensorDataset,
)

from amnl.combine import FIVE
from amnl.combiners import task_gradients
from amnl.weigh.broadcast import Squares, accident

Losses = Callable[[Any, Any], Sequence[Tensor]]
Metric = Callable[[Any, Any], float]

_COLLATE = ("collate", "default_collate", "collate_tensor_fn")  # of PyTorch: rows → a batch
_PROBED = 4  # batches for gradient norms
_ALIKE = 1.05  # pulls that differ by less are called alike
_EVERY_PAIR = (
    ". Every prediction would meet every target; .squeeze(-1) or .flatten() one of them. Where all "
    "pairs are meant, write both axes: p[:, None] and y[None, :]"
)


class ProblemError(ValueError):
    """A problem that cannot be swept. The message says what is wrong, and the way out."""


@dataclass(frozen=True)
class Problem:
    """What is trained, besides λ and the seed. See `five_point_sweep`."""

    build: Callable[[], nn.Module]
    losses: Losses
    metric: Metric
    train: Any
    val: Any
    combiner: Callable[[float], Any]
    epochs: int
    batch_size: int
    lr: float
    dtype: torch.dtype


@dataclass(frozen=True)
class Scale:
    """How hard the two tasks pull on the parameters that both reach; means over batches.

    primary, auxiliary  lengths of the gradients of the two losses, unweighted
    cosine              of the angle between them
    """

    primary: float
    auxiliary: float
    cosine: float

    @property
    def ratio(self) -> float | None:
        """Pull of the primary task over that of the auxiliary one; None where one does not pull."""
        both = self.primary > 0 and self.auxiliary > 0
        return self.primary / self.auxiliary if both else None

    @property
    def balanced_lam(self) -> float | None:
        """The λ at which both pull equally. Dividing the primary loss by `ratio` makes it 0.5."""
        return None if self.ratio is None else 1.0 / (1.0 + self.ratio)

    def __str__(self) -> str:
        if self.ratio is None:
            idle = "auxiliary" if self.primary > 0 else "primary"
            return f"the {idle} task does not pull at all (a last layer that starts at zero?)"
        times, louder = self.ratio, "primary"
        if times < 1:
            times, louder = 1 / times, "auxiliary"
        if times < _ALIKE:
            return f"both tasks pull alike at 0.5 (cosine {self.cosine:+.2f})"
        return (
            f"the {louder} task pulls {three_digits(times)} times as hard as the other (cosine "
            f"{self.cosine:+.2f}); both pull alike at λ = {self.balanced_lam:.3g}, or at 0.5 with "
            f"the primary loss divided by {three_digits(self.ratio)} (a squared error: its unit "
            f"times {three_digits(math.sqrt(self.ratio))})"
        )


def three_digits(value: float) -> str:
    """1590, not 1.59e+03."""
    return f"{float(f'{value:.3g}'):.15g}"


@dataclass(frozen=True)
class Run:
    """One training: its score at the last epoch, and the scale after it."""

    lam: float
    seed: int
    score: float
    scale: Scale
    seconds: float


# ------------------------------------------------------------------------------------ trying it out


@dataclass(frozen=True)
class Checked:
    """What trying a problem out has shown.

    untrained  the metric of a fresh model, of seed 0
    shared     names of the parameters that both losses reach
    """

    scale: Scale
    untrained: float
    shared: tuple[str, ...]
    notes: tuple[str, ...]


def check(problem: Problem, lams: Sequence[float] = FIVE, same_start: bool = False) -> Checked:
    """Try a problem out before it trains.

    Raises `ProblemError` where `build` ignores the seed, or does not give the same model twice,
    `losses` does not give two 0-D tensors with gradients, or lets each prediction meet each target,
    no parameter is shared, the combiner does not combine, or the metric is no finite number or not
    the same number twice.
    """
    models = []
    for seed in (0, 0, 1):
        with seeded(seed):
            models.append(problem.build())
    _check_seed(models, same_start)
    _check_rows(problem, models[2])
    notes = []
    with seeded(0):
        model = models[0]
        model.train()
        batch = _first_batch(problem.train, problem.batch_size)
        pair = _two_losses(problem, model, batch)
        if torch.equal(pair[0], pair[1]):
            raise ProblemError(
                f"both losses are {pair[0].item():.6g}: λ between a loss and itself changes "
                "nothing. Return the primary and the auxiliary one"
            )
        shared = _shared(model, pair)
        parameters = dict(model.named_parameters())
        common = [parameters[name] for name in shared]
        if note := _check_combiner(problem, pair, model, common, lams):
            notes.append(note)
        scale = _scale(problem, model, common)
        notes += _sample_weights(problem, model, batch, max(lams))
        if strangers := _strangers(model, pair):
            notes.append(
                f"losses() goes through {strangers} parameters that are not the model's: no run "
                "trains them. Make their layer in build(), as a part of the model"
            )
        untrained = _check_metric(problem, models[1])  # training mode moves statistics
    if same_start:
        notes.append("same_start: seeds differ in the order of batches and the like alone")
    return Checked(scale, untrained, shared, tuple(notes))


def _check_seed(models: Sequence[Any], same_start: bool) -> None:
    """Models built with seeds 0, 0 and 1 are the same, the same, and another one."""
    for model in models:
        if not isinstance(model, nn.Module):
            raise ProblemError(f"build() returned {type(model).__name__}, not a torch.nn.Module")
        if any(nn.parameter.is_lazy(p) for p in model.parameters()):
            raise ProblemError(
                "build() returned a model with lazy layers, which have no weights yet; give their "
                "sizes, or run the model once on a batch in build"
            )
    first, again, other = (
        {name: p for name, p in m.named_parameters() if p.requires_grad} for m in models
    )
    if not first:
        raise ProblemError("build() returned a model without parameters to train")
    if {id(p) for p in first.values()} & {id(p) for p in again.values()}:
        raise ProblemError(
            "build() returns the same parameters each time, so that each run would go on where the "
            "last one stopped; make the model inside build, or copy.deepcopy what it starts from"
        )
    if not _equal(first, again):
        raise ProblemError(
            "build() gives other weights for the same seed: it draws from a generator of its own, "
            "or keeps something between calls. Runs could not be paired; draw from torch's, "
            "NumPy's or Python's global random state"
        )
    if _equal(first, other) and not same_start:
        raise ProblemError(
            "the seed is ignored: build() gives the same weights for seeds 0 and 1. Take "
            "torch.manual_seed out of it; where it starts from stored weights on purpose, say "
            "same_start=True"
        )


def _equal(some: dict[str, Tensor], others: dict[str, Tensor]) -> bool:
    return some.keys() == others.keys() and all(torch.equal(p, others[k]) for k, p in some.items())


def _first_batch(data: Any, batch_size: int) -> Any:
    try:
        return next(_batches(data, batch_size, torch.Generator().manual_seed(0)))
    except (TypeError, RuntimeError) as error:
        if traceback.extract_tb(error.__traceback__)[-1].name not in _COLLATE:
            raise
        raise ProblemError(
            f"the rows of train do not make a batch: {str(error).splitlines()[0]}. A row is a "
            "tensor, array or number, or a tuple or dict of these, of one shape in all rows"
        ) from error


@contextmanager
def _same_shapes(who: str) -> Iterator[None]:
    """What PyTorch warns of becomes a `ProblemError`; to compare with one number is no mistake."""
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("error", "Using a target size")
            warnings.filterwarnings("ignore", r"Using a target size \(torch\.Size\(\[[1, ]*\]\)\)")
            yield
    except UserWarning as warning:
        if not str(warning).startswith("Using a target size"):
            raise
        shapes = str(warning).partition(". This")[0]
        raise ProblemError(
            f"{who} compares tensors of different shapes: {shapes}{_EVERY_PAIR}"
        ) from warning


def _two_losses(problem: Problem, model: nn.Module, batch: Any) -> tuple[Tensor, Tensor]:
    with _same_shapes("a loss"):
        pair = problem.losses(model, batch)
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        got = "one tensor" if isinstance(pair, Tensor) else type(pair).__name__
        got += f" of {len(pair)}" if isinstance(pair, tuple | list) else ""
        raise ProblemError(
            f"losses(model, batch) returned {got}; return the primary and the auxiliary loss, "
            "`return primary, auxiliary`, not yet combined"
        )
    for name, loss in zip(("primary", "auxiliary"), pair, strict=True):
        if not isinstance(loss, Tensor) or loss.ndim != 0 or not loss.requires_grad:
            what = type(loss).__name__
            if isinstance(loss, Tensor):
                what = f"a tensor of shape {tuple(loss.shape)}"
                what += "" if loss.requires_grad else " without a gradient"
            raise ProblemError(
                f"the {name} loss is {what}; a 0-D tensor that has a gradient is wanted. Reduce it "
                "over the batch, and leave out .item() and .detach()"
            )
        if not bool(torch.isfinite(loss)):
            raise ProblemError(f"the {name} loss is {loss.item()}; look for NaN in train")
    return pair[0], pair[1]


def _shared(model: nn.Module, pair: Sequence[Tensor]) -> tuple[str, ...]:
    """Names of the parameters that both losses reach."""
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad]
    parameters = [p for _, p in named]
    primary, auxiliary = (
        torch.autograd.grad(loss, parameters, retain_graph=True, allow_unused=True) for loss in pair
    )
    shared = tuple(
        name
        for (name, _), a, b in zip(named, primary, auxiliary, strict=True)
        if a is not None and b is not None
    )
    if not shared:
        raise ProblemError(
            "no parameter feels both losses: these are two models in one, and a weight between "
            "their losses changes little but their learning rates. Share a layer, or sweep those"
        )
    return shared


def _strangers(model: nn.Module, pair: Sequence[Tensor]) -> int:
    """How many numbers in parameters outside the model both losses reach."""
    own, seen, found = set(map(id, model.parameters())), set(), {}
    waiting = [loss.grad_fn for loss in pair]
    while waiting:
        node = waiting.pop()
        if node is None or node in seen:
            continue
        seen.add(node)
        waiting += [above for above, _ in node.next_functions]
        leaf = getattr(node, "variable", None)
        if isinstance(leaf, nn.Parameter) and id(leaf) not in own:
            found[id(leaf)] = leaf.numel()
    return sum(found.values())


def _check_combiner(
    problem: Problem,
    pair: tuple[Tensor, Tensor],
    model: nn.Module,
    shared: Sequence[Tensor],
    lams: Sequence[float],
) -> str | None:
    """A trial call. Raises `ProblemError` for what is no combiner; a note on one without extras."""
    combiner = _combiner(problem, lams[0], model)
    if not callable(combiner):
        raise ProblemError(
            f"combiner({lams[0]:g}) returned {type(combiner).__name__}; combiner= takes a function "
            "of λ that makes a combiner, such as FixedWeightLoss.convex"
        )
    takes = _takes_extras(combiner)
    total = combiner(*pair, **({"shared_params": shared, "model": model} if takes else {}))
    if not isinstance(total, Tensor) or total.ndim != 0 or not total.requires_grad:
        raise ProblemError(
            f"combiner({lams[0]:g})(primary, auxiliary) returned {type(total).__name__}; a 0-D "
            "tensor that has a gradient is wanted"
        )
    if takes:
        return None
    return (
        "the combiner takes no extras: trainers that pass shared_params= and model= (this book's, "
        "and whatever lets you swap in GABA or GradNorm) will fail with it. Here it is called "
        "without. Add **extras to its signature"
    )


def _check_rows(problem: Problem, model: nn.Module) -> None:
    """Raises `ProblemError` where each prediction of a batch meets each target of it."""
    rows = min(problem.batch_size, _rows(problem.train))
    less, whole, error = Squares(of_targets=True), Squares(of_targets=True), None
    model.train()
    for squares, size in ((less, rows - 1 if rows > 2 else rows + 1), (whole, rows)):
        try:
            with seeded(0), torch.compiler.set_stance("force_eager"):
                batch = _first_batch(problem.train, size)
                with warnings.catch_warnings(action="ignore"), squares:
                    problem.losses(model, batch)
        except Exception as raised:  # what is wrong with losses itself shows when it is called next
            error = error or raised
    found = accident(less, whole)
    if not found and error and "must match the size of tensor" in str(error) and whole.lined_up:
        found = next(iter(whole.lined_up.values()))
    if found:
        raise ProblemError(f"losses broadcasts: shapes {found}{_EVERY_PAIR}")


def _check_metric(problem: Problem, model: nn.Module) -> float:
    """The metric of a model. Raises `ProblemError` for one that is of no use."""

    def score() -> float:
        with _same_shapes("the metric"):
            return _score(problem.metric, model, problem.val, "before training")

    untrained, whole = score(), Squares(of_targets=False)
    try:
        with torch.compiler.set_stance("force_eager"), whole:
            again = score()
    except ProblemError:
        raise
    except Exception:  # the watch was in its way
        again = math.nan
    # A watched model is not compiled, and may differ by rounding.
    if again != untrained and (again := score()) != untrained:
        why = (
            "draws at random, or changes the model or val. Draw from a seed of your own, and work "
        )
        why += "on a copy"
        if _is_shuffled(problem.val):
            why = (
                "sees val in another order each time, as its DataLoader has shuffle=True. Make it "
            )
            why += "with shuffle=False"
        raise ProblemError(
            f"the metric of one model is {untrained:.9g}, and then {again:.9g}: metric(model, "
            f"val) {why}"
        )
    if whole.met and (found := accident(_on_fewer_rows(problem, model), whole)):
        raise ProblemError(f"metric broadcasts: shapes {found}{_EVERY_PAIR}")
    return untrained


def _is_shuffled(val: Any) -> bool:
    parts = val.values() if isinstance(val, dict) else val if isinstance(val, tuple | list) else ()
    return any(
        isinstance(part, DataLoader) and isinstance(part.sampler, RandomSampler)
        for part in (val, *parts)
    )


def _on_fewer_rows(problem: Problem, model: nn.Module) -> Squares:
    """What arithmetic the metric does without the last row of `val`."""
    less = Squares(of_targets=False)
    model.eval()
    try:
        with torch.no_grad(), torch.compiler.set_stance("force_eager"), less:
            problem.metric(model, _but_one(problem.val))
    except Exception:  # then nothing is known, and nothing refused
        return Squares(of_targets=False)
    return less


def _but_one(data: Any) -> Any:
    """The same data without the last row, where it is known how."""
    if isinstance(data, Tensor):
        return data[:-1] if data.ndim else data
    if isinstance(data, dict):
        return {name: _but_one(part) for name, part in data.items()}
    if isinstance(data, TensorDataset):
        return TensorDataset(*map(_but_one, data.tensors))
    if isinstance(data, DataLoader):
        return DataLoader(_but_one(data.dataset), data.batch_size, collate_fn=data.collate_fn)
    if isinstance(data, Dataset):
        return Subset(data, range(len(data) - 1))  # type: ignore[arg-type]
    if isinstance(data, tuple | list) and tensors_of(data):
        return type(data)(_but_one(part) for part in data)
    return data


def _sample_weights(problem: Problem, model: nn.Module, batch: Any, top: float) -> list[str]:
    """Pitfall 2, samples weighted twice: notes on the primary loss.

    At equal predictions, the curvature of squared error, cross-entropy and the other losses of
    generalised linear models does not depend on the target. So all rows are given the same
    prediction, and where curvature still differs between them, something weighs them: a column of
    weights, or a function of the target inside the loss. Not seen: rows that are repeated or drawn
    more often, weights in a loss that does not get its predictions by calling the model once on the
    batch, or that has no curvature everywhere (absolute error, Huber, masked rows). Taken for
    weights: a curvature that follows the target, as of log-cosh or a predicted variance.
    """
    spread, why_not = _curvature_spread(problem, model, batch)
    if why_not:
        return [f"sample weights: not checked, {why_not}"]
    if spread < 1.01:
        return []
    return [
        f"doubly weighted: at equal predictions, rows of the primary loss differ {spread:.3g}-fold "
        "in curvature, which sample weights do (or a loss that is none of squared error, "
        f"cross-entropy and their kin). λ multiplies them: at {top:g} the heaviest row counts "
        f"{spread * top / 0.5:.3g} times as much as the lightest at 0.5. Sweep once without them, "
        "and compare"
    ]


def _curvature_spread(problem: Problem, model: nn.Module, batch: Any) -> tuple[float, str]:
    """Largest over smallest curvature of the primary loss in a row's prediction; or why not."""
    leaves: list[list[Tensor]] = []

    def alike(module: nn.Module, inputs: Any, output: Any) -> Any:
        leaves.append([])
        return _first_row_everywhere(output, leaves[-1])

    handle = model.register_forward_hook(alike)
    try:
        loss = problem.losses(model, batch)[0]
        if len(leaves) != 1 or not leaves[0]:
            return 1.0, "as losses() does not call model(…) once on the whole batch"
        slopes = torch.autograd.grad(loss, leaves[0], create_graph=True, allow_unused=True)
        draw = torch.Generator().manual_seed(0)
        squares: Tensor | float = 0.0
        for leaf, slope in zip(leaves[0], slopes, strict=True):
            if slope is None or not slope.requires_grad:
                continue
            probe = torch.randn(leaf[:1].shape, generator=draw, device="cpu").to(leaf)
            (bend,) = torch.autograd.grad((slope * probe).sum(), leaf, retain_graph=True)
            squares = squares + bend.reshape(len(bend), -1).square().sum(1)
    except (RuntimeError, IndexError, TypeError, ValueError, AttributeError) as error:
        return 1.0, f"as the primary loss has no second derivative here ({type(error).__name__})"
    finally:
        handle.remove()
    if isinstance(squares, float) or not bool(squares.min() > 1e-12 * squares.max()):
        return 1.0, "as the primary loss has no curvature in some rows"
    return math.sqrt(float(squares.max() / squares.min())), ""


def _first_row_everywhere(output: Any, leaves: list[Tensor]) -> Any:
    """The same structure, each row of it a copy of the first; new leaves are collected."""
    if isinstance(output, Tensor) and output.ndim > 0 and output.is_floating_point():
        leaf = output.detach()[:1].expand_as(output).clone().requires_grad_()
        leaves.append(leaf)
        return leaf.clone()  # a loss may change it in place
    if isinstance(output, tuple | list):
        parts = [_first_row_everywhere(part, leaves) for part in output]
        return type(output)(*parts) if hasattr(output, "_fields") else type(output)(parts)
    if isinstance(output, dict):
        return {key: _first_row_everywhere(part, leaves) for key, part in output.items()}
    return output


# ------------------------------------------------------------------------------------- one training


def run(problem: Problem, shared: Sequence[str], lam: float, seed: int) -> Run:
    """Train one weight with one seed."""
    start = time.perf_counter()
    with seeded(seed, problem.dtype):
        model = problem.build()
        combiner = _combiner(problem, lam, model)
        parameters = dict(model.named_parameters())
        common = [parameters[name] for name in shared]
        extras = {"shared_params": common, "model": model} if _takes_extras(combiner) else {}
        learned = list(model.parameters())
        if isinstance(combiner, nn.Module):
            combiner.train()
            learned += list(combiner.parameters())
        optimiser = torch.optim.AdamW(learned, lr=problem.lr)
        order = torch.Generator().manual_seed(seed)
        model.train()
        for epoch in range(1, problem.epochs + 1):
            totals = []
            for batch in _batches(problem.train, problem.batch_size, order):
                primary, auxiliary = problem.losses(model, batch)
                total = combiner(primary, auxiliary, **extras)
                optimiser.zero_grad()
                total.backward()
                nn.utils.clip_grad_norm_(model.parameters(), 1.0)
                optimiser.step()
                totals.append(total.detach())
            finite = torch.stack(totals).isfinite()  # once an epoch: a GPU should not wait
            if not bool(finite.all()):
                step = int(finite.int().argmin()) + 1
                raise ProblemError(
                    f"the loss is not finite at epoch {epoch}, step {step} (λ = {lam:g}, seed "
                    f"{seed}, lr {problem.lr:g}); a smaller lr usually helps"
                )
            if hasattr(combiner, "end_epoch"):
                combiner.end_epoch()
        score = _score(problem.metric, model, problem.val, f"λ = {lam:g}, seed {seed}")
        scale = _scale(problem, model, common)
    return Run(lam, seed, score, scale, round(time.perf_counter() - start, 3))


def _combiner(problem: Problem, lam: float, model: nn.Module) -> Any:
    """What combines the losses, on the model's device."""
    combiner = problem.combiner(lam)
    if isinstance(combiner, nn.Module):
        combiner.to(next(model.parameters()).device)
    return combiner


def _takes_extras(combiner: Any) -> bool:
    """Whether a combiner can be called with `shared_params=` and `model=`: pitfall 3."""
    call = combiner.forward if isinstance(combiner, nn.Module) else combiner
    try:
        inspect.signature(call).bind(None, None, shared_params=None, model=None)
    except TypeError:
        return False
    except ValueError:  # built-in, without a signature
        pass
    return True


class _Order(RandomSampler):
    """Rows in an order that is drawn where its generator is, whatever the default device."""

    def __iter__(self) -> Iterator[int]:
        with torch.device("cpu"):
            return iter(list(super().__iter__()))


def _batches(data: Any, batch_size: int, order: torch.Generator) -> Iterator[Any]:
    """One epoch. A last batch of one is dropped."""
    tensors, rows = tensors_of(data), _rows(data)
    lone = batch_size > 1 and rows % batch_size == 1
    if not tensors:
        sampler = _Order(data, generator=order)
        loader = DataLoader(data, batch_size, sampler=sampler, generator=order, drop_last=lone)
        with torch.device("cpu"):
            batches = iter(loader)
        yield from batches
        return
    # A DataLoader would pick rows one by one, which takes longer than training a small model.
    index = torch.randperm(rows, generator=order, device="cpu")
    for part in torch.split(index, batch_size)[: -1 if lone else None]:
        yield tuple(t[part] for t in tensors)


def _rows(data: Any) -> int:
    tensors = tensors_of(data)
    return len(tensors[0]) if tensors else len(data)


def tensors_of(data: Any) -> tuple[Tensor, ...]:
    """The tensors that a dataset is made of; none for other kinds."""
    if isinstance(data, TensorDataset):
        return data.tensors
    plain = isinstance(data, tuple | list) and all(isinstance(t, Tensor) for t in data)
    return tuple(data) if plain else ()


def _score(metric: Metric, model: nn.Module, val: Any, when: str) -> float:
    model.eval()
    with torch.no_grad():
        given = metric(model, val)
    model.train()
    try:
        if isinstance(given, str | bytes):
            raise TypeError("text")
        value = float(given)
    except (TypeError, ValueError, RuntimeError) as error:
        kind = f"{type(given).__name__} {getattr(given, 'shape', '')}".rstrip()
        raise ProblemError(f"metric(model, val) returned {kind}; one number is wanted") from error
    if not math.isfinite(value):
        raise ProblemError(
            f"the metric is {value} ({when}); look for an empty selection, a logarithm or a "
            "division in metric(model, val), and for NaN in val"
        )
    return value


def _scale(problem: Problem, model: nn.Module, shared: Sequence[Tensor]) -> Scale:
    found = []
    order = torch.Generator().manual_seed(0)
    batches = _batches(problem.train, problem.batch_size, order)
    for _, batch in zip(range(_PROBED), batches, strict=False):
        primary, auxiliary = task_gradients(_two_losses(problem, model, batch), shared)
        cosine = torch.cosine_similarity(primary, auxiliary, dim=0)
        found.append(Scale(float(primary.norm()), float(auxiliary.norm()), float(cosine)))
    mean = mean_scale(found)
    if not all(math.isfinite(x) for x in dataclasses.astuple(mean)):
        raise ProblemError(f"a gradient is not finite: {mean}; look for a root or a norm at zero")
    return mean


def mean_scale(scales: Sequence[Scale]) -> Scale:
    """The mean of each of the three numbers."""
    return Scale(*np.mean([dataclasses.astuple(s) for s in scales], axis=0).tolist())


_one_at_a_time = threading.Lock()  # a run uses its process's state
# What a function may set for the whole process: how it is read, and how it is set again.
_GLOBALS: tuple[tuple[Callable[[], Any], Callable[[Any], Any]], ...] = (
    (torch.get_num_threads, torch.set_num_threads),
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_default_device, torch.set_default_device),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
    (torch.get_deterministic_debug_mode, torch.set_deterministic_debug_mode),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.is_anomaly_enabled, torch.autograd.set_detect_anomaly),
    (np.geterr, lambda errors: np.seterr(**errors)),
)


@contextmanager
def seeded(seed: int, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Global random states from a seed, one thread, and a default dtype where one is given;
    afterwards all is as it was before, whatever the reader's functions have set."""
    with _one_at_a_time, torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        before = [read() for read, _ in _GLOBALS]
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
        try:
            torch.set_num_threads(1)
            if dtype is not None:
                torch.set_default_dtype(dtype)
            torch.manual_seed(seed)
            np.random.seed(seed)  # noqa: NPY002
            random.seed(seed)
            yield
        finally:
            for (read, write), value in zip(_GLOBALS, before, strict=True):
                if read() != value:
                    write(value)
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002
