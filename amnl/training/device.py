"""Which device trains."""

import torch


def pick_device(name: str | None = None) -> torch.device:
    """The device of this name; without one, an NVIDIA GPU if there is one, else the CPU.

    Parameters
    ----------
    name
        `cpu`, `cuda`, or a certain GPU: `cuda:1`.

    Raises
    ------
    ValueError
        For a device that this machine, or the trainer, has not.
    """
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if name is None:
        return torch.device("cuda" if count else "cpu")
    kind, colon, number = name.partition(":")
    if kind == "cpu" and not colon:
        return torch.device("cpu")
    if kind != "cuda" or (colon and not number.isdecimal()):
        raise ValueError(f"no device {name!r} here; write cpu, cuda or cuda:0")
    if not count:
        raise ValueError(f"no device {name!r} here: PyTorch sees no NVIDIA GPU; write cpu")
    if int(number or 0) >= count:
        there = ", ".join(f"cuda:{n}" for n in range(count))
        raise ValueError(f"no device {name!r} here; PyTorch sees {there}")
    return torch.device(name)
