"""SBML documents: reading, the findings of libSBML, and what a model says of its elements."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from metaflammation.errors import ModelError
from metaflammation.units import MINUTE, NUMBER, Unit, from_factors, international, named

if TYPE_CHECKING:
    from collections.abc import Iterator

CHECK_CATEGORIES = (
    "GENERAL_CONSISTENCY",
    "IDENTIFIER_CONSISTENCY",
    "UNITS_CONSISTENCY",
    "MATHML_CONSISTENCY",
    "SBO_CONSISTENCY",
    "OVERDETERMINED_MODEL",
    "MODELING_PRACTICE",
    "INTERNAL_CONSISTENCY",
)
"""libSBML's categories of consistency checks: all of them are switched on."""

PACKAGE = re.compile(r"http://www\.sbml\.org/sbml/level3/version\d/(\w+)/version\d")
"""The namespace of a package of Level 3."""


@dataclass(frozen=True)
class Finding:
    """One remark of libSBML about a document.

    Attributes
    ----------
    code : int
        libSBML's number of the remark.
    severity : str
        ``Informational``, ``Warning``, ``Error`` or ``Fatal``.
    line : int
        Line of the document; 0 if unknown.
    message : str
        The remark in one line.
    category : str
        libSBML's name of the category of checks.
    """

    code: int
    severity: str
    line: int
    message: str
    category: str = ""

    def __str__(self) -> str:
        return f"libSBML {self.severity.lower()} {self.code}, line {self.line}: {self.message}"


@dataclass(frozen=True)
class Element:
    """A compartment, species, parameter or reaction of a model.

    Attributes
    ----------
    id, name : str
        SBML id and display name.
    kind : str
        ``compartment``, ``species``, ``parameter`` or ``reaction``.
    unit : Unit
        Unit of the value; for species the unit of concentration (of amount where the species has only amounts).
    constant : bool
        Whether the value never changes of itself.
    assigned : bool
        Whether an assignment rule computes the value.
    value : float or None
        The value in the document; None if something computes it.
    sbo : str
        SBO term, empty if there is none.
    compartment : str
        Where a species is.
    in_amounts : bool
        Whether a species is meant as an amount everywhere (SBML's hasOnlySubstanceUnits).
    resources : tuple of (str, str)
        MIRIAM annotations as qualifier and URI.
    """

    id: str
    name: str
    kind: str
    unit: Unit = NUMBER
    constant: bool = True
    assigned: bool = False
    value: float | None = None
    sbo: str = ""
    compartment: str = ""
    in_amounts: bool = False
    resources: tuple[tuple[str, str], ...] = field(default=())


def document(text: str, where: str, *, strict: bool = True) -> Any:
    """Return the libSBML document of ``text``.

    Raises
    ------
    ModelError
        If the text is not SBML, is damaged, holds no model, or needs a package that libSBML does not know; if
        ``strict``, also if it has any other error that shows while it is read.
    """
    import libsbml

    if "<sbml" not in text[:10_000]:
        raise ModelError(f"{where}: is not SBML (no <sbml> element at its beginning)")
    parsed = libsbml.readSBMLFromString(text)
    errors = parsed.getErrorLog()
    for n in range(errors.getNumErrors()):
        error = errors.getError(n)
        if error.getErrorId() == libsbml.RequiredPackagePresent:
            unread = re.search(r"Package '(\w+)'", error.getMessage())
            raise ModelError(
                f"{where}: needs the SBML package {unread[1] if unread else ''}, which libSBML does not know"
            )
        lost = parsed.getModel() is None
        if error.getSeverity() >= libsbml.LIBSBML_SEV_ERROR and (strict or lost):
            raise ModelError(f"{where}: is not sound SBML: {_finding(error)}")
    if parsed.getModel() is None:
        raise ModelError(f"{where}: the SBML document holds no model")
    return parsed


def packages(parsed: Any) -> tuple[str, ...]:
    """Return the packages that a libSBML document declares in its first element."""
    namespaces = parsed.getSBMLNamespaces().getNamespaces()
    uris = [namespaces.getURI(n) for n in range(namespaces.getLength())]
    found = [PACKAGE.fullmatch(uri) for uri in uris]
    return tuple(sorted({match[1] for match in found if match} - {"core"}))


def findings(text: str, where: str = "SBML", *, strict: bool = True) -> list[Finding]:
    """Return every remark of libSBML, of any severity, with all categories of checks on."""
    import libsbml

    parsed = document(text, where, strict=strict)
    for category in CHECK_CATEGORIES:
        parsed.setConsistencyChecks(getattr(libsbml, f"LIBSBML_CAT_{category}"), True)
    parsed.checkInternalConsistency()
    parsed.checkConsistency()
    return list(dict.fromkeys(_finding(parsed.getError(n)) for n in range(parsed.getNumErrors())))


def sound(text: str, where: str = "SBML") -> None:
    """Raise an error if a document breaks a rule of SBML, such as a reaction of a species that does not exist.

    Raises
    ------
    ModelError
        With the first error.
    """
    first = next((f for f in findings(text, where) if f.severity in {"Error", "Fatal"}), None)
    if first:
        raise ModelError(f"{where}: is not sound SBML: {first}")


def to_level(text: str, level: int, version: int, where: str = "SBML") -> str:
    """Return the document converted to another SBML level and version, without loss.

    Raises
    ------
    ModelError
        If the model cannot be expressed there.
    """
    import libsbml

    parsed = document(text, where)
    if not parsed.setLevelAndVersion(level, version, True):
        reasons = "; ".join(str(_finding(parsed.getError(n))) for n in range(parsed.getNumErrors()))
        raise ModelError(f"{where}: cannot be written as Level {level} Version {version}: {reasons}")
    return str(libsbml.writeSBMLToString(parsed))


def flatten(text: str, where: str = "SBML") -> str:
    """Return a document of the package comp as one flat model, by libSBML."""
    import libsbml

    parsed = document(text, where)
    properties = libsbml.ConversionProperties()
    properties.addOption("flatten comp", True)
    properties.addOption("performValidation", False)
    if parsed.convert(properties) != libsbml.LIBSBML_OPERATION_SUCCESS:
        raise ModelError(f"{where}: libSBML cannot flatten it: {parsed.getErrorLog().toString()}")
    return str(libsbml.writeSBMLToString(parsed))


def elements(text: str, where: str = "SBML") -> dict[str, Element]:
    """Return the compartments, species, parameters and reactions of a model, by id."""
    model = document(text, where).getModel()
    units = {u.getId(): unit_of(u) for u in model.getListOfUnitDefinitions()}
    return {e.id: e for e in _elements(model, units)}


def minute(text: str, where: str = "SBML") -> float:
    """Return the length of a minute in the model's unit of time; a model without one is taken to be in minutes."""
    parsed = document(text, where)
    model = parsed.getModel()
    name = model.getTimeUnits() or _predefined(model, "time")
    definition = model.getUnitDefinition(name)
    unit = unit_of(definition) if definition else base_unit(name)
    return MINUTE.factor / unit.factor if unit.dimension == MINUTE.dimension else 1.0


def _elements(model: Any, units: dict[str, Unit]) -> Iterator[Element]:
    def unit(name: str) -> Unit:
        return units.get(name) or base_unit(name)

    def volume(compartment: Any) -> Unit:
        return unit(compartment.getUnits() or model.getVolumeUnits() or _predefined(model, "volume"))

    computed = {r.getVariable(): r.isAssignment() for r in model.getListOfRules() if not r.isAlgebraic()}
    initial = {a.getSymbol() for a in model.getListOfInitialAssignments()}

    def element(item: Any, kind: str, of: Unit, value: float | None, *, constant: bool) -> Element:
        return Element(
            id=item.getId(),
            name=item.getName(),
            kind=kind,
            unit=of,
            constant=constant,
            assigned=computed.get(item.getId(), False),
            value=None if item.getId() in computed or item.getId() in initial else value,
            sbo=item.getSBOTermID(),
            compartment=item.getCompartment() if kind == "species" else "",
            in_amounts=kind == "species" and item.getHasOnlySubstanceUnits(),
            resources=tuple(resources(item)),
        )

    for c in model.getListOfCompartments():
        yield element(c, "compartment", volume(c), c.getSize(), constant=c.getConstant())
    for s in model.getListOfSpecies():
        amount = s.getSubstanceUnits() or model.getSubstanceUnits() or _predefined(model, "substance")
        if s.getHasOnlySubstanceUnits():
            of, value = unit(amount), s.getInitialAmount()
        else:
            compartment = model.getCompartment(s.getCompartment())
            of = named(amount) or _per(unit(amount), volume(compartment))
            value = (
                s.getInitialConcentration()
                if s.isSetInitialConcentration()
                else s.getInitialAmount() / compartment.getSize()
            )
        yield element(s, "species", of, value, constant=s.getConstant())
    for p in model.getListOfParameters():
        yield element(p, "parameter", unit(p.getUnits()), p.getValue(), constant=p.getConstant())
    for r in model.getListOfReactions():
        yield element(r, "reaction", unit(model.getExtentUnits()), None, constant=False)


def resources(item: Any) -> Iterator[tuple[str, str]]:
    """Return the MIRIAM annotations of a libSBML element as qualifier and URI."""
    import libsbml

    for n in range(item.getNumCVTerms()):
        term = item.getCVTerm(n)
        if term.getQualifierType() == libsbml.BIOLOGICAL_QUALIFIER:
            qualifier = f"bqbiol:{libsbml.BiolQualifierType_toString(term.getBiologicalQualifierType())}"
        else:
            qualifier = f"bqmodel:{libsbml.ModelQualifierType_toString(term.getModelQualifierType())}"
        for k in range(term.getNumResources()):
            yield qualifier, term.getResourceURI(k)


def unit_of(definition: Any) -> Unit:
    """Return the unit that a libSBML unit definition stands for."""
    name = definition.getId()
    unit = named(name) or from_factors(
        (kind_of(u), u.getMultiplier() * 10.0 ** u.getScale(), u.getExponentAsDouble())
        for u in definition.getListOfUnits()
    )
    return replace(unit, label=international(name) or unit.label)


def base_unit(name: str) -> Unit:
    """Return the unit for the name of an SBML base unit or a predefined one of Level 2; a pure number for none."""
    kind = {"substance": "mole", "volume": "litre", "time": "second"}.get(name, name)
    return from_factors([(kind, 1.0, 1.0)]) if kind else NUMBER


def _predefined(model: Any, name: str) -> str:
    return name if model.getLevel() < 3 else ""  # noqa: PLR2004 - Level 3 has no units by default


def kind_of(unit: Any) -> str:
    """Return the name of the base unit of a libSBML unit."""
    import libsbml

    return str(libsbml.UnitKind_toString(unit.getKind()))


def _per(amount: Unit, volume: Unit) -> Unit:
    from metaflammation.units import registry

    ureg = registry()
    quotient = ureg.Quantity(amount.factor, amount.dimension) / ureg.Quantity(volume.factor, volume.dimension)
    return Unit.of(quotient)


def _finding(error: Any) -> Finding:
    return Finding(
        error.getErrorId(),
        error.getSeverityAsString(),
        error.getLine(),
        " ".join(error.getMessage().split()),
        error.getCategoryAsString(),
    )
