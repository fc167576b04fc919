"""Peak memory of an ensemble of 10^3, 10^4 and 10^5 individuals of a small model: it should not grow with them.

Each size runs in a fresh process, which writes the table of individuals and the statistics of the curves.

    python benchmarks/memory.py [--largest 100000]
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from metaflammation import starter

CHILD = """
import resource, sys, time
import metaflammation as mf
folder, output, n = sys.argv[1], sys.argv[2], int(sys.argv[3])
start = time.perf_counter()
what = {"readouts": ["final:occupied"], "observables": ["occupied"], "statistics": True}
mf.load(folder).ensemble("step", n, output=output, **what)
print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, time.perf_counter() - start)
"""

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--largest", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = starter.create(Path(temporary) / "lesson")
        for n in (1_000, 10_000, 100_000):
            if n > asked.largest:
                break
            command = [sys.executable, "-c", CHILD, str(folder), str(Path(temporary) / f"{n}.parquet"), str(n)]
            told = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
            print(f"{n:>7} individuals: peak {float(told[0]):.0f} MB, {float(told[1]):.0f} s", flush=True)
