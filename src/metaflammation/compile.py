"""Antimony to SBML: translation in a child process, then what Antimony cannot write, then the gate of zero findings."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from metaflammation import library, reading, sbml
from metaflammation.errors import CompileError, ModelError

if TYPE_CHECKING:
    from metaflammation.library import ModelFiles
    from metaflammation.records import Metadata

TIME_LIMIT = 60.0
"""Seconds that Antimony may take for one model."""

RELATIVE_NAME = "(relative to basal)"
"""A species whose display name ends so has no physical amount: its substance unit is ``RELATIVE_UNIT``."""

RELATIVE_UNIT = "relative_amount"


@dataclass(frozen=True)
class Compiled:
    """SBML of one model.

    Attributes
    ----------
    sbml : str
        Flat SBML, Level 3 Version 2 core.
    comp : str
        Hierarchical SBML (package comp); empty for a model without submodels.
    """

    sbml: str
    comp: str = ""


def compile_file(path: Path, time_limit: float = TIME_LIMIT, *, imports: Path | None = None) -> Compiled:
    """Translate an Antimony file, with the names and units that all models share, but no metadata.

    Parameters
    ----------
    path : Path
        The file; its imports are relative to it.
    time_limit : float
        Seconds that Antimony may take.
    imports : Path, optional
        Another folder in which imports are looked for.

    Raises
    ------
    CompileError
        If the source has an error (the message names file and line), or Antimony crashed or took too long.
    ModelError
        If the file cannot be read.
    """
    reading.read_text(path)
    raw = _translate(path, time_limit, imports)
    try:
        comp = _finish(raw["comp"]) if raw["comp"] else ""
        return Compiled(_tell_modules_apart(_finish(raw["sbml"]), comp) if comp else _finish(raw["sbml"]), comp)
    except (ModelError, CompileError) as error:
        raise CompileError(f"{path}: {error}") from None


def compile_model(files: ModelFiles) -> Compiled:
    """Compile a model of a collection with its metadata.

    Raises
    ------
    CompileError
        As :func:`compile_file`, and if libSBML has any remark about the result.
    """
    with files.source as path:
        compiled = compile_file(path)
    texts = [_describe(text, files) for text in (compiled.sbml, compiled.comp) if text]
    for text in texts:
        found = sbml.findings(text, files.id)
        if found:
            raise CompileError(f"{files.id}: libSBML has {len(found)} finding(s); the first: {found[0]}")
    return Compiled(*texts)


def compile_text(text: str, folder: Path) -> str:
    """Translate an Antimony text, as if it stood in ``folder``, to flat SBML without metadata."""
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / "model.ant"
        path.write_text(text, "utf-8")
        return compile_file(path, imports=folder).sbml


def antimony_of(files: ModelFiles) -> str:
    """Return the Antimony source of a model of a collection with the models that it imports, in one text."""
    with files.source as path:
        return _inlined(path, set())


def _inlined(path: Path, done: set[Path]) -> str:
    def content(found: re.Match[str]) -> str:
        imported = (path.parent / found[1]).resolve()
        if imported in done:
            return ""
        done.add(imported)
        return _inlined(imported, done)

    return re.sub(r'(?m)^[ \t]*import[ \t]+"([^"]+)";?[ \t]*\n', content, path.read_text("utf-8"))


def to_antimony(text: str, name: str) -> str:
    """Return SBML as Antimony.

    Raises
    ------
    CompileError
        If Antimony cannot read it.
    """
    with tempfile.TemporaryDirectory() as temporary:
        path = Path(temporary) / f"{name}.xml"
        path.write_text(text, "utf-8")
        return _run(path, TIME_LIMIT, None)["antimony"]


def _translate(path: Path, time_limit: float, imports: Path | None) -> dict[str, str]:
    result = _run(path, time_limit, imports)
    if re.search(r'<model [^>]*id="__main"', result["sbml"]) and "<listOf" not in result["sbml"]:
        raise CompileError(f"{path}: holds no model")
    return result


def _run(path: Path, time_limit: float, imports: Path | None) -> dict[str, str]:
    """Return what the child process says of a file."""
    folders = [str(imports.resolve())] if imports else []
    command = [sys.executable, "-m", "metaflammation._antimony", str(path.resolve()), *folders]
    # Antimony looks for imports in the working directory before the folder of the file: an empty one holds no surprise.
    with tempfile.TemporaryDirectory() as empty:
        try:
            done = subprocess.run(command, capture_output=True, timeout=time_limit, check=False, cwd=empty)  # noqa: S603
        except subprocess.TimeoutExpired:
            raise CompileError(f"{path}: Antimony took longer than {time_limit:g} s and was stopped") from None
    if done.returncode < 0:
        raise CompileError(
            f"{path}: Antimony crashed (signal {-done.returncode}); see 'known traps' in the conventions"
        )
    if done.returncode:
        raise CompileError(f"{path}: Antimony did not run: {done.stderr.decode(errors='replace').strip()[-300:]}")
    try:
        result: dict[str, str] = json.loads(done.stdout)
    except ValueError:
        raise CompileError(f"{path}: Antimony gave no answer: {done.stdout[-300:].decode(errors='replace')}") from None
    if "error" in result:
        raise CompileError(_source_error(path, result["error"]))
    return result


def _source_error(path: Path, message: str) -> str:
    message = " ".join(message.split())
    if "actually an SBML file" in message:
        return f"{path}: is SBML, not Antimony; give it the ending .xml"
    found = re.match(r"Error in (?:model string|file '[^']*'), line (\d+):\s*(.*)", message)
    return f"{path}, line {found[1]}: {found[2]}" if found else f"{path}: {message}"


def _finish(text: str) -> str:
    """Do what Antimony cannot, in the model and in the modules of a hierarchical one."""
    import libsbml

    parsed = sbml.document(text, "Antimony's output")
    plugin = parsed.getPlugin("comp")
    modules = [plugin.getModelDefinition(n) for n in range(plugin.getNumModelDefinitions())] if plugin else []
    for model in (parsed.getModel(), *modules):
        _write_minutes_plainly(model)
        _name(model)
        _mark_relative_species(model)
    finished = str(libsbml.writeSBMLToString(parsed))
    return _fill_initial_values(finished) if modules else finished


def _write_minutes_plainly(model: Any) -> None:
    """Write a minute as 60 seconds: COPASI does not read "min" from Antimony's 6 x 10 seconds."""
    import libsbml

    for definition in model.getListOfUnitDefinitions():
        for unit in definition.getListOfUnits():
            if unit.getKind() == libsbml.UNIT_KIND_SECOND:
                unit.setMultiplier(unit.getMultiplier() * 10.0 ** unit.getScale())
                unit.setScale(0)


def _name(model: Any) -> None:
    """Name units by what they are, and elements whose name Antimony dropped because it equals the id."""
    for definition in model.getListOfUnitDefinitions():
        definition.setName(sbml.unit_of(definition).label or "dimensionless")
    lists = (
        model.getListOfCompartments(),
        model.getListOfSpecies(),
        model.getListOfParameters(),
        model.getListOfReactions(),
    )
    for element in (e for elements in lists for e in elements):
        if not element.isSetName():
            element.setName(element.getId())


def _tell_modules_apart(flat: str, comp: str) -> str:
    """Put the module before display names that elements of several modules bear."""
    import libsbml

    whole = sbml.document(comp, "Antimony's output")
    modules = [s.getId() for s in whole.getModel().getPlugin("comp").getListOfSubmodels()]
    parsed = sbml.document(flat, "Antimony's output")
    model = parsed.getModel()
    lists = (
        model.getListOfCompartments(),
        model.getListOfSpecies(),
        model.getListOfParameters(),
        model.getListOfReactions(),
    )
    elements = [e for each in lists for e in each]
    count = Counter(e.getName() for e in elements)
    for element in elements:
        module = next((m for m in modules if element.getId().startswith(f"{m}_")), None)
        if module and count[element.getName()] > 1:
            element.setName(f"{module}: {element.getName()}")
    return str(libsbml.writeSBMLToString(parsed))


def _mark_relative_species(model: Any) -> None:
    """Give species known only relative to basal a substance unit of their own, and say so in their notes."""
    for species in model.getListOfSpecies():
        if not species.getName().endswith(RELATIVE_NAME):
            continue
        if model.getUnitDefinition(RELATIVE_UNIT) is None:
            raise CompileError(
                f"{model.getId()}: species {species.getId()} {RELATIVE_NAME} needs 'unit {RELATIVE_UNIT} = 1e-9 mole'"
            )
        species.setSubstanceUnits(RELATIVE_UNIT)
        if not species.isSetNotes():
            note = "Level relative to the basal state (1 = basal). The unit is formal: no physical amount is meant."
            _checked(species.setNotes(_xhtml(f"<p>{note}</p>")), "notes")


def _fill_initial_values(text: str) -> str:
    """Fill in initial values of a parent that its modules set: right in SBML without, but libSBML misses them."""
    import libsbml

    parsed = sbml.document(text, "Antimony's output")
    model = parsed.getModel()
    evaluated = sbml.document(sbml.flatten(text), "Antimony's output")
    properties = libsbml.ConversionProperties()
    properties.addOption("expandInitialAssignments", True)
    evaluated.convert(properties)
    flat = evaluated.getModel()

    def open_value(element: Any) -> bool:
        name = element.getId()
        return not model.getInitialAssignmentBySymbol(name) and not model.getAssignmentRuleByVariable(name)

    def value(name: str, own: float) -> float:
        rule = flat.getAssignmentRuleByVariable(name)
        return float(libsbml.SBMLTransforms.evaluateASTNode(rule.getMath(), flat)) if rule else own

    for species in model.getListOfSpecies():
        if open_value(species) and not species.isSetInitialConcentration() and not species.isSetInitialAmount():
            name = species.getId()
            species.setInitialConcentration(value(name, flat.getSpecies(name).getInitialConcentration()))
    for parameter in model.getListOfParameters():
        if open_value(parameter) and not parameter.isSetValue():
            name = parameter.getId()
            parameter.setValue(value(name, flat.getParameter(name).getValue()))
    return str(libsbml.writeSBMLToString(parsed))


def _describe(text: str, files: ModelFiles) -> str:
    import libsbml

    entry, metadata = files.metadata, library.metadata(files.collection)
    parsed = sbml.document(text, files.id)
    model = parsed.getModel()
    model.setName(entry.title)
    if not model.isSetMetaId():
        model.setMetaId(files.id)
    _checked(model.setNotes(_notes(entry.title, entry.description, metadata)), "notes")
    history = libsbml.ModelHistory()
    for name in metadata.creators:
        creator = libsbml.ModelCreator()
        creator.setName(name)
        creator.setOrganization(metadata.organisation)
        _checked(history.addCreator(creator), f"creator {name}")
    for day, add in ((entry.created, history.setCreatedDate), (entry.modified, history.setModifiedDate)):
        _checked(add(libsbml.Date(f"{day.isoformat()}T00:00:00Z")), "date")
    _checked(model.setModelHistory(history), "history")
    _add_resource(model, libsbml.BIOLOGICAL_QUALIFIER, libsbml.BQB_HAS_TAXON, [entry.taxon])
    sources = [f"doi:{library.doi(key, files.collection)}" for key in entry.citations]
    _add_resource(model, libsbml.MODEL_QUALIFIER, libsbml.BQM_IS_DERIVED_FROM, sources)
    return str(libsbml.writeSBMLToString(parsed))


def _add_resource(model: Any, kind: int, qualifier: int, curies: list[str]) -> None:
    import libsbml

    term = libsbml.CVTerm(kind)
    if kind == libsbml.MODEL_QUALIFIER:
        term.setModelQualifierType(qualifier)
    else:
        term.setBiologicalQualifierType(qualifier)
    if not curies:
        return
    for curie in curies:
        term.addResource(f"https://identifiers.org/{curie}")
    _checked(model.addCVTerm(term), ", ".join(curies))


def _notes(title: str, description: str, metadata: Metadata) -> str:
    from html import escape

    return _xhtml(
        f"<h1>{escape(title)}</h1><p>{escape(description)}</p>"
        f"<p>Part of the collection {escape(metadata.collection)}. Not for medical use.</p>"
        f'<p>Licence: <a href="{escape(metadata.licence_url)}">{escape(metadata.licence)}</a>.</p>'
    )


def _xhtml(content: str) -> str:
    return f'<body xmlns="http://www.w3.org/1999/xhtml">{content}</body>'


def _checked(code: int, what: str) -> None:
    if code != 0:
        raise CompileError(f"libSBML refused to set {what} (code {code})")
