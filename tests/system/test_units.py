"""Amounts as people write them."""

from __future__ import annotations

import pytest

from horizon_rt.system.units import bytes_of, counted, seconds_of


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10min", 600), ("1.5 h", 5400), ("0", 0), ("0.5s", 0.5)]
)
def test_seconds(text: str, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("2B", 2), ("500kB", 500_000), ("20GB", 20 * 10**9), ("1.5tib", 3 << 39), ("8 MiB", 8 << 20)],
)
def test_bytes(text: str, size: int) -> None:
    assert bytes_of(text) == size


@pytest.mark.parametrize("text", ["", "s", "-1s", "1e3", "1 fortnight", "10 min utes", "nan", "1.s", "٣s"])
def test_what_is_no_amount(text: str) -> None:
    for parse in (seconds_of, bytes_of):
        with pytest.raises(ValueError, match="no number with a unit"):
            parse(text)


def test_one_thing_is_no_several() -> None:
    assert [counted(n, "input") for n in (0, 1, 2)] == ["0 inputs", "1 input", "2 inputs"]
