"""Coverage-guided fuzzing of camera profiles: `python benchmarks/fuzz_profiles.py FORMAT [--seconds S]`.

Atheris (libFuzzer) changes good files of a format as it sees which branches they reach. What is read must
end in a profile of finite numbers that its own TOML gives back, or in a HorizonError of one line. A file for
which that does not hold is left in tests/camera/corpus, whose files a test reads.
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["horizon_rt.camera", "horizon_rt.system.toml", "yaml"]):
    import yaml  # noqa: F401

    from horizon_rt.camera import (
        BrownConrady,
        Camera,
        CameraProfile,
        KannalaBrandt,
        coefficients_of,
        load_profile,
        save_profile,
    )
from horizon_rt.errors import HorizonError
from horizon_rt.system.messages import error_line

CRASHES = Path(__file__).resolve().parents[1] / "tests" / "camera" / "corpus"
NAMES = {
    "toml": ("a.toml",),
    "opencv": ("a.yaml", "b.json"),
    "ros": ("a.yaml",),
    "kalibr": ("a.yaml",),
    "gyroflow": ("a.json",),
}
LENSES = (
    BrownConrady(k1=-0.3, k2=0.1, p1=1e-3, p2=2e-3),
    KannalaBrandt(k1=0.04, k2=0.03, k3=-0.02, k4=0.005),
)
LARGEST_BYTES = 4096


def make_seeds(format: str, folder: Path) -> None:
    """A good file of each lens in each of the format's dialects."""
    for number, lens in enumerate(LENSES):
        model = Camera(width=1920, height=1080, fx=901.5, fy=900, cx=955, cy=541, distortion=lens)
        profile = CameraProfile(name="good", model=model, rms_px=0.3, readout_s=0.0155)
        for name in NAMES[format]:
            save_profile(profile, folder / f"{number}-{name}", format=format)  # type: ignore[arg-type]


class Target:
    """Reads bytes as a profile, and raises where what comes of them is neither a profile nor one line."""

    def __init__(self, scratch: Path) -> None:
        self._path, self._again = scratch / "profile", scratch / "again.toml"

    def __call__(self, content: bytes) -> None:
        self._path.write_bytes(content)
        try:
            profile = load_profile(self._path)
        except HorizonError as error:
            if "\n" in str(error) or not error_line(error).isprintable():
                raise AssertionError(f"not one line: {error!a}") from error
            return
        model = profile.model
        numbers = (*model.intrinsics, *coefficients_of(model.distortion).values())
        assert all(map(math.isfinite, numbers)), numbers
        save_profile(profile, self._again)
        assert load_profile(self._again) == profile


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("format", choices=sorted(NAMES))
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--corpus", type=Path, help="folder that keeps what was found to reach new branches")
    given = parser.parse_args()
    CRASHES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as name:
        scratch = Path(name)
        corpus = given.corpus or scratch / "corpus"
        (scratch / "seeds").mkdir()
        corpus.mkdir(parents=True, exist_ok=True)
        make_seeds(given.format, scratch / "seeds")
        limits = [f"-max_total_time={given.seconds}", f"-max_len={LARGEST_BYTES}", "-timeout=20"]
        places = [f"-artifact_prefix={CRASHES}/{given.format}-", str(corpus), str(scratch / "seeds")]
        atheris.Setup([sys.argv[0], *limits, *places], Target(scratch))
        atheris.Fuzz()


if __name__ == "__main__":
    main()
