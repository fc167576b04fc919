"""The report: everything about one or several models in a single page that opens from disk."""

from __future__ import annotations

import json
import re
from importlib.resources import files as package_files
from typing import TYPE_CHECKING, Any

from metaflammation import __version__, expectations
from metaflammation.errors import DataError, MetaflammationError, missing, unknown
from metaflammation.figures import margins, svg_text
from metaflammation.report import curves, maps
from metaflammation.report.equations import equations
from metaflammation.report.glyphs import overview
from metaflammation.report.network import network
from metaflammation.report.provenance import provenance
from metaflammation.report.references import references
from metaflammation.report.robust import Share, robustness

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from metaflammation.model import Model
    from metaflammation.runs import Runs

    Progress = Callable[[str], None]

MARKS = {
    expectations.HOLDS: "good",
    expectations.FAILS: "bad",
    expectations.KNOWN: "known",
    expectations.UNEXPECTED: "bad",
}
"""Style of each verdict; the word is always written too."""


def render(sections: Iterable[Mapping[str, Any]]) -> str:
    """Return the page of some models, each as :func:`section` gives it."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError:
        raise missing("jinja2") from None
    environment = Environment(
        loader=PackageLoader("metaflammation.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = number
    environment.filters["interval"] = interval
    environment.filters["data"] = _data
    environment.globals["inline"] = _inline
    found = list(sections)
    title = found[0]["title"] if len(found) == 1 else "The models of the catalogue"
    return environment.get_template("report.html.j2").render(
        models=found, title=title, version=__version__, marks=MARKS, rule=curves.RULE
    )


def steps(model: Model) -> int:
    """Return how often :func:`section` reports progress."""
    return len(model.experiments) + 3


def section(
    model: Model, checked: Mapping[str, Any], progress: Progress = lambda _: None, runs: Runs | None = None
) -> dict[str, Any]:
    """Return what the page says of a model.

    Parameters
    ----------
    model : Model
        The model.
    checked : mapping
        What a check found, as :func:`metaflammation.check.as_json` gives it.
    progress : callable, optional
        Told the name of each piece of work before it begins.
    runs : Runs, optional
        Where the model was simulated for the check; else it is simulated again.

    Raises
    ------
    DataError
        If the check is of other expectations than the model has.
    MetaflammationError
        If a package that the report needs is missing.
    """
    outcomes = _outcomes(model, checked)
    progress("map")
    pictures = _maps(model)
    progress("equations")
    formulas = equations(model.sbml, model.id, model.files.modules() if model.files else ())
    found = curves.experiments(model, runs or model.runs(), progress)
    progress("tables")
    robust = robustness(model.files)
    rows = [_expectation(model, name, by_engine, robust.get(name, [])) for name, by_engine in outcomes.items()]
    parameters = _parameters(model)
    sources = {p["source"] for p in parameters} | {r["citation"] for r in rows}
    sources |= set(model.metadata.citations) if model.metadata else set()
    about = model.metadata
    holding = (expectations.HOLDS, expectations.UNEXPECTED)
    return {
        "id": model.id,
        "title": about.title if about else model.id,
        "about": about,
        "counts": _counts(model),
        "modules": model.files.modules() if model.files else {},
        "checked": checked,
        "maps": pictures,
        "equations": formulas,
        "parameters": parameters,
        "experiments": found,
        "expectations": rows,
        "forest": _forest(model, rows),
        "references": references(sources, model.files.collection if model.files else None),
        "provenance": provenance(model),
        "curves": {
            "experiments": found,
            "expectations": {
                r["id"]: {
                    "verdict": r["verdict"],
                    "text": f"{number(r['value'])} {r['unit']}".strip() + f", must be {interval(r)}",
                }
                for r in rows
            },
        },
        "fitted": sum(bool(r["fitted"]) and r["verdict"] in holding for r in rows),
        "robust": any(r["robust"] for r in rows),
        "shares": any(r["share"] is not None for r in rows),
        "shown": {d["id"]: e["id"] for e in found for d in e["data"]},
    }


def _counts(model: Model) -> dict[str, int]:
    kinds = [e.kind for e in model.elements.values()]
    return {
        "compartments": kinds.count("compartment"),
        "species": kinds.count("species"),
        "reactions": kinds.count("reaction"),
        "parameters with evidence": len(model.parameters),
        "experiments": len(model.experiments),
        "expectations": len(model.expectations),
    }


def _outcomes(model: Model, checked: Mapping[str, Any]) -> dict[str, list[Mapping[str, Any]]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for outcome in checked["expectations"]:
        if outcome["id"] not in model.expectations:
            raise DataError(f"the check of {model.id}: {unknown('expectation', outcome['id'], model.expectations)}")
        found.setdefault(outcome["id"], []).append(outcome)
    absent = [e for e in model.expectations if e not in found]
    if absent:
        raise DataError(f"the check of {model.id} lacks the expectation {absent[0]}; run 'metaflammation check' again")
    return found


def _expectation(model: Model, name: str, outcomes: list[Mapping[str, Any]], robust: list[Share]) -> dict[str, Any]:
    expectation = model.expectations[name]
    first = outcomes[0]
    return {
        "id": name,
        "kind": expectation.kind,
        "claim": expectation.claim or "",
        "citation": expectation.citation or "",
        "statement": expectation.statement,
        "value": first["value"],
        "unit": first["unit"],
        "lower": expectation.lower,
        "upper": expectation.upper,
        "margin": first["margin"],
        "verdict": first["verdict"],
        "verdicts": {o["engine"]: o["verdict"] for o in outcomes} if len({o["verdict"] for o in outcomes}) > 1 else {},
        "share": first["assumed_share"],
        "robust": robust,
        "from": expectation.interval_from,
        "controls": [str(c) for c in expectation.fails_when],
        "fitted": list(expectation.rests_on_fit),
        "known": expectation.known_failure,
        "statistic": expectation.value.statistic.replace("_", " "),
        "curves": curves.where(expectation),
    }


def _parameters(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "id": name,
            "name": model.elements[name].name,
            "value": model.elements[name].value,
            "unit": model.elements[name].unit.label,
            "evidence": row.evidence,
            "source": row.source or "",
            "place": row.place or "",
            "lower": row.lower,
            "upper": row.upper,
            "reason": row.reason or "",
        }
        for name, row in model.parameters.items()
        if name in model.elements
    ]


def _maps(model: Model) -> list[dict[str, str]]:
    """Return the pictures of the network: the committed ones if they are current, else drawn now."""
    whole = network(model)
    wanted = {"Map": ("map", whole)}
    if model.files and model.files.modules():
        wanted = {"Modules and what links them": ("overview", overview(whole)), "All of it": ("map", whole)}
    found = []
    for title, (form, net) in wanted.items():
        svg = model.files.picture(form) if model.files else ""
        if maps.digest(net) not in svg:
            try:
                svg = maps.render(net, "svg").decode()
            except MetaflammationError as error:
                found.append({"title": title, "svg": "", "missing": str(error)})
                continue
        found.append({"title": title, "svg": _embedded(svg, f"{model.id}-{form}"), "missing": ""})
    return found


def _embedded(svg: str, prefix: str) -> str:
    """Return a picture to stand in a page: no prologue, and ids that are unique there."""
    body = svg[svg.index("<svg") :]
    for name in set(re.findall(r'\bid="([^"]+)"', body)):
        body = body.replace(f'id="{name}"', f'id="{prefix}-{name}"')
        body = body.replace(f'href="#{name}"', f'href="#{prefix}-{name}"').replace(
            f"url(#{name})", f"url(#{prefix}-{name})"
        )
    return body


def _forest(model: Model, rows: list[dict[str, Any]]) -> str:
    if not rows:
        return ""
    shares = {r["id"]: [(s.spread, s.share, s.lower, s.upper) for s in r["robust"]] for r in rows if r["robust"]}
    axes = margins({r["id"]: (r["margin"], r["verdict"]) for r in rows}, links=f"#{model.id}-x-", shares=shares)
    return _embedded(svg_text(axes), f"{model.id}-forest")


def number(value: float | None, *, signed: bool = False) -> str:
    """Return a number with four significant digits; a dash for none."""
    if value is None:
        return "\u2013"
    return f"{value:+.2f}" if signed else f"{value:.4g}"


def interval(row: Mapping[str, Any]) -> str:
    """Return the interval of an expectation."""
    if row["lower"] is None:
        return f"\u2264 {number(row['upper'])}"
    if row["upper"] is None:
        return f"\u2265 {number(row['lower'])}"
    return f"{number(row['lower'])} to {number(row['upper'])}"


def _data(value: Any) -> Any:
    """Return JSON that may stand in a script element."""
    from markupsafe import Markup

    text = json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    return Markup(text)  # noqa: S704 - no '<' is left that could end the element


def _inline(name: str) -> Any:
    """Return a file that lies beside the templates, to stand in the page as it is."""
    from markupsafe import Markup

    return Markup((package_files("metaflammation.report") / "templates" / name).read_text("utf-8"))  # noqa: S704
