"""What `metaflammation new` makes passes every check at once, and every command works on it."""

import math

import pytest

import metaflammation as mf
from metaflammation import build, cli, exchange, library, measurements, starter
from metaflammation.check import control_outcomes
from metaflammation.errors import DataError, ExportError
from metaflammation.fit import multi_start, reproduces


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return starter.create(tmp_path_factory.mktemp("new") / "my_model")


@pytest.fixture(scope="module")
def model(folder):
    return mf.load(folder)


def test_new_model_has_its_name_everywhere(folder, model):
    assert model.id == "my_model"
    texts = [p.read_text("utf-8") for p in folder.rglob("*") if p.is_file()]
    assert len(texts) > 10
    assert not [t for t in texts if "MODEL_NAME" in t or "CREATED" in t]


def test_new_model_is_built_and_clean(folder, model):
    assert build.stale(model.files) == []
    report = mf.lint_file(folder)
    assert report.findings == ()
    assert report.score == 100
    assert report.held_to_all


def test_new_model_shows_what_it_must_and_not_under_its_controls(model):
    assert (model.check()["verdict"] == "holds").all()
    for expectation in model.expectations.values():
        outcomes = dict(control_outcomes(model, expectation))
        assert all(o.margin < 0 for o in outcomes.values()), expectation.id
        assert any(math.isfinite(o.value) for o in outcomes.values())


def test_new_model_binds_as_mass_action_says(model):
    occupied = model.simulate("step")["occupied"]
    assert occupied.iloc[-1] == pytest.approx(0.06 * 10 / (0.06 * 10 + 0.2), rel=1e-6)


def test_new_model_is_fitted_to_its_measurements(model):
    assert measurements.fitted(model)
    assert reproduces(multi_start(model, starts=2, workers=1), model)


@pytest.mark.parametrize("form", ["sbml", "sbml-l3v1", "antimony", "copasi", "sedml", "omex"])
def test_new_model_is_exported(model, tmp_path, form):
    path = model.export(form, tmp_path / exchange.default_name(model, form))
    assert path.exists()


def test_check_of_a_new_model_is_positive(folder, monkeypatch, capfd):
    monkeypatch.setattr(
        "sys.argv", ["metaflammation", "check", str(folder), "--engine", "roadrunner", "--workers", "1"]
    )
    monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
    with pytest.raises(SystemExit) as stopped:
        cli.main()
    assert stopped.value.code in {0, None}
    assert "3 hold, 0 fail" in capfd.readouterr().out


@pytest.mark.parametrize("name", ["1x", "a-b", "model", "größe", "a b"])
def test_name_that_cannot_be_an_id_is_refused(tmp_path, name):
    with pytest.raises(DataError, match="cannot be the id of a model"):
        starter.create(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_name_of_the_catalogue_is_refused(tmp_path):
    with pytest.raises(DataError, match="is a model of the catalogue"):
        starter.create(tmp_path / library.catalogue()[0])


def test_existing_files_stay(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    with pytest.raises(ExportError, match="holds files already"):
        starter.create(tmp_path / "mine")
    assert [p.name for p in (tmp_path / "mine").iterdir()] == ["notes.txt"]
    assert [p.name for p in tmp_path.iterdir()] == ["mine"]


def test_empty_folder_is_filled(tmp_path):
    (tmp_path / "mine").mkdir()
    assert (starter.create(tmp_path / "mine") / "README.md").is_file()


def test_value_that_leaves_its_source_is_a_finding(tmp_path):
    folder = starter.create(tmp_path / "mine")
    source = folder / "models" / "mine" / "mine.ant"
    source.write_text(source.read_text("utf-8").replace("k_off = 0.2", "k_off = 1"), "utf-8")
    assert "VALUE" in {f.rule for f in mf.lint_file(source).findings}
