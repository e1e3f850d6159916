"""Which model is best for my task, and how sure is that?

    python examples/compare_models.py labels.csv byola-2022.base logmel-stats mfcc-stats --group site

`labels.csv` has the columns path and label, and perhaps split or fold; `--group` names the column, else `group`, of
what clips have in common (site, speaker, film): those stay on one side of a split, and intervals and tests respect that
they are alike. Models: names of ``auricle models``, or folders. Scores, and what stands on both sides of a split, are
written beside `labels.csv`. On the command line it is ``auricle evaluate``.
"""

import argparse
from pathlib import Path

from auricle.score_formats import as_markdown
from auricle.transfer.run import evaluate_models
from auricle.transfer.task_source import Own, find_task


def main(labels: str, models: list[str], group: str | None) -> None:
    out = Path(labels).with_suffix(".scores.parquet")
    summary = evaluate_models(models, [find_task(labels, own=Own(group=group))], out=out, seeds=[0, 1, 2])
    print(as_markdown(summary.tables))
    for notice in summary.notices:
        print("note:", notice)
    (table,) = summary.tables
    for found in table.comparisons:
        verdict = "cannot be told apart" if table.verdicts.is_tie(found.task, found.a, found.b) else "differ"
        print(f"{found.a} and {found.b} {verdict}: {100 * found.difference:+.1f} points (p = {found.p:.3f})")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("labels")
    parser.add_argument("models", nargs="+")
    parser.add_argument("--group", metavar="COLUMN")
    main(**vars(parser.parse_args()))
