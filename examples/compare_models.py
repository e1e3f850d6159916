"""Which model is best for my task, and how sure is that?

    python examples/compare_models.py labels.csv byola-2022.base logmel-stats mfcc-stats

`labels.csv` has the columns path and label, perhaps split or fold, and group (site, speaker, film): intervals and tests
then respect that clips of one are alike. Models: names of ``auricle models``, or folders. On the command line it is
``auricle evaluate``.
"""

import sys
import tempfile
from pathlib import Path

from auricle.score_formats import as_markdown
from auricle.transfer.run import evaluate_models
from auricle.transfer.task_source import find_task


def main(labels: str, *models: str) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = evaluate_models(models, [find_task(labels)], out=Path(folder) / "scores.parquet", seeds=[0, 1, 2])
    print(as_markdown(summary.tables))
    for notice in summary.notices:
        print("note:", notice)
    (table,) = summary.tables
    for found in table.comparisons:
        verdict = "cannot be told apart" if table.verdicts.is_tie(found.task, found.a, found.b) else "differ"
        print(f"{found.a} and {found.b} {verdict}: {100 * found.difference:+.1f} points (p = {found.p:.3f})")


if __name__ == "__main__":
    main(*sys.argv[1:])
