"""Well-posedness of every catalogue model: what must hold for any tier, whatever its biology."""

import csv
import io
import re

import numpy as np
import pytest
from lxml import etree

import metaflammation as mf
from metaflammation import build, composition, engines, library, sbml
from metaflammation.check import AGREEMENT, compare
from metaflammation.engines import Phase, Plan
from metaflammation.errors import DataError
from metaflammation.records import Solver

NAMES = library.catalogue()
SIMULATED = [pytest.param(n, marks=[pytest.mark.slow] if n == "metaflammation" else []) for n in NAMES]
"""Years of the integrated model take a second each."""
MODELS = {name: mf.load(name) for name in NAMES}
COMPARED = [pytest.param(n, marks=[pytest.mark.slow] if MODELS[n].files.comp() else []) for n in NAMES]


@pytest.mark.parametrize("name", NAMES)
def test_committed_sbml_is_what_the_source_compiles_to(name):
    assert build.stale(library.find(name)) == []


@pytest.mark.parametrize("name", NAMES)
def test_model_keeps_the_rules_and_scores_in_full(name):
    report = MODELS[name].lint()
    assert [str(f) for f in report.findings] == []
    assert report.score == 100


@pytest.mark.parametrize("name", NAMES)
def test_scale_parameters_are_one_in_the_reference_cell(name):
    scales = [e for e in MODELS[name].elements.values() if re.fullmatch(r"f_\w+_total", e.id) and e.constant]
    assert {e.value for e in scales} <= {1.0}


@pytest.mark.parametrize("name", SIMULATED)
def test_result_does_not_depend_on_what_ran_before(name):
    model = MODELS[name]
    arms = [arm for e in model.metadata.compared or model.experiments for arm in model.experiments[e].arms]
    forth, back = mf.load(name).runs(), mf.load(name).runs()
    for arm in arms:
        forth.arm(arm)
    for arm in reversed(arms):
        assert np.array_equal(back.arm(arm).data.to_numpy(), forth.arm(arm).data.to_numpy()), arm


@pytest.mark.copasi
@pytest.mark.parametrize("name", COMPARED)
def test_engines_agree_on_every_experiment(name):
    benches = {engine: MODELS[name].runs(engine) for engine in ("roadrunner", "copasi")}
    compared = MODELS[name].metadata.compared
    for experiment in compared:
        for dose in MODELS[name].experiments[experiment].arms.values():
            benches["roadrunner"].course(experiment, dose)
    if not compared:
        list(benches["roadrunner"].everything())
    difference, where = compare(benches, compared)
    assert difference <= AGREEMENT, where


@pytest.mark.copasi
def test_comparison_of_engines_notices_a_moved_parameter():
    model = MODELS["insulin_cascade"]
    moved = model.runs("copasi", {"k_IR_phos": model.elements["k_IR_phos"].value * 1.001})
    benches = {"roadrunner": model.runs(), "copasi": moved}
    list(benches["roadrunner"].everything())
    assert compare(benches)[0] > AGREEMENT


@pytest.mark.parametrize("name", NAMES)
def test_measurements_refer_to_runs_and_observables_that_exist(name):
    from metaflammation import measurements

    rows = measurements.read(MODELS[name])
    arms = {arm for e in MODELS[name].experiments.values() for arm in e.arms}
    assert set(rows["experimentId"]) <= arms
    assert set(rows["use"]) <= {"fit", "compare"}
    assert (rows["noiseParameters"] > 0).all()


@pytest.mark.parametrize("name", NAMES)
def test_noise_is_the_reported_error_with_a_floor(name):
    """The noise column is a copy: it is computed from the reported error and the rule in the provenance README."""
    from metaflammation import measurements

    rows = measurements.read(MODELS[name])
    for dataset, group in rows.groupby("datasetId"):
        share = 0.03 if dataset == "S93_bind" else 0.05
        floor = share * group["measurement"].max()
        reported = group["sem"].replace("", "nan").astype(float).fillna(0.0)
        expected = np.maximum(reported, floor)
        assert group["noiseParameters"].to_numpy() == pytest.approx(expected.to_numpy(), rel=2e-3), dataset


def test_identifiers_are_listed_once_with_label_and_place():
    text = (library.files(library.MODELS) / "annotations.tsv").read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE))
    assert len({r["curie"] for r in rows}) == len(rows)
    assert all(r["label"] and r["seen_in"] for r in rows)
    used = {uri.rsplit("/", 1)[1] for m in MODELS.values() for e in m.elements.values() for _, uri in e.resources}
    uris = {uri for m in MODELS.values() for uri in re.findall(r'rdf:resource="([^"]+)"', m.sbml)}
    in_models = {uri.rsplit("/", 1)[1] for uri in uris}
    assert used <= {r["curie"] for r in rows} <= in_models


def test_identifiers_have_the_patterns_of_their_registries():
    import bioregistry

    for curie in library.seen_identifiers():
        prefix, accession = bioregistry.parse_iri(f"https://identifiers.org/{curie}")
        assert prefix is not None, curie
        assert bioregistry.is_valid_identifier(prefix, accession), curie


@pytest.mark.parametrize("name", NAMES)
def test_sbml_carries_title_creators_licence_dates_and_taxon(name):
    document = sbml.document(MODELS[name].sbml, name)
    model, metadata = document.getModel(), library.metadata()
    entry = metadata.models[name]
    assert model.getName() == entry.title
    history = model.getModelHistory()
    assert [history.getCreator(n).getName() for n in range(history.getNumCreators())] == list(metadata.creators)
    assert history.getCreatedDate().getDateAsString().startswith(entry.created.isoformat())
    assert metadata.licence in model.getNotesString()
    assert f"https://identifiers.org/{entry.taxon}" in MODELS[name].sbml


@pytest.mark.parametrize("name", NAMES)
def test_estimated_parameters_of_the_model_are_copies_of_the_source_and_the_evidence(name):
    model = MODELS[name]
    copies = {i: p for i, p in model.estimated.items() if i in model.elements}
    modules = tuple(f"{prefix}_" for prefix in model.files.modules())
    fitted = {i for i, p in model.parameters.items() if p.evidence == "fitted" and not i.startswith(modules)}
    assert set(copies) == fitted
    for i, p in copies.items():
        assert (p.value, p.lower, p.upper) == (
            model.elements[i].value,
            model.parameters[i].lower,
            model.parameters[i].upper,
        )


@pytest.mark.parametrize("name", NAMES)
def test_nominal_scales_and_offsets_are_those_that_the_committed_values_give(name):
    from metaflammation import measurements

    model = MODELS[name]
    for i, value in measurements.scaling(model, model.runs()).items():
        assert model.estimated[i].value == pytest.approx(value, rel=2e-3, abs=1e-9), i


@pytest.mark.parametrize("name", NAMES)
def test_no_measured_value_is_counted_twice(name):
    from metaflammation import measurements

    rows = measurements.read(MODELS[name])
    rows = rows[~rows["measurement"].isin([0.0, 100.0])]
    states = rows["experimentId"] + " " + rows["time"].astype(str) + " " + rows["measurement"].round(4).astype(str)
    assert rows.loc[states.duplicated(keep=False), "datasetId"].tolist() == []


@pytest.mark.parametrize("name", NAMES)
def test_sbml_names_the_papers_that_the_model_derives_from(name):
    for key in library.metadata().models[name].citations:
        assert f"https://identifiers.org/doi:{library.doi(key)}" in MODELS[name].sbml


def test_doi_of_an_unknown_entry_is_refused():
    with pytest.raises(DataError, match="did you mean Brannmark2013, Brannmark2010"):
        library.doi("Brannmark201")


def test_parameter_that_cannot_be_negative_is_refused():
    with pytest.raises(DataError, match="f_IR_total: -1 is negative"):
        MODELS["insulin_cascade"].simulate("insulin_step_10nM", overrides={"f_IR_total": -1})


def test_result_of_a_check_is_valid_json():
    import json

    from metaflammation import check, measurements, targets
    from metaflammation.expectations import Outcome

    model = MODELS["insulin_cascade"]
    expectation = next(iter(model.expectations.values()))
    outcome = Outcome(expectation, float("nan"), "", float("-inf"), "fails")
    agreement, aims = measurements.agreement(model, model.runs()), targets.agreement([], model.runs())
    checked = check.Checked(model.id, {"roadrunner": (outcome,)}, {}, None, "", agreement, aims, 1)
    loaded = json.loads(json.dumps(check.as_json(checked), allow_nan=False))
    assert loaded["expectations"][0]["value"] is None
    assert loaded["counts"]["fails"] == 1
    assert {row["r2"] for row in loaded["fit"]} > {None}


COMPOSED = [name for name in NAMES if MODELS[name].files.comp()]


@pytest.mark.parametrize("name", COMPOSED)
def test_scales_that_are_one_by_definition_carry_no_claim_in_modules_either(name):
    from metaflammation import check

    model = MODELS[name]
    moved = check.movable(model)
    modules = model.files.modules()
    for inner, tier in modules.items():
        alone = set(check.movable(MODELS[tier]))
        assert {i.removeprefix(f"{inner}_") for i in moved if i.startswith(f"{inner}_f_")} <= alone
    assert not [i for i in moved if i.startswith("w_")]
    assert len(moved) > len(check.movable(MODELS[next(iter(modules.values()))]))


@pytest.mark.parametrize("name", COMPOSED)
def test_hierarchical_form_is_clean_and_says_what_the_flat_form_says(name):
    comp = MODELS[name].files.comp()
    assert sbml.findings(comp, name) == []
    flat = sbml.flatten(comp, name)
    assert sbml.findings(flat, name) == []
    assert composition.differences(MODELS[name].sbml, flat) == []


@pytest.mark.copasi
@pytest.mark.parametrize("engine", ["roadrunner", "copasi"])
@pytest.mark.parametrize("name", [n for n in SIMULATED if n.values[0] in COMPOSED])
def test_hierarchical_form_moves_as_the_flat_form_in_both_engines(name, engine):
    model = MODELS[name]
    texts = model.sbml, sbml.flatten(model.files.comp(), name)
    # The equations are compared, not how far the errors of integration add up.
    tight = Solver(relative_tolerance=1e-12, absolute_tolerance=1e-15)
    ours, theirs = (courses_from_a_push(text, engine, tight) for text in texts)
    found = {column.replace("__", "_"): values for column, values in theirs.items()}
    assert found.keys() == ours.keys()
    for column, values in ours.items():
        size = max(np.ptp(values), 1e-2 * np.abs(values).max(), 1e-9)
        # Below the absolute tolerance of the model's own solver there is nothing to compare.
        floor = model.solver.absolute_tolerance
        assert np.abs(found[column] - values).max() <= 1e-6 * size + floor, column


def courses_from_a_push(text, engine, solver):
    """Return every variable over a week after all species were pushed up by a third."""
    elements = sbml.elements(text)
    loaded = engines.load(engine, text, elements, solver)
    pushed = {e.id: 1.3 * e.value for e in elements.values() if e.kind == "species" and e.value}
    plan = Plan(pushed, 0.0, (Phase(0.0),), tuple(np.linspace(0, 1e4, 11)))
    return dict(zip(loaded.columns, loaded.run(plan).T, strict=True))


@pytest.mark.parametrize("name", COMPOSED)
def test_every_declared_link_is_in_the_hierarchical_form(name):
    """A link that Antimony drops leaves no trace: what the source synchronises is counted against what is replaced."""
    with MODELS[name].files.source as path:
        source = re.sub(r"//.*", "", path.read_text("utf-8"))
    declared = set(re.findall(r"\b(\w+)\.(\w+) is \w+", source))
    root = etree.fromstring(MODELS[name].files.comp().encode())
    space = f"{{{root.nsmap['comp']}}}"
    replaced = {
        (e.get(f"{space}submodelRef"), e.get(f"{space}idRef") or e.get(f"{space}unitRef") or e.get(f"{space}portRef"))
        for kind in ("replacedElement", "replacedBy")
        for e in root.iter(space + kind)
    }
    assert declared
    assert declared <= replaced


@pytest.mark.parametrize("name", COMPOSED)
def test_no_law_of_a_module_is_lost(name):
    """What a parent's value or a deletion takes away leaves no trace either."""
    model = MODELS[name]
    ours = laws(model.sbml)
    for prefix, module in model.files.modules().items():
        theirs = {f"{prefix}_{law}" for law in laws(library.find(module).sbml())}
        shared = {f"{prefix}_{e}" for e in re.findall(rf"\b{prefix}\.(\w+) is (?!{prefix}_)\w+", source_of(model))}
        assert theirs - shared <= ours, sorted(theirs - shared - ours)


def laws(text):
    """Return the ids of all that moves: targets of rules, and reactions."""
    root = etree.fromstring(text.encode())
    rules = {e.get("variable") for kind in ("assignmentRule", "rateRule") for e in root.iter(f"{{*}}{kind}")}
    return rules | {e.get("id") for e in root.iter("{*}reaction")}


def source_of(model):
    with model.files.source as path:
        return path.read_text("utf-8")


def test_lean_man_stays_as_he_is():
    """The start that the integrated model gives its two cells is a copy of the steady state of the cascade."""
    model = MODELS["metaflammation"]
    course = model.simulate(duration="730 d", points=3).data
    start, end = course.iloc[0], course.iloc[-1]
    moved = (end - start).abs() / start.abs().where(start.abs() > 1e-9, 1.0)
    assert moved.max() < 1e-6, moved.idxmax()
