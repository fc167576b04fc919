import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import metaflammation as mf
from conftest import TINY
from metaflammation import cli, library
from metaflammation.timecourse import TimeCourse

MODEL = "insulin_cascade"
STEP = "insulin_step_10nM"
SERIES = "uptake_dose_response"
RUN = ("simulate", MODEL, STEP)
BROKEN_LINE = 1 + TINY.splitlines().index("  off: B => A; cell*k_off*B;")


@pytest.fixture
def folder(tmp_path, monkeypatch, tiny_sbml):
    """Return the working folder, with sound and broken models in it."""
    (tmp_path / "tiny.ant").write_text(TINY)
    (tmp_path / "tiny.xml").write_text(tiny_sbml)
    (tmp_path / "broken.ant").write_text(TINY.replace("cell*k_off*B;", "cell*k_off*;"))
    (tmp_path / "half.xml").write_text(tiny_sbml[: len(tiny_sbml) // 2])
    (tmp_path / "page.xml").write_text("<html/>")
    (tmp_path / "empty.xml").write_text("")
    (tmp_path / "latin.ant").write_bytes(b"// \xe9\n")
    (tmp_path / "old.csv").write_text("old")
    (tmp_path / "a.folder").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capfd):  # noqa: ARG001 - the working folder
    """Return a function that runs the command line and returns exit code, output and error output."""

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["metaflammation", *map(str, arguments)])
        monkeypatch.setattr(cli.signal, "signal", lambda *_: None)
        capfd.readouterr()
        with pytest.raises(SystemExit) as stopped:
            cli.main()
        return stopped.value.code or 0, *capfd.readouterr()

    return call


def contents(folder):
    return {p.name: None if p.is_dir() else p.read_bytes() for p in folder.iterdir()}


BAD_INPUT = {
    "unknown model": (("simulate", "insulin_casacde", STEP), "unknown model 'insulin_casacde'; did you mean"),
    "unknown model to lint": (("lint", "insulin_casacde"), "did you mean insulin_cascade, "),
    "unknown model to build": (("build", "nothing"), "unknown model 'nothing'"),
    "unknown model to check": (("check", "nothing"), "unknown model 'nothing'"),
    "unknown model to export": (("export", "nothing", "--to", "sbml"), "unknown model 'nothing'"),
    "unknown experiment": (("simulate", MODEL, "insulin_step"), "unknown experiment 'insulin_step'; did you mean"),
    "neither experiment nor duration": (("simulate", MODEL), "or give --duration"),
    "unknown id": ((*RUN, "--set", "insulinn=1"), "unknown id 'insulinn'; did you mean insulin"),
    "computed id": ((*RUN, "--set", "IR_pY=1"), "'IR_pY' is computed by the model"),
    "wrong dimension": ((*RUN, "--set", "insulin=5 min"), "insulin: 5.0 min has the wrong dimension"),
    "unknown unit": ((*RUN, "--set", "insulin=5 foos"), "insulin: the unit of '5 foos' is unknown"),
    "value that is no number": ((*RUN, "--set", "insulin=high"), "insulin: 'high' is not a quantity"),
    "value that is not finite": ((*RUN, "--set", "insulin=nan"), "insulin: nan is not a finite number"),
    "negative concentration": ((*RUN, "--set", "insulin=-1"), "insulin: -1 is negative"),
    "setting without value": ((*RUN, "--set", "insulin"), "--set insulin: write ID=VALUE"),
    "setting without id": ((*RUN, "--set", "=3"), "--set =3: write ID=VALUE"),
    "negative duration": (("simulate", MODEL, "--duration", "-5 min"), "duration: -5 min is not positive"),
    "zero duration": (("simulate", MODEL, "--duration", "0"), "duration: 0 is not positive"),
    "duration that is no time": (("simulate", MODEL, "--duration", "5 nM"), "duration: 5.0 nM has the wrong"),
    "duration of an experiment": ((*RUN, "--duration", "5"), "without a named experiment"),
    "dose without doses": ((*RUN, "--dose", "5"), f"experiment {STEP} takes no dose"),
    "negative dose": (("simulate", MODEL, SERIES, "--dose=-1"), "negative"),
    "unknown engine": ((*RUN, "--engine", "copsi"), "unknown engine 'copsi'; did you mean copasi?"),
    "unknown observable": ((*RUN, "--observable", "Akt_q"), "unknown observable 'Akt_q'; did you mean Akt"),
    "unknown observable to a file": ((*RUN, "--observable", "Akt_q", "-o", "new.csv"), "unknown observable 'Akt_q'"),
    "Antimony syntax error": (("simulate", "broken.ant", "--duration", "1"), f"broken.ant, line {BROKEN_LINE}: "),
    "Antimony not UTF-8": (("lint", "latin.ant"), "latin.ant: is not UTF-8 text"),
    "truncated SBML": (("lint", "half.xml"), "half.xml, line "),
    "not SBML": (("lint", "page.xml"), "page.xml: is not SBML"),
    "empty file": (("lint", "empty.xml"), "empty.xml: is empty"),
    "folder as model": (("simulate", "a.folder", "--duration", "1"), "a.folder: is a folder; name a file"),
    "folder without models": (("lint", "a.folder"), "a.folder: holds no file of SBML or Antimony"),
    "rule off without reason": (("lint", MODEL, "--off", "SBO="), "--off SBO=: write RULE=REASON"),
    "unknown rule": (("lint", MODEL, "--off", "SB=x"), "unknown rule 'SB'; did you mean SBO"),
    "missing file": (("lint", "lost.xml"), "lost.xml: there is no such file"),
    "existing output": ((*RUN, "-o", "old.csv"), "old.csv: exists already"),
    "existing figure": ((*RUN, "--plot", "old.csv"), "old.csv: exists already"),
    "existing export": (("export", MODEL, "--to", "sbml", "-o", "old.csv"), "old.csv: exists already"),
    "existing JSON": (("check", MODEL, "--json", "old.csv"), "old.csv: exists already"),
    "margins of another kind": (("check", MODEL, "--plot", "new.foo"), "new.foo: a figure cannot be written"),
    "folder as output": ((*RUN, "-o", "a.folder", "--force"), "a.folder: is a folder; name a file"),
    "output in a missing folder": ((*RUN, "-o", "lost/new.csv"), "the folder lost does not exist"),
    "unwritable output": ((*RUN, "-o", "/proc/new.csv"), "/proc/new.csv: cannot be written"),
    "figure of another kind": ((*RUN, "--plot", "new.foo"), "new.foo: a figure cannot be written"),
    "figure of another kind besides a table": ((*RUN, "-o", "new.csv", "--plot", "new.foo"), "new.foo"),
    "figure of mixed units besides a table": (
        (*RUN, "-o", "new.csv", "--plot", "new.png", "--observable", "insulin", "--observable", "PI3K_a"),
        "different units",
    ),
    "figure of doses without observable": (("simulate", MODEL, SERIES, "--plot", "new.png"), "needs --observable"),
    "comparison with nothing": ((*RUN, "--plot", "new.png", "--compare"), "--compare needs --plot, and something"),
    "comparison of many doses": (
        (
            *("simulate", MODEL, SERIES, "--plot", "new.png", "--compare"),
            *("--set", "f_IR_total=0.5", "--observable", "glucose_uptake"),
        ),
        "choose a dose with --dose",
    ),
    "existing report": (("report", MODEL, "-o", "old.csv"), "old.csv: exists already"),
    "report of an unknown model": (("report", "nothing"), "unknown model 'nothing'"),
    "report of a damaged check": (("report", MODEL, "--check", "old.csv"), "is not what 'metaflammation check --json'"),
    "existing map": (("map", MODEL, "-o", "old.csv", "--force"), "old.csv: a map cannot be written with the ending"),
    "map of another kind": (("map", MODEL, "-o", "new.gif"), "use .svg, .png or .pdf"),
    "overview of a model that is not composed": (("map", MODEL, "-o", "new.svg", "--overview"), "is not composed"),
    "scan of an unknown parameter": (
        ("scan", MODEL, "k_onn", "1", "--experiment", STEP, "--observable", "Akt_a", "--plot", "new.png"),
        "unknown id 'k_onn'; did you mean k_on",
    ),
    "scan of an unknown statistic": (
        (
            *("scan", MODEL, "k_on", "1", "--experiment", STEP, "--observable", "Akt_a", "--plot", "new.png"),
            *("--statistic", "finl"),
        ),
        "did you mean final",
    ),
    "unknown data set": (("plot-data", MODEL, "B10", "-o", "new.png"), "unknown data set 'B10'"),
    "unknown form": (("export", MODEL, "--to", "smbl"), "unknown form 'smbl'; did you mean sbml"),
    "experiment for a form without": (("export", MODEL, "--to", "sbml", "--experiment", STEP), "leave the experiment"),
    "unknown experiment to export": (
        ("export", MODEL, "--to", "copasi", "--experiment", "x"),
        "unknown experiment 'x'",
    ),
    "experiment of all models": (("export", "all", "--to", "copasi", "--experiment", STEP), "name the model instead"),
    "form that does not exist for a model": (("export", MODEL, "--to", "comp"), "has no submodels"),
    "missing form": (("export", MODEL), "Missing option '--to'"),
    "unknown option": ((*RUN, "--fast"), "No such option"),
    "unknown command": (("simulat", MODEL), "No such command 'simulat'"),
    "missing argument": (("simulate",), "Missing argument 'MODEL'"),
    "argument too many": (("lint", MODEL, "x"), "Got unexpected extra argument"),
    "unknown choice": (("check", "--engine", "amici"), "'amici' is not one of"),
    "no starts": (("fit", MODEL, "--starts", "0"), "--starts"),
    "unknown model to fit": (("fit", "nothing"), "unknown model 'nothing'"),
}


@pytest.mark.parametrize(("arguments", "reason"), BAD_INPUT.values(), ids=BAD_INPUT)
def test_bad_input_is_one_line_and_exit_code_2(run, folder, arguments, reason):
    before = contents(folder)
    code, _, error = run(*arguments)
    assert code == 2
    assert error.count("\n") == 1
    assert error.startswith("error: ")
    assert reason in error
    assert contents(folder) == before


def test_list_shows_the_models(run):
    code, out, error = run("list")
    assert (code, error) == (0, "")
    assert MODEL in out
    assert "expectations" in out


@pytest.mark.parametrize(
    "subject", [pytest.param((), marks=pytest.mark.slow, id="all"), pytest.param((MODEL,), id="one")]
)
def test_lint_of_the_catalogue_finds_nothing(run, subject):
    code, out, error = run("lint", *subject)
    assert (code, error) == (0, "")
    assert f"{MODEL}: 0 findings by" in out


def test_lint_of_a_sound_own_file_finds_nothing(run):
    code, out, _ = run("lint", "tiny.ant")
    assert code == 0
    assert "tiny.ant: 0 findings by " in out
    assert "conserved: A + B = 10" in out
    assert "score 100 of 100" in out


def test_lint_of_an_own_file_with_findings_is_negative(run, folder):
    (folder / "tiny.ant").write_text(TINY.replace("k_off has per_min;", ""))
    code, out, error = run("lint", "tiny.ant")
    assert (code, error) == (1, "")
    assert "  warning  UNIT: parameter k_off: has no unit" in out
    assert "\ntiny.ant: 5 findings (5 warnings) by" in out


def test_build_verify_finds_the_committed_file_up_to_date(run):
    code, out, _ = run("build", "--verify", MODEL)
    assert (code, out) == (0, f"{MODEL}: up to date\n")


def test_build_verify_of_a_stale_file_is_negative(run, monkeypatch):
    from metaflammation import build

    compiled = build.compile_model(library.find(MODEL))
    changed = type(compiled)(compiled.sbml.replace("0.1", "0.2"), compiled.comp)
    monkeypatch.setattr(build, "compile_model", lambda _: changed)
    code, out, _ = run("build", "--verify", MODEL)
    assert code == 1
    assert f"{MODEL}.xml is stale; run 'metaflammation build {MODEL}'" in out


@pytest.fixture
def own(folder):
    """Return a collection of the user's own in the working folder, with one of our models in it."""
    with library.find(MODEL).source as source:
        shutil.copytree(source.parent, folder / "models" / MODEL)
        for name in ("metadata.toml", "references.bib", "annotations.tsv"):
            shutil.copy(source.parents[1] / name, folder / "models")
    shutil.copytree(Path(str(library.packaged().validation)) / MODEL, folder / "validation" / MODEL)
    return f"models/{MODEL}/{MODEL}.ant"


def test_build_writes_the_sbml_beside_the_source(run, folder, own):
    path = folder / own
    committed = path.with_suffix(".xml").read_text("utf-8")
    path.with_suffix(".xml").write_text("old")
    code, out, _ = run("build", "--verify", own)
    assert (code, out.count("is stale")) == (1, 1)
    code, out, _ = run("build", own)
    assert (code, out) == (0, f"{MODEL}: wrote {path.with_suffix('.xml')}\n")
    assert path.with_suffix(".xml").read_text("utf-8") == committed


@pytest.mark.parametrize("name", [".", f"models/{MODEL}/{MODEL}.ant", f"models/{MODEL}/{MODEL}.xml"])
def test_model_in_a_folder_of_ones_own_has_its_experiments_and_expectations(own, name):  # noqa: ARG001
    model = mf.load(Path(name))
    ours = mf.load(MODEL)
    assert (model.id, model.sbml) == (ours.id, ours.sbml)
    assert model.experiments == ours.experiments
    assert model.expectations == ours.expectations


def test_check_of_a_file_without_a_collection_says_what_it_needs(run):
    code, _, error = run("check", "tiny.ant")
    assert code == 2
    assert "tiny.ant: belongs to no folder with models/metadata.toml" in error


def test_simulation_is_printed_as_a_table(run):
    code, out, error = run(*RUN, "--observable", "insulin", "--observable", "IR_pY")
    lines = out.splitlines()
    assert (code, error) == (0, "")
    assert lines[0] == "time\tinsulin\tIR_pY"
    assert len(lines) == 1 + len(mf.load(MODEL).simulate(STEP).data)
    assert lines[1].split("\t")[:2] == ["0", "10"]


def test_simulation_is_written_and_drawn(run, folder):
    code, out, error = run(*RUN, "--set", "insulin=60 mU/L", "-o", "new.csv", "--plot", "new.png")
    assert (code, out, error) == (0, "", "")
    course = TimeCourse.load(folder / "new.csv")
    assert course["insulin"].iloc[0] == pytest.approx(0.36, rel=1e-12)
    assert (folder / "new.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("ending", "start"), [("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_figure_has_the_form_of_its_ending(run, folder, ending, start):
    code, _, _ = run(*RUN, "--plot", f"new.{ending}", "--observable", "IR_pY")
    assert code == 0
    assert (folder / f"new.{ending}").read_bytes().startswith(start)


def test_series_of_doses_is_printed_written_and_drawn(run, folder):
    _, out, _ = run("simulate", MODEL, SERIES, "--observable", "glucose_uptake")
    lines = out.splitlines()
    assert (lines[0], len(lines)) == ("dose\tglucose_uptake", 21)
    code, _, _ = run("simulate", MODEL, SERIES, "--observable", "glucose_uptake", "-o", "new.csv", "--plot", "new.png")
    assert code == 0
    assert (folder / "new.csv").read_text().startswith("dose,time,")
    assert (folder / "new.png").stat().st_size > 1000


def test_two_runs_a_scan_and_measured_data_are_drawn(run, folder):
    calls = {
        "compared.png": (*RUN, "--set", "f_IR_total=0.5", "--compare", "--observable", "IR_pY", "--plot"),
        "scan.png": ("scan", MODEL, "k_on", "0.1", "0.3", "--experiment", STEP, "--observable", "IR_pY", "--plot"),
        "data.png": ("plot-data", MODEL, "B10_IR_tc100", "-o"),
    }
    for name, arguments in calls.items():
        code, _, error = run(*arguments, name)
        assert (code, error) == (0, "")
        assert (folder / name).read_bytes().startswith(b"\x89PNG")


def test_report_of_a_file_of_ones_own_is_written(run, folder):
    code, out, error = run("report", "tiny.xml", "--engine", "roadrunner", "--workers", "1")
    assert (code, error) == (0, "")
    assert out.startswith("wrote report.html (")
    assert "<h1>tiny</h1>" in (folder / "report.html").read_text("utf-8")


def test_one_dose_is_a_time_course(run):
    code, out, _ = run("simulate", MODEL, SERIES, "--dose", "0.1 nM", "--observable", "insulin")
    assert code == 0
    assert out.splitlines()[:2] == ["time\tinsulin", "0\t0.1"]


def test_own_file_is_simulated_in_both_engines(run):
    tables = []
    for engine in ("roadrunner", "copasi"):
        code, out, _ = run("simulate", "tiny.xml", "--duration", "10 min", "--engine", engine, "--observable", "B")
        assert code == 0
        tables.append([float(line.split("\t")[1]) for line in out.splitlines()[1:]])
    assert tables[0] == pytest.approx(tables[1], rel=1e-5, abs=1e-9)
    assert tables[0][-1] == pytest.approx(4.32332, rel=1e-5)


def test_force_overwrites(run, folder):
    code, _, _ = run(*RUN, "-o", "old.csv", "--force")
    assert code == 0
    assert TimeCourse.load(folder / "old.csv").origin["experiment"] == STEP


@pytest.mark.parametrize(("form", "name"), [("sbml", "tiny.xml"), ("copasi", "tiny.cps"), ("sbml-l3v1", "new.xml")])
def test_export_writes_the_file_it_names(run, folder, form, name):
    (folder / "tiny.xml").unlink()
    output = () if name.startswith("tiny") else ("-o", name)
    code, out, error = run("export", "tiny.ant", "--to", form, *output)
    assert (code, out, error) == (0, f"wrote {name}\n", "")
    assert (folder / name).stat().st_size > 1000


def test_export_of_all_models_writes_each_and_says_what_it_skips(run, folder):
    (folder / "out").mkdir()
    code, out, _ = run("export", "all", "--to", "comp", "-o", "out")
    composed = {n for n in library.catalogue() if library.find(n).comp()}
    assert code == 0
    assert {p.name for p in (folder / "out").iterdir()} == {f"{n}_comp.xml" for n in composed}
    assert out.count("skipped ") == len(library.catalogue()) - len(composed)


def test_doctor_names_what_is_installed(run):
    code, out, _ = run("doctor")
    assert code == 0
    assert out.startswith("metaflammation ")
    assert "libroadrunner" in out
    assert "missing" not in out


def test_doctor_names_what_is_missing_with_the_cure(run, monkeypatch):
    from metaflammation import doctor

    real = doctor.version

    def version(name):
        if name == "tellurium":
            raise doctor.PackageNotFoundError(name)
        return real(name)

    monkeypatch.setattr(doctor, "version", version)
    code, out, _ = run("doctor")
    assert code == 1
    assert "missing: pip install 'tellurium" in out


def fake_check(monkeypatch, verdict):
    """Let check give one outcome without simulating."""
    import pandas as pd

    from metaflammation import build, check, lint
    from metaflammation.expectations import Outcome

    expectation = next(iter(library.find(MODEL).expectations().values()))
    outcome = Outcome(expectation, 1.0, "nM", 0.5, verdict)
    checked = check.Checked(MODEL, {"roadrunner": (outcome,)}, {}, None, "", pd.DataFrame(), pd.DataFrame(), 1)
    monkeypatch.setattr(check, "check_model", lambda *_, **__: checked)
    monkeypatch.setattr(build, "stale", lambda _: [])
    monkeypatch.setattr(lint, "lint", lambda _: [])


@pytest.mark.parametrize(
    ("verdict", "flags", "expected"),
    [
        ("holds", (), 0),
        ("fails", (), 1),
        ("known failure", (), 0),
        ("known failure", ("--strict",), 1),
        ("unexpectedly holds", (), 1),
    ],
    ids=lambda x: " ".join(x) if isinstance(x, tuple) else str(x),
)
def test_check_answers_by_its_exit_code(run, folder, monkeypatch, verdict, flags, expected):
    fake_check(monkeypatch, verdict)
    code, _, _ = run("check", MODEL, "--engine", "roadrunner", "--json", "new.json", "--plot", "new.png", *flags)
    assert code == expected
    assert (folder / "new.png").read_bytes().startswith(b"\x89PNG")
    assert json.loads((folder / "new.json").read_text())["models"][0]["counts"][verdict] == 1


def test_version_and_help_are_printed(run):
    from metaflammation import __version__

    assert run("--version")[:2] == (0, f"metaflammation, version {__version__}\n")
    code, out, _ = run("simulate", "--help")
    assert code == 0
    assert "--duration" in out


def test_command_line_without_a_command_shows_what_there_is(run):
    _, out, error = run()
    assert "\nCommands:" in out + error


@pytest.mark.parametrize("error", [KeyboardInterrupt, cli.click.Abort])
def test_interruption_is_no_traceback(run, monkeypatch, error):
    def stop(*_, **__):
        raise error

    monkeypatch.setattr(cli.app, "main", stop)
    assert run("list") == (130, "", "interrupted\n")


def command(*arguments, **options):
    line = [sys.executable, "-c", "from metaflammation.cli import main; main()", *arguments]
    return subprocess.run(line, capture_output=True, encoding="utf-8", check=False, **options)


def test_real_process_reports_bad_input_in_one_line(folder):
    done = command("simulate", "broken.ant", "--duration", "1", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"error: broken.ant, line {BROKEN_LINE}: ")


def test_solver_that_gives_up_is_one_line_too(folder):
    done = command("simulate", "tiny.ant", "--duration", "1e5", "--set", "k_on=-1", "--set", "k_off=-3", cwd=folder)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("error: libRoadRunner")
    assert done.stderr.count("\n") == 1


def test_real_process_simulates_into_a_closed_pipe(folder):
    script = f"{sys.executable} -c 'from metaflammation.cli import main; main()' simulate {MODEL} {STEP} | head -n 1"
    done = subprocess.run(["/bin/sh", "-c", script], capture_output=True, encoding="utf-8", check=False, cwd=folder)
    assert done.stdout.startswith("time\t")
    assert "Traceback" not in done.stderr


def test_real_process_without_models_of_its_own_lists_the_catalogue(folder):
    done = command("list", cwd=folder)
    assert done.returncode == 0
    assert MODEL in done.stdout
