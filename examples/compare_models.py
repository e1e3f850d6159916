"""Which model is best for my task, and how sure is that?

    python examples/compare_models.py labels.csv byola-2022 logmel-stats mfcc-stats

`labels.csv` has the columns path, label and split (train, valid, test) or fold; with a column `cluster` (site, speaker,
film) intervals and tests respect that clips of one are alike. Models: names of ``auricle models``, or folders.
"""

import itertools
import sys
import tempfile
from pathlib import Path

import auricle
from auricle.embedding import embed_manifest, read_embeddings
from auricle.manifest import Manifest
from auricle.score_formats import markdown_table
from auricle.transfer import ProbeSettings, compare, evaluate


def main(labels: str, *models: str) -> None:
    manifest = Manifest.read(labels)
    evaluations = {}
    with tempfile.TemporaryDirectory() as folder:
        for number, name in enumerate(models):
            encoder = auricle.load(name)
            file = Path(folder) / f"{number}.parquet"
            summary = embed_manifest(encoder, manifest, out=file)
            if summary.rejected:
                sys.exit(f"{summary.rejected} clips cannot be read; they are listed in {summary.rejected_path}")
            _, embeddings = read_embeddings(file)
            evaluations[name] = evaluate(
                embeddings,
                manifest,
                task=Path(labels).stem,
                model=name,
                weights_fingerprint=encoder.weights_fingerprint,
                settings=ProbeSettings(standardise=True),
            )
    print(markdown_table(row for evaluation in evaluations.values() for row in evaluation.results))
    for a, b in itertools.combinations(evaluations, 2):
        found = compare(evaluations[a], evaluations[b])
        verdict = f"differ (p = {found.p:.3f})" if found.p < 0.05 else f"cannot be told apart (p = {found.p:.3f})"
        print(f"{a} and {b} {verdict}: {100 * found.difference:+.1f} points")


if __name__ == "__main__":
    main(*sys.argv[1:])
