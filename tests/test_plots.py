"""Figures of a model: measured data, scans, margins."""

import numpy as np
import pytest

from metaflammation import measurements
from metaflammation.errors import DataError, SimulationError


@pytest.mark.parametrize(("dataset", "x_label"), [("B10_IR_tc100", "time (min)"), ("S93_uptake", "insulin")])
def test_measured_points_have_their_errors_and_the_curve_of_the_model(insulin_cascade, dataset, x_label):
    axes = insulin_cascade.plot_data(dataset)
    rows = measurements.read(insulin_cascade).query("datasetId == @dataset")
    (bars,) = axes.containers
    points, _, (whiskers,) = bars.lines
    assert points.get_ydata() == pytest.approx(rows["measurement"].to_numpy(), rel=1e-12)
    half = [(s[1, 1] - s[0, 1]) / 2 for s in whiskers.get_segments()]
    assert half == pytest.approx(rows["noiseParameters"].to_numpy(), rel=1e-9)
    assert axes.get_xlabel().startswith(x_label)
    assert axes.get_legend_handles_labels()[1] == ["model", "measured"]


def test_an_unknown_data_set_is_refused(insulin_cascade):
    with pytest.raises(DataError, match="did you mean B10_IR_tc100"):
        insulin_cascade.plot_data("B10_IR_tc10")


def test_a_scan_is_drawn_with_units_and_a_logarithmic_axis_where_it_is_wide(tiny):
    axes = tiny.plot_scan("k_on", [0.01, 0.1, 1.0], duration="30 min", observables=["B"], statistic="half_time")
    assert axes.get_xscale() == "log"
    assert axes.get_xlabel() == "rate constant of switching on (1/(nM min))"
    assert axes.get_ylabel() == "half time (min)"
    (line,) = axes.lines
    assert np.all(np.diff(line.get_ydata()) < 0)


def test_a_scan_of_different_units_is_refused(tiny):
    with pytest.raises(SimulationError, match="different units"):
        tiny.plot_scan("k_on", [0.1, 0.2], duration="30 min", observables=["B", "fraction"])


def test_a_notebook_shows_what_is_drawn(tiny, monkeypatch):
    import sys

    import matplotlib.pyplot as plt

    monkeypatch.setitem(sys.modules, "ipykernel", plt)
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot")
    plt.switch_backend("agg")
    axes = tiny.simulate(duration="30 min").plot("B")
    try:
        assert axes.figure.number in plt.get_fignums()
    finally:
        plt.close(axes.figure)
