"""A curve in one line."""

from __future__ import annotations

import pytest

from builders import d
from zoe_tools.render.sparkline import sparkline


@pytest.mark.parametrize(
    ("values", "width", "drawn"),
    [
        ("1 2 3 4 5 6 7 8", 8, "▁▂▃▄▅▆▇█"),
        ("8 1", 8, "█▁"),
        ("5 5 5", 8, "▁▁▁"),
        ("1 9 1 9 1 8", 3, "██▁"),
        ("", 8, ""),
        ("1 2", 0, ""),
    ],
)
def test_values_are_blocks_from_lowest_to_highest(values: str, width: int, drawn: str) -> None:
    """Of too many the last of each stretch is drawn."""
    assert sparkline([d(each) for each in values.split()], width) == drawn
