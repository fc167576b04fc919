"""Time of `import metaflammation` in a fresh process, above bare Python."""

import statistics
import subprocess
import sys
import time

ROUNDS = 15


def seconds(code: str) -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", code], check=True)
    return time.perf_counter() - start


bare, ours = [], []
for _ in range(ROUNDS):
    bare.append(seconds("pass"))
    ours.append(seconds("import metaflammation"))
extra = [b - a for a, b in zip(bare, ours, strict=True)]
print(f"bare Python      {statistics.median(bare):.3f} s ({min(bare):.3f} to {max(bare):.3f})")
print(f"with the import  {statistics.median(ours):.3f} s ({min(ours):.3f} to {max(ours):.3f})")
print(
    f"above bare       {statistics.median(extra):.3f} s, ratio {statistics.median(ours) / statistics.median(bare):.2f}"
)
