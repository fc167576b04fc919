"""Run one reader in the Python it lives in: ``python run.py RUNNER``.

The first line written is JSON with the versions of the reader, or the error with which it could not be imported. Each
line read is a case: an SBML file, the end of a plain uniform time course, its number of points, tolerances (none: the
reader's own) and the CSV to write. Each further line written is JSON: the seconds that it took, or the error. What the
reader prints goes to standard error.
"""

import csv
import importlib
import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path


def main():
    """Answer cases until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)

    def answer(function, *arguments):
        try:
            reply = function(*arguments)
        except Exception as error:  # noqa: BLE001 - a reader may fail in any way, and the table shows how
            reply = {"error": f"{type(error).__name__}: {' '.join(str(error).split())}"}
        print(json.dumps(reply), file=answers, flush=True)

    answer(versions, sys.argv[1])
    for line in sys.stdin:
        answer(run, sys.argv[1], json.loads(line))


def versions(runner):
    """Return the versions of what a reader consists of."""
    module = importlib.import_module(f"read_{runner}")
    own = module.versions() if hasattr(module, "versions") else {}
    return {"versions": {**{package: version(package) for package in module.PACKAGES}, **own}}


def run(runner, case):
    """Write the curves of one case."""
    start = time.perf_counter()
    simulate = importlib.import_module(f"read_{runner}").simulate
    columns = simulate(case["sbml"], case["end"], case["points"], **case["tolerances"])
    with Path(case["csv"]).open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(columns)
        writer.writerows([repr(float(v)) for v in row] for row in zip(*columns.values(), strict=True))
    return {"seconds": time.perf_counter() - start}


if __name__ == "__main__":
    main()
