"""On a GPU: what the CPU promises, it keeps. By
`AMNL_TEST_GPU=1 pytest -m gpu tests/training/test_gpu.py`.

They need PyTorch, NumPy, pandas, SciPy, typer, rich, matplotlib and pytest, and nothing else.
"""

import dataclasses
from pathlib import Path

import pytest
import torch

from amnl import cmapss
from amnl.sweep import Store, fixed, grid, run
from amnl.training import RunResult, TrainConfig, Trainer, model
from amnl.training.population import Population

pytestmark = [pytest.mark.gpu, pytest.mark.usefixtures("own_cache")]

STILL = {f"{part}_dropout": 0.0 for part in ("conv", "lstm", "attention", "funnel")}


@pytest.fixture(scope="module")
def folder(ten_engines: Path) -> Path:
    assert torch.cuda.is_available(), "AMNL_TEST_GPU=1, but PyTorch sees no GPU"
    return ten_engines


def cells(preset: str, **options: object) -> list[TrainConfig]:
    lams = [("fixed", fixed(lam)) for lam in (0.2, 0.5, 1.0)]
    return grid(("FD001",), range(2), lams, preset=preset, stride=4, epochs=3, **options)


@pytest.mark.parametrize("preset", ["compact", "paper"])
def test_side_by_side_on_the_gpu_is_alone_on_the_cpu(
    preset: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(model.PRESETS, "still", dataclasses.replace(model.PRESETS[preset], **STILL))
    configs = cells("still", dtype="float64")
    data = {seed: cmapss.load("FD001", seed, folder, stride=4) for seed in range(2)}
    for config, stacked in zip(configs, Population(configs, data).fit(), strict=True):
        assert isinstance(stacked, RunResult) and "TF32" in stacked.provenance["hardware"]
        alone = Trainer(config, data[config.seed], device=torch.device("cpu")).fit()
        for ours, theirs in zip(stacked.history, alone.history, strict=True):
            for key in ("loss", "rul_loss", "health_loss", "val_rmse", "test_rmse"):
                assert ours[key] == pytest.approx(theirs[key], rel=1e-6), key


def test_one_cell_alone_is_the_same_on_both_devices(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    still = dataclasses.replace(model.PRESETS["compact"], **STILL)
    monkeypatch.setitem(model.PRESETS, "still", still)
    config = cells("still", dtype="float64")[0]
    data = cmapss.load("FD001", 0, folder, stride=4)
    ours, theirs = (Trainer(config, data, device=torch.device(d)).fit() for d in ("cuda", "cpu"))
    assert ours.metrics == pytest.approx(theirs.metrics, rel=1e-6)


def test_a_sweep_uses_the_gpu_by_itself_and_goes_on(folder: Path, tmp_path: Path) -> None:
    store = Store(tmp_path)
    first = run(cells("compact")[:4], store, data_dir=folder)
    assert (first.done, first.failed) == (4, [])
    second = run(cells("compact"), store, data_dir=folder)
    assert (second.before, second.done) == (4, 2)
    assert {r.provenance["together"] for r in store} == {2, 4}


def test_the_process_is_as_it_was_and_has_no_say(folder: Path, tmp_path: Path) -> None:
    """Draws, precision and the compiler's limit, whatever they are, and after a resumed run too."""
    data = cmapss.load("FD001", 0, folder, stride=4)
    config = cells("compact")[0]

    def state() -> tuple[object, ...]:
        draws = torch.get_rng_state().tolist(), torch.cuda.get_rng_state().tolist()
        limit = torch._dynamo.config.recompile_limit
        return *draws, torch.get_float32_matmul_precision(), torch.get_default_dtype(), limit

    def told(result: object) -> object:
        assert isinstance(result, RunResult)
        history = [{k: v for k, v in r.items() if k != "seconds"} for r in result.history]
        return history, result.metrics, result.predictions

    import torch._dynamo

    def stop(record: dict[str, object]) -> None:
        torch.rand(1, device="cuda")
        if record["epoch"] == 2:
            raise KeyboardInterrupt

    torch.manual_seed(5)
    before = state()
    ours = Trainer(config, data, device=torch.device("cuda")).fit()
    stacked = Population([config], {0: data}).fit()[0]
    assert state() == before
    torch.set_float32_matmul_precision("medium")
    with pytest.raises(KeyboardInterrupt):
        Trainer(config, data, device=torch.device("cuda")).fit(
            checkpoint=tmp_path / "run.pt", on_epoch=stop
        )
    torch.set_float32_matmul_precision("highest")
    again = Trainer(config, data, device=torch.device("cuda")).fit(checkpoint=tmp_path / "run.pt")
    assert told(again)[1] == pytest.approx(told(ours)[1], rel=1e-3)  # type: ignore[index]
    assert "TF32" in ours.provenance["hardware"]
    assert isinstance(stacked, RunResult) and "TF32" in stacked.provenance["hardware"]
