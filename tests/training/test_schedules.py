"""Optimisers and learning rates against their closed forms; runs that go on after an interruption."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable

import pytest
import torch
from torch import nn

from horizon_rt.errors import TrainingError
from horizon_rt.training.schedules import OPTIMISERS, SCHEDULES, make_optimiser, make_schedule

STEPS, WARM_UP, RATE = 60, 6, 0.2


def _net(seed: int = 0) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.LayerNorm(2), nn.Linear(2, 1)
    )


def _rates(
    name: str, count: int = STEPS, observe: Callable[[int], float | None] | None = None
) -> list[float]:
    """The rate that each step is made with."""
    optimiser = make_optimiser(_net(), "sgd", rate=RATE, weight_decay=0.0)
    schedule = make_schedule(optimiser, name, steps=STEPS, warm_up=WARM_UP)
    rates = []
    for step in range(count):
        assert len({group["lr"] for group in optimiser.param_groups}) == 1
        rates.append(optimiser.param_groups[0]["lr"])
        optimiser.step()
        schedule.step()
        loss = observe(step) if observe else None
        if loss is not None:
            schedule.observe(loss)
    return rates


@pytest.mark.parametrize("name", SCHEDULES)
def test_the_rate_rises_linearly_first(name: str) -> None:
    expected = [RATE * (step + 1) / WARM_UP for step in range(WARM_UP)]
    assert _rates(name, WARM_UP) == pytest.approx(expected, rel=1e-12)


def test_cosine_falls_to_a_hundredth() -> None:
    expected = [
        RATE * (0.01 + 0.99 * math.cos(math.pi / 2 * k / (STEPS - WARM_UP)) ** 2)
        for k in range(STEPS - WARM_UP)
    ]
    assert _rates("cosine")[WARM_UP:] == pytest.approx(expected, rel=1e-9)
    assert _rates("cosine", STEPS + 5)[-5:] == pytest.approx([RATE / 100] * 5)


def test_steps_fall_to_a_tenth_after_each_third() -> None:
    expected = [RATE] * 18 + [RATE / 10] * 18 + [RATE / 100] * 24
    assert _rates("step", STEPS + 6)[WARM_UP:] == pytest.approx(expected)


def test_a_plateau_halves_the_rate_at_the_fourth_evaluation_without_gain() -> None:
    losses = [3.0, 2.0, 2.0, 2.1, 1.9999, 2.5, 1.5, 1.6, 1.6, 1.6, 1.6]
    rates = _rates("plateau", observe=lambda step: losses[step // 5 - 1] if step % 5 == 0 and step else None)
    changes = [k for k in range(WARM_UP, STEPS) if rates[k] != pytest.approx(rates[k - 1])]
    assert changes == [31, 56]  # after the evaluations of steps 30 and 55
    assert rates[31] == pytest.approx(RATE / 2)
    assert rates[56] == pytest.approx(RATE / 4)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("warm_up", [0, 1])
def test_a_run_may_start_at_its_full_rate(name: str, warm_up: int) -> None:
    optimiser = make_optimiser(_net(), "sgd", rate=RATE, weight_decay=0.0)
    schedule = make_schedule(optimiser, name, steps=4, warm_up=warm_up)
    assert optimiser.param_groups[0]["lr"] == pytest.approx(RATE)
    optimiser.step()
    schedule.step()
    assert optimiser.param_groups[0]["lr"] <= RATE * (1 + 1e-12)


@pytest.mark.parametrize("optimiser_name", OPTIMISERS)
@pytest.mark.parametrize("name", SCHEDULES)
def test_a_run_goes_on_as_if_it_had_never_stopped(name: str, optimiser_name: str) -> None:
    def start() -> tuple[nn.Module, torch.optim.Optimizer, object]:
        net = _net()
        optimiser = make_optimiser(net, optimiser_name, rate=RATE, weight_decay=0.1)
        return net, optimiser, make_schedule(optimiser, name, steps=STEPS, warm_up=WARM_UP)

    def run(net, optimiser, schedule, steps: range) -> list[float]:  # type: ignore[no-untyped-def]
        rates = []
        for step in steps:
            torch.manual_seed(step)
            optimiser.zero_grad()
            net(torch.randn(4, 1, 3, 3)).square().mean().backward()
            rates.append(optimiser.param_groups[0]["lr"])
            optimiser.step()
            schedule.step()
            if step % 2:
                schedule.observe(1.0)
        return rates

    whole = start()
    expected = run(*whole, range(30))
    first = start()
    run(*first, range(13))
    states = copy.deepcopy([part.state_dict() for part in first])
    second = start()
    for part, state in zip(second, states, strict=True):
        part.load_state_dict(state)
    assert run(*second, range(13, 30)) == expected[13:]
    for a, b in zip(whole[0].parameters(), second[0].parameters(), strict=True):
        assert torch.equal(a, b)


# --- optimisers: one step each by hand


def _step(name: str, steps: int, decay: float = 0.0) -> tuple[float, float]:
    """A matrix of one weight 2 and a bias 3, both with the gradient 0.5, after some steps at rate 0.1."""
    net = nn.Linear(1, 1)
    with torch.no_grad():
        net.weight.fill_(2.0)
        net.bias.fill_(3.0)
    optimiser = make_optimiser(net, name, rate=0.1, weight_decay=decay)
    for _ in range(steps):
        for parameter in net.parameters():
            parameter.grad = torch.full_like(parameter, 0.5)
        optimiser.step()
    return net.weight.item(), net.bias.item()


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sgd", 3 - 0.1 * (0.5 + (0.9 * 0.5 + 0.5))),
        ("nesterov", 3 - 0.1 * ((0.5 + 0.9 * 0.5) + (0.5 + 0.9 * 0.95))),
        ("adam", 3 - 0.1 * 2),  # a constant gradient moves by the rate
        ("adamw", 3 - 0.1 * 2),
    ],
)
def test_two_steps_by_hand(name: str, expected: float) -> None:
    assert _step(name, 2)[1] == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize("name", OPTIMISERS)
def test_vectors_do_not_decay(name: str) -> None:
    assert _step(name, 1, decay=0.2)[1] == _step(name, 1)[1]
    assert _step(name, 1, decay=0.2)[0] != _step(name, 1, decay=0.4)[0] or name == "adam"


def test_adamw_decays_apart_from_the_gradient() -> None:
    """Loshchilov and Hutter 2019: the weight shrinks by rate · decay, whatever the gradient is."""
    assert _step("adamw", 1, decay=0.2)[0] == pytest.approx(2 * (1 - 0.1 * 0.2) - 0.1, rel=1e-6)
    assert _step("sgd", 1, decay=0.2)[0] == pytest.approx(2 - 0.1 * (0.5 + 0.2 * 2), rel=1e-6)


def test_norms_and_biases_are_the_vectors_and_frozen_weights_stay_out() -> None:
    net = _net()
    net[0].weight.requires_grad_(False)
    decayed, plain = make_optimiser(net, "adamw", rate=0.1, weight_decay=0.3).param_groups
    assert [p.shape for p in decayed["params"]] == [(1, 2)]
    assert len(plain["params"]) == 6
    assert (decayed["weight_decay"], plain["weight_decay"]) == (0.3, 0.0)


def test_unknown_names_are_refused_with_the_known_ones() -> None:
    with pytest.raises(
        TrainingError, match="unknown optimiser 'lion'; there are: sgd, nesterov, adam, adamw"
    ):
        make_optimiser(_net(), "lion", rate=0.1, weight_decay=0)
    optimiser = make_optimiser(_net(), "adam", rate=0.1, weight_decay=0)
    with pytest.raises(TrainingError, match="unknown schedule 'cyclic'; there are: cosine, step, plateau"):
        make_schedule(optimiser, "cyclic", steps=10, warm_up=2)


@pytest.mark.parametrize("warm_up", [-1, 10, 11])
def test_a_warm_up_leaves_steps(warm_up: int) -> None:
    optimiser = make_optimiser(_net(), "adam", rate=0.1, weight_decay=0)
    with pytest.raises(TrainingError, match=f"a warm-up lies between 0 and .* got {warm_up}"):
        make_schedule(optimiser, "cosine", steps=10, warm_up=warm_up)
