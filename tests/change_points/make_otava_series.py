"""Write `tests/assets/otava_series.json`: series of numbers, and where Apache Otava splits them.

Made with apache-otava 0.8.0 and numpy 2.2.0, in an environment of their own, by

    python tests/change_points/make_otava_series.py tests/assets/otava_series.json

Otava looks through windows of 50 values and takes what its t-test gives 0.001 for a change: what it
does where nobody chooses. The noise has a standard deviation of 100. Tests and benchmarks read the
file and need no Otava.
"""

import json
import sys
from importlib.metadata import version
from pathlib import Path

import numpy as np
from otava.analysis import compute_change_points

SEED = 20261124
CENTRE, SIGMA = 10_000, 100
N_EACH = 10
SIZES = (2, 3, 4, 6)
LENGTHS = (
    *((10, 10), (10, 30), (30, 10), (20, 20), (15, 85), (50, 50), (100, 100)),
    *((10, 10, 10), (20, 15, 30, 12), (50, 10, 50), (40, 40, 40, 40)),
)
N_OF_NOISE = (20, 50, 100, 300)
N_OF_EACH_NOISE = 25


def moving(rng, lengths, size):
    """Return a series whose level goes up or down by so many sigma behind each length."""
    moves = rng.choice([-size, size], len(lengths) - 1)
    levels = np.repeat(np.concatenate([[0], moves.cumsum()]), lengths)
    return levels + rng.normal(size=len(levels))


def steps_of(lengths, size):
    return [[int(place), size] for place in np.cumsum(lengths)[:-1]]


def entry(series, steps):
    values = [CENTRE + round(SIGMA * float(value)) for value in series]
    # A list: of an array Otava would take more than the window.
    found, _ = compute_change_points(list(map(float, values)), window_len=50, max_pvalue=0.001)
    return {"steps": steps, "otava": [int(one.index) for one in found], "values": values}


def main(path):
    rng = np.random.default_rng(SEED)
    series = [
        entry(moving(rng, lengths, size), steps_of(lengths, size))
        for size in SIZES
        for lengths in LENGTHS
        for _ in range(N_EACH)
    ]
    series += [entry(rng.normal(size=n), []) for n in N_OF_NOISE for _ in range(N_OF_EACH_NOISE)]
    lines = ",\n".join(json.dumps(one, separators=(",", ":")) for one in series)
    made = json.dumps({"apache-otava": version("apache-otava"), "numpy": np.__version__})
    path.write_text(f'{{"made_with":{made},"series":[\n{lines}\n]}}\n', encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
