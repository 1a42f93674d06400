"""Order statistics of the kernels against NumPy's sort."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from horizon_rt.fitting.order_statistics import order_statistic


@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    share=st.floats(0, 1),
    more=st.integers(0, 3),
)
def test_the_value_of_a_rank_is_that_of_the_sorted_values(
    values: list[float], share: float, more: int
) -> None:
    count, rank = len(values), int(share * (len(values) - 1))
    padded = np.array([*values, *[-1e9] * more])
    assert order_statistic(padded, count, rank) == np.sort(values)[rank]
    assert sorted(padded[:count]) == sorted(values)
