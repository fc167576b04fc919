"""A dose-response through Model.simulate against a plain libRoadRunner loop with the same tolerances and points."""

import statistics
import time

import metaflammation as mf

ROUNDS = 7
EXPERIMENT = "insulin_dose_response_10min"


def plain(rr, experiment):
    ends = []
    for dose in experiment.doses.values:
        rr.resetToOrigin()
        rr.simulate(0, experiment.equilibration.duration, 2)
        rr["[insulin]"] = dose
        ends.append(rr.simulate(0, experiment.duration, experiment.points))
    return ends


model = mf.load("insulin_cascade")
rr = model.roadrunner()
rr.timeCourseSelections = ["time", *(f"[{i}]" for i in rr.model.getFloatingSpeciesIds())]
experiment = model.experiments[EXPERIMENT]
model.simulate(EXPERIMENT)
plain(rr, experiment)
ours, theirs = [], []
for _ in range(ROUNDS):
    start = time.perf_counter()
    model.simulate(EXPERIMENT)
    ours.append(time.perf_counter() - start)
    start = time.perf_counter()
    plain(rr, experiment)
    theirs.append(time.perf_counter() - start)
ratios = [a / b for a, b in zip(ours, theirs, strict=True)]
print(f"Model.simulate   {1e3 * statistics.median(ours):.1f} ms, plain loop {1e3 * statistics.median(theirs):.1f} ms")
print(f"ratio            {statistics.median(ratios):.2f} ({min(ratios):.2f} to {max(ratios):.2f})")
