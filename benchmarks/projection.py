"""Speed of t-SNE of many clips: openTSNE, which `auricle map` takes where it is installed, against scikit-learn.

    python benchmarks/projection.py [--clips 20000] [--quick]

Points of forty kinds in 50 dimensions, as embeddings are after their first reduction. Both draw them once, in one
process, on one thread; processor seconds are compared.

The last line is JSON: `ratio` (scikit-learn's time over openTSNE's).
"""

import argparse
import json
import os
import time
from collections.abc import Callable

os.environ.setdefault("OMP_NUM_THREADS", "1")  # of scikit-learn; before it is imported

import numpy as np
import openTSNE
from sklearn.manifold import TSNE

KINDS, DIM = 40, 50


def seconds(draw: Callable[[], object]) -> float:
    clock = time.process_time()
    draw()
    return time.process_time() - clock


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--clips", type=int, default=20_000)
    parser.add_argument("--quick", action="store_true", help="a tiny problem, to see that it runs")
    options = parser.parse_args()
    clips = 300 if options.quick else options.clips
    generator = np.random.default_rng(0)
    kinds = 2 * generator.normal(size=(KINDS, DIM))
    points = (kinds[generator.integers(0, KINDS, clips)] + generator.normal(size=(clips, DIM))).astype(np.float32)
    many = seconds(lambda: openTSNE.TSNE(initialization="pca", random_state=0, n_jobs=1).fit(points))
    print(f"{clips:,} clips: openTSNE {many:.1f} processor seconds", flush=True)
    few = seconds(lambda: TSNE(init="pca", random_state=0).fit_transform(points))
    print(f"{clips:,} clips: scikit-learn {few:.1f} processor seconds")
    print(json.dumps({"ratio": few / many}))


if __name__ == "__main__":
    main()
