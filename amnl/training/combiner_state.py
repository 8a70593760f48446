"""What a combiner holds and shows, in plain kinds."""

import hashlib
from weakref import WeakSet

from amnl.combiners import Combiner
from amnl.training.config import plain_setting
from amnl.training.result import Record

GIVEN = "given: "  # starts the name of a combiner that came as an object
_in_use: WeakSet[Combiner] = WeakSet()  # by a trainer


def claim(combiner: Combiner) -> None:
    """Raises `ValueError` for a combiner with a state of its own that another trainer has."""
    if combiner in _in_use and combiner.state_dict():
        raise ValueError(
            f"the combiner {combiner.get_name()} was given to another trainer, whose state it "
            "holds; make a new one for each"
        )
    _in_use.add(combiner)


def held_settings(combiner: Combiner) -> Record:
    """What a combiner holds that can decide a run, by name and in plain kinds.

    Its attributes, and a checksum of each tensor in its state. What JSON has no kind for is left
    out.
    """
    found: Record = {}
    for name, value in vars(combiner).items():
        if name == "training" or name.startswith("_"):
            continue
        try:
            found[name] = plain_setting(name, value)
        except ValueError:
            if isinstance(value, float):  # NaN and infinities
                found[name] = str(value)
    for name, value in combiner.state_dict().items():
        numbers = value.detach().cpu().double().numpy()
        found[f"state {name}"] = hashlib.sha256(numbers.tobytes()).hexdigest()[:12]
    return found


def logged_weights(combiner: Combiner) -> dict[str, float]:
    """`get_weights` as Python's own numbers: a combiner of the reader's may give NumPy's.

    Raises `ValueError` where one is no number.
    """
    weights = combiner.get_weights()
    try:
        return {name: float(value) for name, value in weights.items()}
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(
            f"get_weights of {combiner.get_name()} must give a number for each name, got {weights}"
        ) from None
