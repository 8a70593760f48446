"""Measure NASA's training files and write the emulator's table, `amnl/cmapss/emulator.json`.

    python tools/data/calibrate_emulator.py /folder/with/train_FD001.txt[.gz]

The model being measured, for one engine, operating condition c and sensor s:

    reading = mean[c,s] + noise[c,s] · (new[c,s] + (end[c,s] − new[c,s]) · exp(−rul / tau) + ε)

Damage that grows exponentially to a fixed threshold is how Saxena et al. (PHM08, 2008) made the
data. `new` and `end` are the engine's levels at delivery and at failure, in noise deviations. Only
aggregates go into the table: means, deviations, and for each fault mode the mean and the leading
factors of its engines' (life, tau, new, end). The test files are not read.
"""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from amnl import cmapss

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Fit = tuple[float, Array, Array, Array]  # tau, levels, their covariance, squared residuals

DECIMALS = np.array([2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 2, 0, 0, 2, 2, 4])
STEP = 10.0**-DECIMALS
# Test rows and test engines, as the data set's description counts them: all we take of that half.
TEST_SIZE = {
    "FD001": (13096, 100),
    "FD002": (33991, 259),
    "FD003": (16596, 100),
    "FD004": (41214, 248),
}
FAN_SENSOR = 11  # s12 (fuel flow over Ps30) rises in fan engines and falls in HPC ones
FACTORS = 6  # leading factors kept of the engines' spread
TAUS = np.geomspace(12, 250, 60)  # cycles


def fit_engine(z: Array, rul: Ints, condition: Ints) -> Fit:
    """Least squares of z = new + (end − new)·exp(−rul/tau) over one engine's rows.

    `z` is (rows, 21) in noise deviations; tau is shared, the levels are free in each condition.
    Returns tau, the levels (2, conditions, 21), the (2, 2, conditions) covariance that noise alone
    gives them, and the squared residuals summed (conditions, 21).
    """
    best: Fit | None = None
    groups = [np.flatnonzero(condition == c) for c in range(condition.max() + 1)]
    for tau in TAUS:
        growth = np.exp(-rul / tau)
        basis = np.stack([1 - growth, growth], axis=1)  # the coefficients are then new and end
        inverse = [np.linalg.inv(basis[g].T @ basis[g]) for g in groups]
        levels = [v @ basis[g].T @ z[g] for v, g in zip(inverse, groups, strict=True)]
        squares = np.array(
            [((z[g] - basis[g] @ x) ** 2).sum(0) for x, g in zip(levels, groups, strict=True)]
        )
        if best is None or squares.sum() < best[3].sum():
            best = (float(tau), np.stack(levels, 1), np.stack(inverse, 2), squares)
    assert best is not None
    return best


def shift_of(life: Array) -> float:
    """The shift that makes log(life − shift) symmetric: lives are skewed, and none is short."""
    shifts = np.arange(0, life.min() - 10)
    logs = np.log(life[None, :] - shifts[:, None])
    skew = ((logs - logs.mean(1, keepdims=True)) ** 3).mean(1) / logs.std(1) ** 3
    return float(shifts[np.argmin(abs(skew))])


def factors(parameters: Array, from_noise: Array) -> Array:
    """Leading factors (FACTORS, p) of the spread of (engines, p), less what noise explains."""
    scale = np.ones(parameters.shape[1])
    scale[:2] = 10  # a deviation of 0.2 in log life or log tau counts as two of noise
    covariance = (np.cov(parameters.T) - from_noise) * np.outer(scale, scale)
    values, vectors = np.linalg.eigh(covariance)
    kept = values[-FACTORS:]
    print(f"  {FACTORS} factors keep {kept.sum() / np.trace(covariance):.1%} of the spread")
    result: Array = ((vectors[:, -FACTORS:] * np.sqrt(kept)).T / scale)[::-1]
    return result


def conditions_of(fleet: cmapss.Fleet, rows: list[Ints], settings: Array) -> dict[str, Any]:
    """How often each condition is flown, and how its settings jitter."""
    alone = len(rows) == 1
    altitude = [fleet.values[r, 0] - s[0] for r, s in zip(rows, settings, strict=True)]
    mach = np.concatenate([fleet.values[r, 1] - s[1] for r, s in zip(rows, settings, strict=True)])
    return {
        "share": [len(r) / len(fleet.values) for r in rows],
        "settings": settings,
        # One condition: (mean, deviation) of a normal. Six: the ends of a uniform.
        "altitude": [[0.0, a.std()] if alone else [a.min(), a.max()] for a in altitude],
        # Half the width of a uniform; with six conditions its negative half is set to zero.
        "mach": np.sqrt(3) * mach.std() if alone else mach.max(),
    }


def calibrate(fleet: cmapss.Fleet) -> dict[str, Any]:
    """The table's entry for one subset."""
    engine, condition, rul = fleet.engine, fleet.condition, fleet.rul
    sensors, life = fleet.values[:, 3:], fleet.lengths.astype(float)
    rows = [np.flatnonzero(condition == c) for c in range(condition.max() + 1)]
    young = [r[rul[r] > 100] for r in rows]
    mean = np.array([sensors[r].mean(0) for r in young])
    # A reading's step hides noise finer than itself: never take it for less than a quarter step.
    floor = np.where([np.ptp(sensors[r], axis=0) > 0 for r in rows], STEP / 4, 0)
    noise = np.maximum(np.array([sensors[r].std(0) for r in young]), floor)
    s12 = (sensors[:, FAN_SENSOR] - mean[condition, FAN_SENSOR]) / noise[condition, FAN_SENSOR]
    # Two groups far apart: below 0.1 and above 5.8 in both subsets that have two modes.
    fan = np.bincount(engine, s12 * (rul < 20)) / 20 > 3

    for _ in range(2):  # the second time with the noise that the first one found
        scale = np.where(floor > 0, 1 / np.maximum(noise, 1e-9), 0)
        z = scale[condition] * (sensors - mean[condition])
        own = [slice(*ends) for ends in zip(fleet.offsets, fleet.offsets[1:], strict=False)]
        fits = [fit_engine(z[i], rul[i], condition[i]) for i in own]
        # Noise is what the fits leave, by HPC engines alone: some fan engines start in an odd,
        # noisier regime that the model does not have.
        left = sum(fit[3] for fit, is_fan in zip(fits, fan, strict=True) if not is_fan)
        freedom = [(~fan[engine[r]]).sum() - 2 * (~fan).sum() for r in rows]
        noise = np.maximum(noise * np.sqrt(left / np.array(freedom)[:, None]), floor)

    test_rows, test_engines = TEST_SIZE[fleet.subset]
    return {
        "engines": [fleet.engines, test_engines],
        # Test engines are cut at a share of their life that is uniform from here to 1.
        "seen_from": 2 * test_rows / test_engines / life.mean() - 1,
        "conditions": conditions_of(fleet, rows, cmapss.CONDITIONS[: len(rows)])
        # The emulator rounds too: take the variance of rounding off (Sheppard's correction).
        | {"mean": mean, "noise": np.sqrt(np.maximum(noise**2 - STEP**2 / 12, floor**2))},
        "modes": {
            name: mode_of(life[chosen], [fits[i] for i in np.flatnonzero(chosen)])
            for name, chosen in {"HPC": ~fan, "fan": fan}.items()
            if chosen.any()
        },
    }


def mode_of(life: Array, fits: list[Fit]) -> dict[str, Any]:
    """One fault mode: its number of engines, and how their lives and levels spread."""
    shift = shift_of(life)
    tau = np.array([fit[0] for fit in fits])
    levels = np.array([fit[1] for fit in fits])  # (engines, 2, conditions, 21)
    parameters = np.c_[np.log(life - shift), np.log(tau / life), levels.reshape(len(life), -1)]
    error = np.mean([fit[2] for fit in fits], axis=0)  # (2, 2, conditions)
    from_noise = np.zeros((2, *levels.shape[2:], 2, *levels.shape[2:]))
    for c, s in zip(*levels[0].any(0).nonzero(), strict=True):
        from_noise[:, c, s, :, c, s] = error[:, :, c]
    size = parameters.shape[1] - 2
    from_noise = np.pad(from_noise.reshape(size, size), ((2, 0), (2, 0)))
    print(f"{len(life)} engines, life shift {shift:.0f}")
    return {
        "engines": len(life),
        "life_shift": shift,
        "mean": np.round(parameters.mean(0), 4),
        "factors": np.round(factors(parameters, from_noise), 3),
    }


def plain(value: Any) -> Any:
    """Arrays as lists, and no more digits than the numbers have."""
    if isinstance(value, dict):
        return {k: plain(v) for k, v in value.items()}
    if isinstance(value, list | np.ndarray):
        return [plain(v) for v in value]
    if isinstance(value, float | np.floating):
        return round(float(f"{value:.7g}"), 5) + 0.0
    return int(value) if isinstance(value, np.integer) else value


def main() -> None:
    if len(sys.argv) != 2:
        raise SystemExit(__doc__)
    source = cmapss.find(sys.argv[1])
    if source.kind != "nasa":
        raise SystemExit(f"{source}: the emulator is calibrated on NASA's files")
    table = {
        "about": "Aggregates of NASA's C-MAPSS training files, by tools/data/calibrate_emulator.py",
        "emulator": 1,
        "decimals": DECIMALS,
        "subsets": {s: calibrate(cmapss.read(source, s, "train")) for s in cmapss.SUBSETS},
    }
    out = Path(__file__).parents[2] / "amnl" / "cmapss" / "emulator.json"
    out.write_text(json.dumps(plain(table), separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"wrote {out.name}, {out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
