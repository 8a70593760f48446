import numpy as np
import pytest

from amnl.study.pareto import front_shares, on_front


@pytest.mark.parametrize(
    ("cost", "gain", "front"),
    [
        ([1, 2, 3], [1, 2, 3], [True, True, True]),
        ([1, 2, 3], [3, 2, 1], [True, False, False]),
        ([1, 1, 2], [1, 2, 2], [True, True, True]),  # beaten means beaten in both
        ([2, 1, 3], [1, 2, 3], [False, True, True]),
        ([5], [5], [True]),
    ],
)
def test_a_point_is_on_the_front_unless_another_beats_it_in_both(
    cost: list[float], gain: list[float], front: list[bool]
) -> None:
    assert on_front(cost, gain).tolist() == front


def test_shares_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(3)
    cost, gain = rng.normal(size=(2, 6, 4))
    draws = np.random.default_rng(0).multinomial(6, np.full(6, 1 / 6), 300)
    count = np.zeros(4)
    for weights in draws:
        rows = np.repeat(np.arange(6), weights)
        c, g = cost[rows].mean(axis=0), gain[rows].mean(axis=0)
        count += [not any(c[j] < c[i] and g[j] > g[i] for j in range(4)) for i in range(4)]
    assert front_shares(cost, gain, 300).tolist() == pytest.approx((count / 300).tolist())


def test_seeds_that_agree_leave_no_doubt() -> None:
    cost, gain = np.tile([1.0, 2.0, 3.0], (5, 1)), np.tile([0.5, 0.9, 0.8], (5, 1))
    assert front_shares(cost, gain).tolist() == [1.0, 1.0, 0.0]
