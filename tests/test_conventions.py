"""The modelling conventions, held on seven small models (docs/modelling-conventions.md says what each shows)."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from metaflammation import composition, engines, sbml
from metaflammation.compile import compile_file
from metaflammation.engines import Phase, Plan
from metaflammation.errors import CompileError
from metaflammation.lint import unit_checks
from metaflammation.records import Solver

FOLDER = Path(__file__).parent / "conventions"
COMPOSED = ("joined", "whole")
ALONE = ("source", "target", "relative", "body", "adipose")
COMPILED = {name: compile_file(FOLDER / f"{name}.ant") for name in (*ALONE, *COMPOSED)}
FLATTENED = {name: sbml.flatten(COMPILED[name].comp) for name in COMPOSED}
FORMS = {
    **{f"{name}-flat": compiled.sbml for name, compiled in COMPILED.items()},
    **{f"{name}-L3V1": sbml.to_level(compiled.sbml, 3, 1) for name, compiled in COMPILED.items()},
    **{f"{name}-comp": COMPILED[name].comp for name in COMPOSED},
    **{f"{name}-flattened": FLATTENED[name] for name in COMPOSED},
}
SOLVER = Solver(relative_tolerance=1e-12, absolute_tolerance=1e-14)
AGREEMENT = 1e-9


def unit_findings(text):
    parsed = sbml.document(text, "x")
    return unit_checks.unit_findings(parsed.getModel())


def courses(text, engine, changes=None):
    """Return id -> values over two hours after a step of the inputs; double underscores as single ones."""
    elements = sbml.elements(text)
    runner = engines.load(engine, text, elements, SOLVER)
    inputs = {"TNF": 1.0, "insulin": 10.0, **(changes or {})}
    step = {i: v for i, v in inputs.items() if i in elements and not elements[i].assigned}
    plan = Plan({}, 0.0, (Phase(0.0, step),), tuple(np.linspace(0.0, 120.0, 25)))
    return {c.replace("__", "_"): v for c, v in zip(runner.columns, runner.run(plan).T, strict=True)}


def largest_difference(one, other):
    """Return the largest difference relative to a variable's range, which counts at least a thousandth of its size."""
    assert one.keys() == other.keys()
    worst = 0.0
    for name, values in one.items():
        span = max(np.ptp(values), 1e-3 * np.abs(values).max(), 1e-300)
        worst = max(worst, float(np.abs(values - other[name]).max() / span))
    return worst


@pytest.mark.parametrize("form", FORMS)
def test_form_has_no_finding_of_libsbml(form):
    assert sbml.findings(FORMS[form]) == []


@pytest.mark.parametrize("name", COMPILED)
def test_own_unit_checks_find_nothing_in_correct_models(name):
    assert unit_findings(COMPILED[name].sbml) == []
    assert unit_checks.relative_findings(COMPILED[name].sbml) == []


@pytest.mark.parametrize("name", COMPOSED)
def test_flat_and_flattened_state_the_same(name):
    assert composition.differences(COMPILED[name].sbml, FLATTENED[name]) == []


@pytest.mark.copasi
@pytest.mark.parametrize("name", COMPILED)
def test_forms_and_engines_give_the_same_courses(name):
    flat = courses(COMPILED[name].sbml, "roadrunner")
    assert any(np.ptp(v) > 0 for v in flat.values())
    others = [courses(COMPILED[name].sbml, "copasi"), courses(FORMS[f"{name}-L3V1"], "roadrunner")]
    if name in COMPOSED:
        others += [courses(FLATTENED[name], "roadrunner"), courses(FLATTENED[name], "copasi")]
    for other in others:
        assert largest_difference(flat, other) <= AGREEMENT


def test_hierarchical_file_gives_the_courses_of_the_flat_model(tmp_path):
    # From a string libRoadRunner 2.10 would load hierarchical SBML without reactions.
    import roadrunner

    path = tmp_path / "joined_comp.xml"
    path.write_text(COMPILED["joined"].comp, "utf-8")
    ends = []
    for source in (str(path), COMPILED["joined"].sbml):
        rr = roadrunner.RoadRunner(source)
        rr.integrator.relative_tolerance = 1e-12
        rr.integrator.absolute_tolerance = 1e-14
        rr["[TNF]"], rr["[insulin]"] = 1.0, 10.0
        rr.simulate(0, 120, 2)
        ids = rr.model.getFloatingSpeciesIds()
        ends.append({i.replace("__", "_"): rr[f"[{i}]"] for i in ids})
    assert ends[0].keys() == ends[1].keys()
    assert list(ends[0].values()) == pytest.approx([ends[1][i] for i in ends[0]], rel=1e-9, abs=1e-12)


def test_the_modules_are_coupled():
    without, with_tnf = (courses(COMPILED["joined"].sbml, "roadrunner", {"TNF": tnf}) for tnf in (0.0, 1.0))
    assert with_tnf["B_IRS1_pS"][-1] > without["B_IRS1_pS"][-1] + 0.1


@pytest.mark.parametrize(
    ("line", "by"),
    [
        pytest.param("B.JNK_a is JNK_a;", "B.JNK_a is A.JNK_a;", id="link between two submodels"),
        pytest.param("A.TNF is TNF;", "A.TNF = 2;", id="value set in a submodel"),
    ],
)
def test_link_that_the_hierarchical_form_would_lose_is_found(tmp_path, line, by):
    for name in ("source", "target"):
        (tmp_path / f"{name}.ant").write_text((FOLDER / f"{name}.ant").read_text("utf-8"), "utf-8")
    text = (FOLDER / "joined.ant").read_text("utf-8")
    broken = re.sub(rf"(A\.JNK_a is JNK_a; )?{re.escape(line)}", by, text)
    assert broken != text
    (tmp_path / "joined.ant").write_text(broken, "utf-8")
    compiled = compile_file(tmp_path / "joined.ant")
    assert composition.differences(compiled.sbml, sbml.flatten(compiled.comp)) != []


UNITS = """\
model m()
  unit nmol = 1e-9 mole; unit minute = 60 second; unit day = 86400 second; unit nM = 1e-9 mole/litre;
  unit mM = 1e-3 mole/litre; unit per_min = 1/(60 second); unit per_day = 1/(86400 second); unit vol = litre;
  unit relative_amount = 1e-9 mole; unit relative_level = 1e-9 mole/litre; unit kg = kilogram;
  substance = nmol; extent = nmol; time_unit = minute; volume = vol;
  compartment cell = 1; cell has vol;
  species X in cell = 1, L in cell = 1;
  L is "level (relative to basal)";
  k = 1 per_min; p = 1 per_day; ref = 1 relative_level; c = 1 nM;
  fat = 10 kg; fat has kg;
  BODY
end
"""


@pytest.mark.parametrize(
    ("body", "units", "relative"),
    [
        pytest.param("r: X => ; cell*k*X;", 0, 0, id="right"),
        pytest.param("r: X => ; cell*p*X;", 1, 1, id="rate constant per day in a rate law"),
        pytest.param("fat' = p*fat;", 1, 1, id="rate constant per day in a rate rule"),
        pytest.param("y := X; y has mM;", 1, 1, id="nM set to mM"),
        pytest.param("r: X => ; cell*k*L;", 0, 1, id="level used as a concentration in a rate law"),
        pytest.param("r: X => ; cell*k*X*L/ref;", 0, 0, id="level over its reference"),
        pytest.param("y := X + L; y has nM;", 0, 1, id="sum of a level and a concentration"),
        pytest.param("r: L => X; cell*k*L;", 0, 1, id="level turned into a concentration"),
    ],
)
def test_units_that_libsbml_does_not_compare(tmp_path, body, units, relative):
    (tmp_path / "m.ant").write_text(UNITS.replace("BODY", body), "utf-8")
    text = compile_file(tmp_path / "m.ant").sbml
    assert [f for f in sbml.findings(text) if f.code in {10501, 10511, 10541}] == []
    assert min(len(unit_findings(text)), 1) == units
    assert min(len(unit_checks.relative_findings(text)), 1) == relative


def test_relative_species_needs_its_unit(tmp_path):
    text = UNITS.replace("unit relative_amount = 1e-9 mole; ", "").replace("BODY", "r: X => ; cell*k*X;")
    (tmp_path / "m.ant").write_text(text, "utf-8")
    with pytest.raises(CompileError, match="unit relative_amount = 1e-9 mole"):
        compile_file(tmp_path / "m.ant")


@pytest.mark.parametrize("name", COMPOSED)
def test_compiling_in_another_process_gives_the_same_bytes(name):
    code = (
        "import sys; from pathlib import Path; from metaflammation.compile import compile_file; "
        "compiled = compile_file(Path(sys.argv[1])); print(compiled.sbml + compiled.comp)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(FOLDER / f"{name}.ant")], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == (COMPILED[name].sbml + COMPILED[name].comp).strip()


def test_imports_are_found_beside_the_file_not_in_the_working_directory(tmp_path, monkeypatch):
    (tmp_path / "source.ant").write_text("model source()\n  x = 1\nend\n", "utf-8")
    monkeypatch.chdir(tmp_path)
    assert compile_file(FOLDER / "joined.ant").sbml == COMPILED["joined"].sbml
