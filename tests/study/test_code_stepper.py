"""Recordings of code: what a line did is what it did when it ran, on every Python and processor."""

import json
import sys
from collections.abc import Callable
from typing import Any

import pytest
import torch

from amnl.combine import combine_losses, simulate_sweep
from amnl.combiners import FixedWeightLoss
from amnl.study.explorables.code_stepper import Recording, code_stepper, record


def did(recording: Recording) -> list[str]:
    return [step.did for step in recording.steps]


def lines(recording: Recording) -> list[int]:
    """The line of each step, as numbered in its listing."""
    return [recording.listings[s.listing].statements[s.statement].number for s in recording.steps]


def test_a_call_of_combine_losses() -> None:
    recording = record(combine_losses, 1.95, 1.10, 0.5)
    assert recording.steps[0].values == {"loss_rul": "1.95", "loss_hs": "1.1", "lam": "0.5"}
    assert list(zip(lines(recording), did(recording), strict=True)) == [
        (1, "called"),
        (2, "false"),
        (4, "name = 'loss_rul', loss = 1.95"),
        (5, "false"),
        (4, "name = 'loss_hs', loss = 1.1"),
        (5, "false"),
        (4, "no more rounds"),
        (7, f"returns {combine_losses(1.95, 1.10, 0.5)}"),
    ]
    rounds = ["", "", *["round 1 of 2"] * 2, *["round 2 of 2"] * 2, "", ""]
    assert [step.round for step in recording.steps] == rounds


def test_the_listing_is_the_source_without_its_docstring() -> None:
    (listing,) = record(combine_losses, 1.95, 1.10, 0.5).listings
    text = "\n".join(statement.text for statement in listing.statements)
    assert text.startswith("def combine_losses(") and '"""' not in text
    assert "    return float(lam * loss_rul + (1.0 - lam) * loss_hs)" in text.splitlines()


def test_the_sweep_finds_what_the_function_finds() -> None:
    rul, hs, lams = {"a": 0.85, "b": 1.95}, {"a": 1.1, "b": 1.1}, [0.1, 0.5, 0.9]
    steps = record(simulate_sweep, rul, hs, lams).steps
    found = simulate_sweep(rul, hs, lams)
    assert steps[-1].values["best"] == str(found["best"])
    assert [s.did for s in steps if s.did.startswith("best = ")][-1] == f"best = {found['best']}"
    assert [s.values["first"] for s in steps if s.changed == ["first"]] == ["2", "0"]


def test_names_stand_in_the_order_of_the_source() -> None:
    """The compiler's order is another from Python 3.12 on, where a list is built in place."""
    (listing,) = record(simulate_sweep, {"a": 1.0}, {"a": 2.0}, [0.5]).listings
    assert listing.names == [
        "loss_rul_per_dataset", "loss_hs_per_dataset", "lambdas", "sweep", "best", "name",
        "loss_rul", "loss_hs", "losses", "least", "first",
    ]  # fmt: skip
    (listing,) = record(late, 2).listings
    assert listing.names == ["n", "total", "parts", "rest"]


def late(n: int) -> int:
    total = n
    parts = [total + k for k in range(n)]
    rest = sum(total - k for k in range(n))
    return len(parts) + rest


def test_each_run_is_recorded_anew() -> None:
    """A wrong value could not survive: the same code with other numbers says other numbers."""
    texts = [did(record(combine_losses, 2.0, 4.0, lam))[-1] for lam in (0.0, 0.25, 1.0)]
    assert texts == ["returns 4", "returns 3.5", "returns 2"]


def smoke_test(combiner: FixedWeightLoss) -> tuple[Any, Any]:
    rul_loss = torch.tensor(1.95, requires_grad=True)
    health_loss = torch.tensor(1.10, requires_grad=True)
    total = combiner(rul_loss, health_loss)
    total.backward()
    return rul_loss.grad, health_loss.grad


def test_backward_fills_the_gradients() -> None:
    recording = record(smoke_test, FixedWeightLoss(0.7, 0.3), also=(FixedWeightLoss.forward,))
    steps = recording.steps
    empty = [s for s in steps if s.values.get("rul_loss.grad") == "none yet"]
    full = next(s for s in steps if s.did == "rul_loss.grad = 0.7, health_loss.grad = 0.3")
    assert empty and steps.index(full) == steps.index(empty[-1]) + 1
    text = recording.listings[full.listing].statements[full.statement].text
    assert text == "    total.backward()"


def test_a_function_is_stepped_into_where_it_is_called() -> None:
    recording = record(smoke_test, FixedWeightLoss(0.7, 0.3), also=(FixedWeightLoss.forward,))
    assert [step.listing for step in recording.steps] == [0, 0, 0, 0, 1, 1, 1, 0, 0, 0]
    calls, inside = recording.steps[3], recording.steps[4]
    assert calls.did == "calls FixedWeightLoss.forward"
    assert inside.within == "FixedWeightLoss.forward, called by smoke_test"
    assert inside.values["self.rul_weight"] == "0.7"
    assert [step.call for step in recording.steps] == [step.listing for step in recording.steps]


def several(n: int) -> list[int]:
    found = []
    for k in range(n):
        for _ in range(2):
            found.append(
                sum(
                    j
                    for j in range(k)
                )
            )  # fmt: skip
    total = [
        one
        for one in found
    ]  # fmt: skip
    return total


def test_a_statement_of_several_lines_is_one_step_and_loops_are_counted() -> None:
    recording = record(several, 2)
    appended = [s for s in recording.steps if s.did.startswith("found = [") and s.round]
    assert [step.round for step in appended] == [
        f"round {k} of 2, round {j} of 2" for k in (1, 2) for j in (1, 2)
    ]
    assert did(recording)[-2:] == ["total = [0, 0, 0, 0]", "returns [0, 0, 0, 0]"]


def stops(n: int) -> int:
    while n > 0:
        n -= 1
        if n == 2:
            break
    else:
        n = -1
    return n


def test_a_loop_that_is_left_is_over() -> None:
    steps = record(stops, 4).steps
    assert [step.round for step in steps[-4:]] == [*["round 2 of 2"] * 3, ""]
    assert steps[-1].did == "returns 2"
    assert record(stops, 1).steps[-1].did == "returns −1"


def caught() -> str:
    try:
        refuse(3)
    except ValueError:
        return "refused"
    return "taken"


def refuse(n: int) -> None:
    if n > 2:
        raise ValueError(f"{n} is too many")


def test_a_line_that_raises_says_so_and_does_not_return() -> None:
    recording = record(caught, also=(refuse,))
    inside = [step.did for step in recording.steps if step.listing == 1]
    assert inside == ["called", "true", "raises ValueError: 3 is too many"]
    assert recording.steps[-1].did == "returns 'refused'"


def test_an_error_is_the_callers_and_the_tracer_is_put_back() -> None:
    before = sys.gettrace()
    with pytest.raises(ValueError, match="lam must lie"):
        record(combine_losses, 1.0, 1.0, 2.0)
    assert sys.gettrace() is before


@pytest.mark.parametrize(
    ("reasons", "message"),
    [
        ({"total = nothing": "?"}, "'total = nothing' begins 0 statements of combine_losses"),
        ({"raise": "?"}, "'raise' begins 2 statements"),
        ({"return": "{losses}"}, r"names \{losses\}, which has no value there"),
    ],
)
def test_a_reason_that_fits_nothing_is_refused(reasons: dict[str, str], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        record(combine_losses, 1.95, 1.10, 0.5, reasons=reasons)


def test_a_reason_stands_at_its_line_with_the_values_there() -> None:
    steps = record(combine_losses, 2.0, 1.0, 0.25, reasons={"for name": "{name} is {loss}."}).steps
    said = [step.reason for step in steps if step.reason]
    assert said == ["'loss_rul' is 2.", "'loss_hs' is 1.", "'loss_hs' is 1."]


def yields() -> Any:
    yield 1


@pytest.mark.parametrize("function", [yields, lambda: 1])
def test_what_cannot_be_stepped_is_refused(function: Callable[[], Any]) -> None:
    with pytest.raises(ValueError, match=r"is no plain function|source"):
        record(function)


def shows(value: object) -> None:
    pass


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1 / 3, "0.3333"),
        (-0.00001, "−1e−05"),
        (-3, "−3"),
        (-0.0, "0"),
        (float("nan"), "nan"),
        (True, "True"),
        (torch.tensor([1.0, 2 / 3]), "[1, 0.6667]"),
        (torch.zeros(9), "9 numbers"),
        (torch.zeros(2, 3, 4), "2 × 3 × 4 numbers"),
        ({id(shows)}, "a set of 1"),
        ({"a": [1.0, 2.0]}, "{'a': [1, 2]}"),
        ([0.123456] * 40, "40 items"),
        ({"a": list(range(40)), "b": 1}, "{'a': 40 items, 'b': 1}"),
    ],
)
def test_a_value_is_a_few_letters_with_no_address(value: object, text: str) -> None:
    assert record(shows, value).steps[0].values == {"value": text}


@pytest.mark.parametrize("value", [shows, object(), iter([1]), torch.nn.Linear(1, 1)])
def test_what_has_no_short_text_is_not_shown(value: object) -> None:
    assert record(shows, value).steps[0].values == {}


def test_without_scripts_a_table_has_every_step() -> None:
    recording = record(combine_losses, 1.95, 1.10, 0.5)
    explorable = code_stepper(recording)
    assert explorable.stands_in.count("<tr>") == 1 + len(recording.steps)
    assert "called with loss_rul = 1.95, loss_hs = 1.1, lam = 0.5" in explorable.stands_in
    for step in recording.steps:
        assert step.did.replace("'", "&#x27;") in explorable.stands_in
    assert json.loads(explorable.data())["steps"][-1]["did"] == "returns 1.525"
