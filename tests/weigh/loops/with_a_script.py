"""A script in any language, weighed: it takes weights and a seed, and prints a score."""

import subprocess
import sys

SCRIPT = """
import sys
a, b, seed = map(float, sys.argv[1:])
print("epoch 1 of 1")
print((a / (a + b) - 0.4) ** 2 * (1 + 0.1 * seed))
"""


def train(weights: dict[str, float], seed: int) -> float:
    command = [sys.executable, "-c", SCRIPT, str(weights["a"]), str(weights["b"]), str(seed)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return float(done.stdout.splitlines()[-1])


losses = ["a", "b"]
margin = 0.005
