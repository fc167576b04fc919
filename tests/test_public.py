import importlib
import pkgutil
import types

import pytest

import metaflammation as mf

PUBLIC = [
    "CompileError", "DataError", "DoseSeries", "ExportError", "MetaflammationError", "Model", "ModelError",
    "SimulationError", "TimeCourse", "__version__", "catalogue", "lint_file", "load",
]  # fmt: skip
HEAVY = ["pandas", "numpy", "scipy", "pint", "pydantic", "yaml", "matplotlib", "roadrunner", "tellurium", "libsbml"]
HEAVY += ["antimony", "bioregistry", "sympy", "COPASI", "basico", "rich", "click"]


def test_public_names_are_these():
    assert mf.__all__ == PUBLIC
    assert dir(mf) == PUBLIC


@pytest.mark.parametrize("name", PUBLIC)
def test_public_name_is_the_same_before_and_after_everything_is_imported(name):
    def resolve():
        return getattr(mf, name)

    first = resolve()
    for module in pkgutil.walk_packages(mf.__path__, "metaflammation."):
        if not module.name.startswith("metaflammation._"):
            importlib.import_module(module.name)
    assert resolve() is first
    assert not isinstance(first, types.ModuleType)
    assert name == "__version__" or callable(first)


def test_no_public_name_is_that_of_a_module():
    assert {m.name for m in pkgutil.iter_modules(mf.__path__)}.isdisjoint(PUBLIC)


def test_public_functions_answer_twice(insulin_cascade):
    assert mf.catalogue().equals(mf.catalogue())
    assert mf.load("insulin_cascade").sbml == mf.load("insulin_cascade").sbml == insulin_cascade.sbml


def test_errors_have_one_base():
    errors = [getattr(mf, n) for n in PUBLIC if n.endswith("Error")]
    assert all(issubclass(e, mf.MetaflammationError) for e in errors)
    assert not issubclass(mf.MetaflammationError, (ValueError, OSError))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'lod'"):
        _ = mf.lod


def test_star_import_gives_the_public_names():
    namespace = {}
    exec("from metaflammation import *", namespace)  # noqa: S102 - nowhere else can a star import stand
    assert set(PUBLIC) <= namespace.keys()


def test_version_is_that_of_the_installed_package():
    from importlib.metadata import version

    assert mf.__version__ == version("metaflammation")


def test_bare_import_is_light(fresh_python):
    code = f"import sys, metaflammation; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert fresh_python(code).split() == []


def test_light_import_would_notice_a_heavy_one(fresh_python):
    code = f"import sys, metaflammation; metaflammation.TimeCourse; print(*[m for m in {HEAVY} if m in sys.modules])"
    assert {"pandas", "numpy"} <= set(fresh_python(code).split())


def test_simulation_does_not_import_tellurium(fresh_python):
    code = "import sys, metaflammation as m; m.load('insulin_cascade').simulate(duration=1); print(*sys.modules)"
    assert not {"tellurium", "basico", "matplotlib"} & set(fresh_python(code).split())


def test_catalogue_counts_what_the_models_hold(insulin_cascade):
    row = mf.catalogue().loc["insulin_cascade"]
    kinds = [e.kind for e in insulin_cascade.elements.values()]
    assert (row["states"], row["reactions"]) == (kinds.count("species"), kinds.count("reaction"))
    rr = mf.load("hormone_axis").roadrunner()
    assert mf.catalogue().loc["hormone_axis", "states"] == rr.model.getNumRateRules()
    assert row["parameters"] == len(insulin_cascade.parameters)
    assert row["experiments"] == len(insulin_cascade.experiments)
    assert (row["tier"], row["title"]) == (1, insulin_cascade.metadata.title)
