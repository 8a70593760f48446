"""Combiners: modules that turn two task losses into the one number that is minimised.

`make_combiner` builds one by name, `register` gives a class of one's own a name. The contract is
the same for each: `total = combiner(rul_loss, health_loss, **extras)`. The trainer always passes
`shared_params=` (the trunk's parameters) and `model=`; a combiner that needs neither accepts and
ignores them.

- Losses are 0-D floating-point tensors; anything else is a `ValueError`. The total is 0-D, of the
  wider of the two dtypes. A loss that is NaN or infinite makes it so too, and moves no state: skip
  the step, and training goes on as if the batch had not been.
- "amnl", "gradnorm", "uncertainty" and "dwa" divide by losses or take logarithms, so a negative
  loss is a `ValueError`. On a GPU, which a check would stall at every step, and under
  `torch.compile`, the total is NaN instead and `get_weights` raises.
- State moves in train mode with gradients enabled. In eval mode or under `torch.no_grad()` it is
  used and left alone. It is kept in registered buffers, so a checkpoint has it.
- State stays in float32 at least, whatever a model is cast to: in half precision a running mean
  stands still and a sum overflows.
- A combiner's own parameters belong into the optimiser. Where none moves them, a warning says so.
- With `torch.distributed` set up, what a rule reads is averaged over the processes, so that all of
  them reach the weights of one training on the joined batch. Every process must make the call then.
  Set `across_ranks` to False where the processes train apart.

Source: chapter 15.1; the registry is ours.
"""

from amnl.combiners.contract import AdaptiveCombiner, Combiner
from amnl.combiners.dwa import DWALoss
from amnl.combiners.fixed_weight import FixedWeightLoss, v7
from amnl.combiners.gaba import GABALoss, grace
from amnl.combiners.gradients import GradientCombiner, task_gradients
from amnl.combiners.gradnorm import GradNormLoss
from amnl.combiners.normalised import AMNLFixedLoss
from amnl.combiners.registry import make_combiner, names, register, settings_of
from amnl.combiners.torchjd import TorchJDLoss
from amnl.combiners.uncertainty import UncertaintyLoss

__all__ = ["make_combiner", "names", "register", "settings_of"]
__all__ += ["AdaptiveCombiner", "Combiner", "GradientCombiner", "task_gradients"]
__all__ += ["AMNLFixedLoss", "FixedWeightLoss", "v7"]
__all__ += ["DWALoss", "GABALoss", "GradNormLoss", "TorchJDLoss", "UncertaintyLoss", "grace"]
