"""What many pictures cost in memory: a folder of JPEGs, audited with networks that weigh nothing.

Command   OMP_NUM_THREADS=1 python benchmarks/pictures.py
Writes    benchmarks/results/pictures.csv
Expect    1,000 pictures of 224 x 224, two draws each, below 2 GB

Peak resident size of the command's process, for 50 pictures and for all, with the pages of files
that it maps; what the process holds after its imports is in the first row.
"""

from __future__ import annotations

import csv
import datetime
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

OUT = Path(__file__).parent / "results" / "pictures.csv"
COUNTS = (50, 1000)
WORLD = """
import torch
from torch import nn
from fiber_audit import hookimpl
from fiber_audit.contracts import Extractor, Prediction, Prior
from fiber_audit.sampling import FlowSchedule, noise_of, over

class Means(Extractor):
    feature_size = 192
    def __init__(self):
        self.network = nn.AdaptiveAvgPool2d(8)
    def features(self, x):
        return self.network(x).flatten(1)

class Denoiser(nn.Module):
    def forward(self, x_t, a, s):
        return 0.5 + 0.01 * a / (0.01 * a**2 + s**2) * (x_t - 0.5 * a)

class Grey(Prior):
    lossless, state_shape, schedule = True, (3, 224, 224), FlowSchedule()
    def __init__(self):
        self.network = Denoiser().eval()
    def predict(self, x_t, t):
        a, s = over(self.schedule.alpha(t), x_t), over(self.schedule.sigma(t), x_t)
        x0 = self.network(x_t, a, s)
        return Prediction(x0, noise_of(self.schedule, x_t, x0, t))
    def decode(self, state):
        return state
    def encode(self, x):
        return x

@hookimpl
def fiber_audit_extractors():
    return {"means": Means}

@hookimpl
def fiber_audit_priors():
    return {"grey": Grey}
"""
SUITE = """
name = "pictures"
draws = 2
batch_size = 32
unguided_steps = 5
metrics = ["fiber_loss_relative", "diversity", "saturation", "high_frequency"]
[queries]
use = "image-folder"
path = "photos"
n = {n}
size = 224
[extractors.means]
[priors.grey]
[samplers.dps]
steps = 5
"""
COMMAND = "from fiber_audit.commands.main import guarded; import sys; code = guarded(sys.argv[1:])"
PEAK = "; import resource; print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, code)"
IMPORTS = "import fiber_audit._run, pandas, fiber_audit_guidance.dps, fiber_audit_data.image_folder"


def photographs(folder: Path, count: int) -> None:
    """Smooth pictures of 320 x 256 as JPEGs."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    for i in range(count):
        small = rng.integers(0, 255, (5, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((320, 256), Image.Resampling.BICUBIC).save(
            folder / f"{i:04d}.jpg"
        )


def peak(code: str, *arguments: str, cwd: Path) -> float:
    """Peak resident size of a Python process, in MB."""
    done = subprocess.run(
        [sys.executable, "-c", code + PEAK, *arguments],
        cwd=cwd,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    kilobytes, code_of = done.stdout.split()[-2:]
    if code_of not in ("0", "Exit.OK"):
        raise SystemExit(done.stderr)
    return int(kilobytes) / 1024


def main() -> None:
    """Measure and write the table."""
    rows = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        photographs(folder / "photos", max(COUNTS))
        (folder / "world.py").write_text(WORLD)
        rows.append(
            {"pictures": 0, "draws": 0, "peak_mb": peak(f"{IMPORTS}; code = 0", cwd=folder)}
        )
        for n in COUNTS:
            (folder / "suite.toml").write_text(SUITE.format(n=n))
            line = ["run", "suite.toml", "--plugin", "world.py", "--out", f"run-{n}"]
            rows.append(
                {"pictures": n, "draws": 2 * n, "peak_mb": peak(COMMAND, *line, cwd=folder)}
            )
            print(rows[-1])
    sha = subprocess.run(["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True)
    facts = {
        "date": datetime.date.today().isoformat(),
        "commit": sha.stdout.strip(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
    }
    with OUT.open("w", newline="") as file:
        writer = csv.DictWriter(file, [*rows[0], *facts])
        writer.writeheader()
        writer.writerows({**row, "peak_mb": f"{row['peak_mb']:.0f}", **facts} for row in rows)


if __name__ == "__main__":
    main()
