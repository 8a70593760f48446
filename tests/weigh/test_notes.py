"""What the weights and the scores give away."""

import math

import pytest
from small_problem import sweep

from amnl.weigh import FivePoint, Scale, decide
from amnl.weigh.decision import luck
from amnl.weigh.notes import notes_on


@pytest.fixture(scope="module")
def result() -> FivePoint:
    return sweep(seeds=3)


def test_finely_tuned_weights_are_noted_with_what_luck_does() -> None:
    lams = [0.45, 0.5, 0.55]
    found = sweep(lams=lams, seeds=3)
    note = next(note for note in found.notes if note.startswith("finely tuned"))
    assert "3 weights" in note and f"{luck(found.scores):.2g}" in note and "0.05 apart" in note
    ten = sweep(lams=[k / 10 for k in range(1, 11)])
    assert any(note.startswith("finely tuned: 10 weights") for note in ten.notes)


def test_five_points_are_not_finely_tuned(result: FivePoint) -> None:
    assert not any("finely" in note for note in result.notes)


def test_a_missing_half_is_said() -> None:
    found = sweep(lams=(0.2, 0.4, 0.8))
    assert found.decision.reference == 0.4
    assert any("0.5 was not tried; the reference is 0.4" in note for note in found.notes)


@pytest.mark.parametrize(("higher", "noted"), [(False, False), (True, True)])
def test_a_metric_read_the_wrong_way_round_is_noted(higher: bool, noted: bool) -> None:
    found = sweep(epochs=5, higher_is_better=higher)
    assert any("did not improve the metric" in note for note in found.notes) == noted


# A balance within rounding of a half is no reason to divide by 1.
@pytest.mark.parametrize(("ratio", "noted"), [(1.001, False), (1.1, True), (0.9, False)])
def test_the_note_on_the_balance_leaves_room_for_rounding(ratio: float, noted: bool) -> None:
    scores = {0.5: [1.0, 1.1], 0.9: [1.0, 1.2]}
    notes = notes_on(decide(scores, 0.5), scores, Scale(ratio, 1.0, 0.0), math.inf, False)
    assert any("side of the balance" in note for note in notes) == noted
    assert ("alike at 0.5" in str(Scale(ratio, 1.0, 0.0))) == (ratio == 1.001)


def test_there_is_nothing_to_look_for_beyond_one() -> None:
    for last, told in ((0.9, True), (1.0, False)):
        scores = {0.5: [5.0, 5.1, 5.0, 5.2], last: [1.0, 1.0, 1.1, 1.0]}
        notes = notes_on(decide(scores, 0.5), scores, Scale(1.0, 1.0, 0.0), math.inf, False)
        assert any("look beyond" in note for note in notes) == told
