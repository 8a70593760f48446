"""The battery of the pages on the five-point sweep: its physics, and its losses."""

import pytest
import torch

from amnl.study import battery


@pytest.fixture(scope="module")
def data() -> battery.Batch:
    return battery.discharge(2000, seed=3)


def test_a_seed_draws_the_same_batteries_and_another_one_others(data: battery.Batch) -> None:
    again, others = battery.discharge(2000, seed=3), battery.discharge(2000, seed=4)
    assert all(torch.equal(a, b) for a, b in zip(data, again, strict=True))
    assert not torch.equal(data[0], others[0])


def test_all_faults_and_the_whole_range_of_health_are_there(data: battery.Batch) -> None:
    volts, soh, fault = data
    assert volts.shape == (2000, len(battery.minutes()))
    assert fault.unique().tolist() == [*range(len(battery.FAULTS))]
    assert 60 <= soh.min() < 61 and 99 < soh.max() <= 100


@pytest.mark.parametrize("fault", [1, 2])
def test_a_fault_lowers_the_voltage_while_current_flows(data: battery.Batch, fault: int) -> None:
    """As more resistance does."""
    volts, _, faults = data
    loaded = volts[:, battery.minutes() < 8].mean(1) - volts[:, -1]
    assert loaded[faults == fault].mean() < loaded[faults == 0].mean() - 0.005


def test_an_aged_battery_sinks_faster(data: battery.Batch) -> None:
    volts, soh, _ = data
    sunk = volts[:, 20] - volts[:, 39]
    assert sunk[soh < 65].mean() > 1.1 * sunk[soh > 95].mean()


def test_the_losses_and_the_metric_are_of_the_same_prediction(data: battery.Batch) -> None:
    class Perfect(torch.nn.Module):
        def forward(self, volts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return data[1] + 2, 100 * torch.nn.functional.one_hot(data[2], 3).float()

    health, fault = battery.losses(Perfect(), data)
    assert health.item() == pytest.approx(4) and fault.item() < 1e-6
    assert battery.metric(Perfect(), data) == pytest.approx(2)
