"""Imports between modules go one way; imports inside functions count."""

import ast
import tomllib
from pathlib import Path

import pytest

import metaflammation

LAYERS = [
    "cli", "cli.sources", "cli.runs", "cli.checks", "cli.populations", "cli.shared",
    "revisions", "model", "check", "report.cards", "report.facts", "report.differences", "report.lint_pages",
    "diff", "diff_attributes", "diff_validation", "starter", "report.fit_page", "report.fits", "report.tables",
    "report.page", "report.curves", "report.intervals", "report.equations", "report.provenance", "report.references",
    "report.robust", "report.maps", "report.network", "report.influences", "report.labels", "report.glyphs", "report",
    "build", "exchange", "exchange.omex", "exchange.copasi", "exchange.sedml", "exchange.apart", "exchange.derived",
    "exchange.petab", "exchange.petab.version_1", "exchange.petab.version_2",
    "exchange.petab.document", "exchange.petab.texts", "exchange.petab.fitted", "_copasi", "_sedml", "fit",
    "ensembles.trials", "ensembles.trial_figure", "ensembles.effects", "ensembles.sensitivity", "ensembles.bars",
    "ensembles.committed", "ensembles.robustness", "ensembles.breaking", "ensembles.claims", "ensembles.ensemble",
    "ensembles.executors",
    "ensembles.population", "ensembles.arrays", "ensembles.storage",
    "ensembles.work", "ensembles.sketch", "ensembles.draws", "ensembles.distributions",
    "ensembles.covariance", "ensembles",
    "problem",
    "targets", "measurements", "expectations", "runs", "statistics",
    "simulate", "timecourse", "forest", "figures",
    "engines.batch", "engines.hoisting", "engines", "engines.copasi", "engines.roadrunner",
    "lint.run", "_worker", "lint", "lint.rules", "lint.score", "lint.catalogue", "lint.terms", "lint.network",
    "lint.general", "lint.unit_checks", "lint.subject",
    "composition", "compile", "sbml", "reading", "library", "tables", "records", "units", "files", "doctor",
    "children", "_antimony", "guarded", "errors",
]  # fmt: skip
ROOT = Path(metaflammation.__file__).parent
MODULES = {
    ".".join(p.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): p
    for p in sorted(ROOT.rglob("*.py"))
    if p != ROOT / "__init__.py"
}


def imported(path):
    """Return the modules of the package that a file imports at run time."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = [n for n in ast.walk(tree) if isinstance(n, ast.If) and "TYPE_CHECKING" in ast.unparse(n.test)]
    skipped = {id(n) for block in for_types for n in ast.walk(block)}
    for node in ast.walk(tree):
        if id(node) in skipped:
            continue
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("metaflammation"):
            base = node.module.removeprefix("metaflammation").lstrip(".")
            for name in node.names:
                inner = f"{base}.{name.name}".lstrip(".")
                target = inner if inner in MODULES else base
                if target:
                    yield target


def test_every_module_has_its_layer():
    assert sorted(MODULES) == sorted(LAYERS)


@pytest.mark.parametrize("module", sorted(MODULES))
def test_module_imports_only_from_lower_layers(module):
    rank = {name: n for n, name in enumerate(LAYERS)}
    package_init = {
        "exchange": {"exchange.copasi", "exchange.omex", "exchange.petab", "exchange.sedml"},
        "engines": {"engines.copasi", "engines.roadrunner"},
    }
    for target in imported(MODULES[module]):
        inside_own_package = target in package_init.get(module, set()) or target == module.partition(".")[0]
        assert rank[target] > rank[module] or inside_own_package, f"{module} imports {target}"


def test_a_wrong_import_is_noticed(tmp_path):
    (tmp_path / "x.py").write_text("def f():\n    from metaflammation.model import load\n")
    assert list(imported(tmp_path / "x.py")) == ["model"]


def test_every_package_goes_into_the_wheel():
    listed = tomllib.loads((ROOT.parents[1] / "pyproject.toml").read_text("utf-8"))["tool"]["setuptools"]["packages"]
    found = {".".join(("metaflammation", *p.parent.relative_to(ROOT).parts)) for p in ROOT.rglob("__init__.py")}
    assert found <= set(listed)
