"""The pauses between tries, and what is told of them."""

from __future__ import annotations

from horizon_rt.system.retries import Retries


def test_pauses_double_up_to_the_longest() -> None:
    retries, pauses = Retries(0.1, 0.5), []
    assert retries.pause_s == 0
    for _ in range(5):
        retries.failed()
        pauses.append([retries.pause_s for _ in range(200)])
    for among, usual in zip(pauses, [0.1, 0.2, 0.4, 0.5, 0.5], strict=True):
        assert 0.7 * usual <= min(among) < 0.8 * usual
        assert 1.2 * usual < max(among) <= 1.3 * usual
    retries.failed(had_worked=True)
    assert retries.pause_s <= 0.13


def test_one_failure_in_ten_seconds_is_told() -> None:
    retries = Retries(0.1, 0.5)
    assert [retries.failed() for _ in range(4)] == [True, False, False, False]
