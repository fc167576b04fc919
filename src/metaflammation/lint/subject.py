"""What is linted, what a rule is, and what it finds."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from metaflammation import library, reading, sbml

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from metaflammation.records import ParameterEvidence

SEVERITIES = ("error", "warning", "info")


@dataclass(frozen=True)
class Subject:
    """An SBML text and, for a model of a collection, its files.

    Attributes
    ----------
    name : str
        What messages call it.
    text : str
        The document.
    files : ModelFiles, optional
        Those of a model of the catalogue or of a collection of the same shape.
    """

    name: str
    text: str
    files: library.ModelFiles | None = None

    @cached_property
    def outline(self) -> reading.Outline:
        """Return what stands on which line."""
        return reading.screen(self.text, self.name)

    @cached_property
    def document(self) -> Any:
        """Return the libSBML document, which may have errors."""
        return sbml.document(self.text, self.name, strict=False)

    @property
    def level(self) -> tuple[int, int]:
        """Return level and version."""
        return self.document.getLevel(), self.document.getVersion()

    @cached_property
    def packages(self) -> tuple[str, ...]:
        """Return the packages that the document declares."""
        return sbml.packages(self.document)

    @cached_property
    def models(self) -> list[tuple[str, Any]]:
        """Return the model and the modules that the document defines, each with what goes before its elements."""
        found = [("", self.document.getModel())]
        plugin = self.document.getPlugin("comp")
        for n in range(plugin.getNumModelDefinitions() if plugin else 0):
            module = plugin.getModelDefinition(n)
            found.append((f"module {module.getId()}: ", module))
        return found

    @cached_property
    def findings(self) -> list[sbml.Finding]:
        """Return the remarks of libSBML."""
        return sbml.findings(self.text, self.name, strict=False)

    @cached_property
    def elements(self) -> dict[str, sbml.Element]:
        """Return the elements of the model."""
        return sbml.elements(self.text, self.name)

    @cached_property
    def evidence(self) -> dict[str, ParameterEvidence]:
        """Return the evidence of each parameter; empty without files."""
        return self.files.parameters() if self.files else {}

    @property
    def collection(self) -> library.Collection | None:
        """Return the collection whose bibliography and identifiers count; None for the catalogue's."""
        return self.files.collection if self.files else None

    def constants(self) -> list[sbml.Element]:
        """Return the constant parameters."""
        return [e for e in self.elements.values() if e.kind == "parameter" and e.constant]

    def quantities(self) -> Iterator[tuple[str, str, Any]]:
        """Return compartments, species, parameters and reactions: what it is called, its kind, and itself."""
        for prefix, model in self.models:
            for kind, listed in (
                ("compartment", model.getListOfCompartments()),
                ("species", model.getListOfSpecies()),
                ("parameter", model.getListOfParameters()),
                ("reaction", model.getListOfReactions()),
            ):
                for item in listed:
                    yield f"{prefix}{kind} {item.getId()}", kind, item


@dataclass(frozen=True)
class Rule:
    """One rule.

    Attributes
    ----------
    id : str
        Stable name.
    title, reason : str
        What it asks, and why.
    severity : str
        ``warning`` or ``info``; libSBML's remarks have severities of their own.
    offenders : callable
        Returns the element and what is wrong with it, for each offence.
    catalogue : bool
        Whether it stands for a convention of ours, and holds only for models of the catalogue and collections like it.
    """

    id: str
    title: str
    reason: str
    offenders: Callable[[Subject], Iterator[tuple[str, str]]]
    severity: str = "warning"
    catalogue: bool = False


@dataclass(frozen=True)
class Offence:
    """A place where a rule is broken.

    Attributes
    ----------
    rule, severity : str
        The rule's id, and how bad it is: ``error``, ``warning`` or ``info``.
    element : str
        What it is about, e.g. ``species S1``.
    message : str
        What is wrong with it.
    line : int
        Line of the document; 0 if unknown.
    code : int
        libSBML's number of its remark; 0 for other rules.
    category : str
        libSBML's category of its remark.
    """

    rule: str
    severity: str
    element: str
    message: str
    line: int = 0
    code: int = 0
    category: str = ""

    def __str__(self) -> str:
        number = f" {self.code}" if self.code else ""
        return f"{self.rule}{number}: {self.element}: {self.message}"
