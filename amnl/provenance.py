"""Where a run was made: versions, hardware, commit."""

import os
import platform
import subprocess
import time
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch


@lru_cache
def commit() -> str:
    """The checkout's commit, + when tracked files differ from it; empty outside a checkout.

    A repository around it, with the virtual environment or the copy that this code is in, is
    somebody else's, and so is one that the environment names.
    """
    here = Path(__file__).resolve()
    environment = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}

    def git(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=here.parent, env=environment,
            capture_output=True, text=True, check=True, timeout=10,
        )  # fmt: skip
        return done.stdout.strip()

    try:
        root = Path(git("rev-parse", "--show-toplevel")).resolve()
        git("ls-files", "--error-unmatch", here.name)
        ours = 'name = "amnl"' in (root / "pyproject.toml").read_text(encoding="utf-8")
        if root != here.parent.parent or not ours:
            return ""
        return git("describe", "--always", "--dirty=+", "--exclude=*")
    except (OSError, ValueError, subprocess.SubprocessError):
        return ""


def provenance(device: torch.device) -> dict[str, str | int]:
    """What a row needs to be repeated: versions, hardware, threads, commit, day.

    `hardware` names the processor, or the GPU if `device` is one; `threads` are PyTorch's; `commit`
    is that of `commit()`; `date` is UTC.
    """
    if device.type == "cuda":
        rounded = torch.get_float32_matmul_precision() == "high"
        name = torch.cuda.get_device_name(device) + (", TF32" if rounded else "")
    else:
        name = _processor()
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "system": platform.system(),
        "hardware": name,
        "threads": torch.get_num_threads(),
        "commit": commit(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    if info.exists():
        for line in info.read_text(encoding="utf-8", errors="replace").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
