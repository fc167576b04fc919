"""Which verdicts of er_stress flip when one parameter moves by 20 %; writes docs/fits/er_stress/flips.tsv."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import metaflammation as mf
from metaflammation.errors import MetaflammationError
from metaflammation.expectations import judge

TABLE = Path(__file__).parents[1] / "docs" / "fits" / "er_stress" / "flips.tsv"


def verdicts(model: mf.Model, overrides: dict[str, float]) -> dict[str, tuple[bool, float]]:
    """Return for each expectation whether its value lies in the interval, and the value."""
    runs = model.runs(base=overrides)
    found = {}
    for expectation in model.expectations.values():
        try:
            outcome = judge(expectation, runs)
            found[expectation.id] = outcome.margin >= 0, outcome.value
        except MetaflammationError:
            found[expectation.id] = False, float("nan")
    return found


def main(evidence: set[str]) -> None:
    """Move every parameter of that evidence whose value is not a definition, and write what changes."""
    model = mf.load("er_stress")
    moved = [
        p
        for p, row in model.parameters.items()
        if row.evidence in evidence and model.elements[p].value not in {0.0, 1.0} and not p.startswith("n_")
    ]
    here = verdicts(model, {})
    with TABLE.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, delimiter="\t", lineterminator="\n")
        table.writerow(["parameter", "evidence", "factor", "expectation", "value", "moved_value", "now"])
        for parameter in moved:
            for factor in (0.8, 1.2):
                there = verdicts(model, {parameter: model.elements[parameter].value * factor})
                for name, (holds, value) in there.items():
                    if holds != here[name][0]:
                        row = [parameter, model.parameters[parameter].evidence, factor, name]
                        table.writerow([*row, f"{here[name][1]:.4g}", f"{value:.4g}", "holds" if holds else "fails"])
            file.flush()


if __name__ == "__main__":
    main(set(sys.argv[1:]) or {"fitted"})
