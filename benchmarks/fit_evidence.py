"""The weights of the refinement's features: `python benchmarks/fit_evidence.py [--model NAME] [--count N]`.

A conditional logit: of all planes within reach of the mask's, the true one shall be the most believed.
Rendered frames of new seeds and the frames that were trained on; what is held out stays for the test. Each
frame is seen from the mask's plane, and from one that is off by a draw of its covariance.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from horizon_rt.camera import Camera
from horizon_rt.fitting.edge_search import ROWS, EdgeSearch, precision_of
from horizon_rt.fitting.evidence import FEATURES, SIGNED_FEATURES, log_prior, read_features
from horizon_rt.fitting.stations import Stations
from horizon_rt.fitting.uncertainty import DEFAULT_UNCERTAINTY
from horizon_rt.frame import Frame
from horizon_rt.geometry import UpVector
from horizon_rt.horizon import Measurement
from horizon_rt.synth.clip import to_frame
from horizon_rt.synth.stills import StillOptions, Stills
from horizon_rt.system.paths import data_root
from horizon_rt.tracker import HorizonTracker
from horizon_rt.training.samples.pictures import load, open_pictures, thinned

Array = NDArray[np.float64]
SPLIT = Path(__file__).parents[1] / "weights" / "split.toml"
SIZES = ((640, 360), (1280, 720), (480, 480))
STRIDE, NEAR_ROWS = 2, 2.5
REAL = {"flight": 150, "thermal-sea": 150, "scenes": 100, "sea": 100}


def rendered(count: int) -> Iterator[tuple[str, Frame, Camera, UpVector]]:
    for number, size in enumerate(SIZES):
        stills = Stills(StillOptions(size=size, seed=4100 + number), count // len(SIZES))
        for still in (stills[i] for i in range(len(stills))):
            yield "rendered", to_frame(still.image), still.camera, still.up


def real() -> Iterator[tuple[str, Frame, Camera, UpVector]]:
    root = data_root()
    for name, most in REAL.items() if root is not None else ():
        for picture in thinned(open_pictures(root / name, SPLIT)[0], most):
            image, line, _, _ = load(picture)
            if line is not None:
                camera = Camera.from_hfov(image.shape[1], image.shape[0], 70)
                yield name, Frame.from_bgr(image), camera, line.up_vector(camera.focal_px)


def candidates(
    camera: Camera, frame: Frame, measured: Measurement, truth: UpVector
) -> tuple[Array, NDArray[np.bool_]] | None:
    """Features and log priors (n, FEATURES + 1) of the planes, and which of them are true ones."""
    stations = Stations(camera)
    search, strip = EdgeSearch(stations, DEFAULT_UNCERTAINTY), stations.strip(measured.up)
    step = None if strip is None else search.first_step_px(strip, strip.prior(measured))
    if strip is None or step is None:
        return None
    precision = precision_of(strip.prior(measured))
    features = search.features(frame.luma, strip, step, 1.0)
    ends = strip.elevations(measured.up, truth)
    scale = strip.mean_scale / step
    places = np.arange(0, ROWS, STRIDE) - ROWS // 2
    found, rows, true = np.empty(FEATURES), [], []
    for i in places:
        for j in places:
            plane = np.array([i, j]) / scale
            read_features(features, strip.scales / step, strip.shares, *plane, 1, found)
            read = np.where(np.arange(FEATURES) < SIGNED_FEATURES, np.abs(found), found)
            rows.append([*read, log_prior(float(plane @ precision @ plane))])
            true.append(np.abs(ends * scale - (i, j)).max() <= NEAR_ROWS)
    return (np.array(rows), np.array(true)) if any(true) else None


def jittered(measured: Measurement, rng: np.random.Generator) -> Measurement:
    off = rng.multivariate_normal(np.zeros(3), measured.covariance)
    up = UpVector.from_vector(measured.up.as_array() + off)
    return Measurement(up=up, covariance=measured.covariance, inliers=measured.inliers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model")
    parser.add_argument("--count", type=int, default=600, help="rendered frames")
    options = parser.parse_args()
    tracker = HorizonTracker(smooth="none", model=options.model, backend="torchscript", refine=False)
    rng = np.random.default_rng(5)
    cases: list[tuple[str, Array, NDArray[np.bool_]]] = []
    seen: dict[str, int] = {}
    for name, frame, camera, truth in (*rendered(options.count), *real()):
        tracker.camera = camera
        measured = tracker.update(frame).observation.measurement
        if measured is None:
            continue
        for start in (measured, jittered(measured, rng)):
            seen[name] = seen.get(name, 0) + 1
            found = candidates(camera, frame, start, truth)
            if found is not None:
                cases.append((name, *found))
    print(f"seen {seen}, with the truth in reach: {len(cases)}")
    fit(cases)


def fit(cases: list[tuple[str, Array, NDArray[np.bool_]]]) -> None:
    """Each set of frames counts by the root of its number, so that none decides alone."""
    names = [name for name, _, _ in cases]
    share = torch.tensor([names.count(name) ** -0.5 for name in names], dtype=torch.float64)
    x = torch.from_numpy(np.stack([rows for _, rows, _ in cases]))
    true = torch.from_numpy(np.stack([mask for _, _, mask in cases]))
    weights = torch.zeros(FEATURES + 1, dtype=torch.float64, requires_grad=True)
    optimiser = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def likelihood() -> torch.Tensor:
        belief = torch.log_softmax(x @ weights, dim=1)
        return torch.logsumexp(belief.masked_fill(~true, -torch.inf), dim=1)

    def step() -> torch.Tensor:
        optimiser.zero_grad()
        loss = -(share * likelihood()).sum() / share.sum() + 1e-4 * (weights**2).sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimiser.step(step)
    belief = torch.log_softmax(x @ weights.detach(), dim=1)
    best = true.gather(1, belief.argmax(dim=1)[:, None])[:, 0].double()
    for name in dict.fromkeys(names):
        some = torch.tensor([other == name for other in names])
        right = float(best[some].mean())
        mean = float(likelihood().detach()[some].exp().mean())
        print(f"{name}: {int(some.sum())} cases, best plane true {right:.3f}, belief {mean:.3f}")
    print("weights", weights.detach().numpy().round(2).tolist())


if __name__ == "__main__":
    main()
