"""Which parameters tell the sets in which an expectation fails from those in which it holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

FEWEST = 10
"""Sets on either side that are needed to say what breaks an expectation."""

FALSE_DISCOVERIES = 0.01
"""Expected share of wrong ones among the parameters that are found for one expectation or another."""

PER_PARAMETER = 2
"""Sets for each parameter that are needed: in fewer, points of a Sobol sequence tie many parameters to each other."""

NAMED = 3
"""Parameters that are named at most."""

CELL = 20
"""Sets, about, that are alike in the parameters named before and compared among one another."""


def breakers(
    values: np.ndarray, names: list[str], holds: Mapping[str, np.ndarray], known: Mapping[str, np.ndarray]
) -> dict[str, list[tuple[str, float, str]]]:
    """Return, for each expectation, up to three parameters that tell the sets in which it fails from the others.

    As in regional sensitivity analysis (Spear and Hornberger 1980, doi 10.1016/0043-1354(80)90040-8) each parameter's
    distribution is compared between both groups by the test of Kolmogorov and Smirnov; the share of false discoveries
    over all expectations and parameters is held by the method of Benjamini and Hochberg. The parameter that differs
    most is named. Another one is named only if it differs, at the same level, from what those named before let expect:
    parameters of one fit are correlated, and points of a Sobol sequence are in many dimensions too. With fewer than
    two sets for each parameter none is named.

    Parameters
    ----------
    values : numpy.ndarray
        Shape (sets, names).
    names : list of str
        The parameters.
    holds, known : mapping
        For each expectation, in which sets it holds and in which it could be evaluated, shape (sets,).

    Returns
    -------
    dict
        For each expectation parameter, distance between its distributions in both groups (0 to 1), and where it fails:
        ``high`` or ``low`` values; empty where both or neither.
    """
    from scipy.stats import false_discovery_control, kstwobign

    compared = {
        name: (values[known[name]], ~held[known[name]])
        for name, held in holds.items()
        if min((held & known[name]).sum(), (~held & known[name]).sum()) >= FEWEST
    }
    result: dict[str, list[tuple[str, float, str]]] = {name: [] for name in holds}
    if not compared or len(values) < PER_PARAMETER * len(names):
        return result
    alone = {
        name: _departures(columns, failing, np.full(len(failing), failing.mean()))
        for name, (columns, failing) in compared.items()
    }
    chance = np.array([kstwobign.sf(largest) for largest, _ in alone.values()])
    found = false_discovery_control(chance.ravel()).reshape(chance.shape) < FALSE_DISCOVERIES
    level = chance[found].max(initial=0.0)
    for (name, (columns, failing)), candidates in zip(compared.items(), found, strict=True):
        largest, mean = alone[name]
        spread = np.sqrt(len(failing) * failing.mean() * (1 - failing.mean()))
        for k in _named(columns, failing, np.flatnonzero(candidates), largest, level):
            where = "" if abs(mean[k]) < largest[k] / 4 else "high" if mean[k] > 0 else "low"
            result[name].append((names[k], float(largest[k] / spread), where))
    return result


def _named(
    columns: np.ndarray, failing: np.ndarray, candidates: np.ndarray, largest: np.ndarray, level: float
) -> list[int]:
    """Return the columns that are named, the strongest first."""
    from scipy.stats import kstwobign

    named: list[int] = []
    strength = largest[candidates]
    while len(candidates):
        named.append(int(candidates[strength.argmax()]))
        if len(named) == NAMED:
            break
        strength, _ = _departures(columns[:, candidates], failing, _expected(columns[:, named], failing))
        left = (kstwobign.sf(strength) <= level) & ~np.isin(candidates, named)
        candidates, strength = candidates[left], strength[left]
    return named


def _departures(columns: np.ndarray, failing: np.ndarray, expected: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how far failures depart from the share expected in each set, as they are counted along each column.

    The largest departure and the mean one (above 0 if more fail at high values), in standard deviations of the count
    at the end. With the same share everywhere the largest is the statistic of Kolmogorov and Smirnov.
    """
    order = np.argsort(columns, axis=0, kind="stable")
    ordered = np.take_along_axis(columns, order, axis=0)
    departure = np.cumsum((expected - failing)[order], axis=0)
    # Equal values are counted together.
    departure[:-1][ordered[1:] == ordered[:-1]] = np.nan
    departure /= np.sqrt(max((expected * (1 - expected)).sum(), np.finfo(float).tiny))
    return np.nanmax(np.abs(departure), axis=0), np.nanmean(departure, axis=0)


def _expected(named: np.ndarray, failing: np.ndarray) -> np.ndarray:
    """Return the share of failures among the sets that are alike in some columns, for each set."""
    from scipy.stats import rankdata

    parts = max(int((len(failing) / CELL) ** (1 / named.shape[1])), 1)
    ranks = (rankdata(named, axis=0) - 1) / len(failing)
    _, cell = np.unique((ranks * parts).astype(int), axis=0, return_inverse=True)
    cell = cell.ravel()
    return np.asarray((np.bincount(cell, weights=failing) / np.bincount(cell))[cell])
