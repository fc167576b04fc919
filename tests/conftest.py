"""Shared fixtures: the first catalogue model, and a tiny model whose solution is known in closed form."""

import os
import subprocess
import sys

import numpy as np
import pytest

import metaflammation as mf
from metaflammation.compile import compile_file

TINY = """\
model *tiny()
  unit nmol = 1e-9 mole;
  unit minute = 60 second;
  unit nM = 1e-9 mole/litre;
  unit per_min = 1/(60 second);
  unit per_nM_min = 1e9 litre/(mole*60 second);
  unit dl = dimensionless;
  unit vol = litre;
  substance = nmol; extent = nmol; time_unit = minute; volume = vol;
  compartment cell = 1;
  cell has vol; cell is "cytosol"; cell.sboTerm = 290;
  species S in cell = 1, A in cell, B in cell = 0;
  const species $F in cell = 2;
  A = f_total*A_ref;
  S is "signal"; A is "switch, off"; B is "switch, on"; F is "feed"; fraction is "fraction on";
  S.sboTerm = 247; A.sboTerm = 247; B.sboTerm = 247; F.sboTerm = 247;
  fraction := B/(A + B);
  fraction has dl; fraction.sboTerm = 503;
  on: A + F => B; cell*k_on*S*A;
  off: B => A; cell*k_off*B;
  on is "switching on"; on.sboTerm = 182; off is "switching off"; off.sboTerm = 182;
  const f_total = 1, A_ref = 10, k_on = 0.1, k_off = 0.1;
  f_total has dl; A_ref has nM; k_on has per_nM_min; k_off has per_min;
  f_total is "scale of the total"; A_ref is "total of the reference cell";
  k_on is "rate constant of switching on"; k_off is "rate constant of switching off";
  f_total.sboTerm = 9; A_ref.sboTerm = 9; k_on.sboTerm = 9; k_off.sboTerm = 9;
  cell hypernym "https://identifiers.org/CL:0000136";
  S hypernym "https://identifiers.org/CHEBI:17634"; A hypernym "https://identifiers.org/CHEBI:17634";
  B hypernym "https://identifiers.org/CHEBI:17634"; F hypernym "https://identifiers.org/CHEBI:17634";
end
"""

RELATIVE = (
    TINY.replace('S is "signal"', 'S is "signal (relative to basal)"')
    .replace("unit dl", "unit relative_amount = 1e-9 mole; unit relative_level = 1e-9 mole/litre; unit dl")
    .replace("cell*k_on*S*A", "cell*k_on*S/S_ref*A")
    .replace("k_on has per_nM_min", "k_on has per_min; const S_ref = 1; S_ref has relative_level; S_ref.sboTerm = 9")
)
"""The same model with the signal known only relative to basal."""


def exact_b(time, start=0.0, *, signal=1.0, total=10.0, k_on=0.1, k_off=0.1):
    """Return B of the tiny model in closed form."""
    rate = k_on * signal + k_off
    end = total * k_on * signal / rate
    return end + (start - end) * np.exp(-rate * np.asarray(time))


@pytest.fixture(scope="session")
def insulin_cascade():
    return mf.load("insulin_cascade")


@pytest.fixture(scope="session")
def tiny_sbml(tmp_path_factory):
    path = tmp_path_factory.mktemp("tiny") / "tiny.ant"
    path.write_text(TINY)
    return compile_file(path).sbml


@pytest.fixture
def tiny(tiny_sbml):
    """Return a new model, with engines of its own."""
    return mf.Model("tiny", tiny_sbml, None)


@pytest.fixture
def tiny_ant(tmp_path):
    path = tmp_path / "tiny.ant"
    path.write_text(TINY)
    return path


@pytest.fixture(scope="session")
def fresh_python():
    """Return a function that runs code in a process of its own, and returns its standard output."""

    def run(code, *arguments, **environment):
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(
            command, capture_output=True, encoding="utf-8", check=False, env={**os.environ, **environment}
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def pytest_addoption(parser):
    parser.addoption(
        "--all-controls", action="store_true", help="every control of the integrated model too: half an hour"
    )


TOO_LONG = {
    "test_tellurium_executes_the_archive_and_gives_our_curves_in_every_experiment",
    "test_copasi_opens_the_archive_and_gives_our_curves",
    "test_the_report_of_every_model_is_small_and_complete",
}
"""They simulate all experiments of a model, in other programs or with a point for every pixel."""


def pytest_collection_modifyitems(items):
    """Leave out what takes the integrated model longer than a test may take, and say so."""
    for item in items:
        if item.name.endswith("[metaflammation]") and item.originalname in TOO_LONG:
            reason = "the archive and the report of the integrated model take many minutes: made by hand"
            item.add_marker(pytest.mark.skip(reason=reason))


def manageable(model):
    """Return the experiments that other programs manage: all, or those that the model's second engine repeats.

    The years of the integrated model take other solvers minutes to hours each.
    """
    return [e for e in model.experiments.values() if not model.metadata.compared or e.id in model.metadata.compared]
