"""Tables on pages: numbers in one form, no sign on a zero, and nothing that HTML would take for its
own."""

import pandas as pd
import pytest

from amnl.study.html_table import show_table


@pytest.mark.parametrize(
    ("value", "form", "written"),
    [
        (-0.001, ".2f", "0.00"),
        (-0.0, ".1f", "0.0"),
        (-0.006, ".2f", "−0.01"),
        (-0.001, "+.2f", "+0.00"),
        (0.25, "+.1f", "+0.2"),
        (float("nan"), ".2f", "–"),
        (0.031, ".0%", "3%"),
        (12345, ",d", "12,345"),
        (0.5, "", "0.5"),
        ("a<b, c-d", "", "a&lt;b, c-d"),
        (True, "", "True"),
        (None, "", "–"),
    ],
)
def test_a_value_is_written_in_its_form(value: object, form: str, written: str) -> None:
    assert f">{written}</td>" in show_table({"x": [value]}, {"x": form}).html


def test_numbers_stand_at_the_right_and_words_at_the_left() -> None:
    html = show_table({"way": ["fixed"], "RMSE (cycles)": [1.234]}, ".1f").html
    assert '<th style="text-align: left">way</th>' in html
    assert '<td style="text-align: right">1.2</td>' in html


def test_a_frame_and_a_mapping_make_the_same_table_whose_text_has_the_same_numbers() -> None:
    columns = {"λ": [0.5, 1.0], "n": [1, 2]}
    one, other = show_table(columns, ".2f"), show_table(pd.DataFrame(columns, [7, 8]), ".2f")
    assert one.html == other.html
    assert repr(one).split() == ["λ", "n", "0.50", "1", "1.00", "2"]


def test_a_format_of_no_column_is_named() -> None:
    with pytest.raises(ValueError, match="no column 'RMSE' to format; there are λ, n"):
        show_table({"λ": [0.5], "n": [1]}, {"RMSE": ".2f"})
