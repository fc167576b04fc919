"""Readers of the curated tables; a broken row or entry is named with file and line."""

from __future__ import annotations

import csv
import math
import tomllib
from io import StringIO
from typing import TYPE_CHECKING, Any, TypeVar

import yaml
from pydantic import ValidationError

from metaflammation.errors import DataError
from metaflammation.records import (
    EstimatedParameter,
    Expectation,
    Experiment,
    Metadata,
    ParameterEvidence,
    Population,
    Record,
    Target,
    Trial,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

T = TypeVar("T", bound=Record)
P = TypeVar("P", ParameterEvidence, EstimatedParameter)


def read_metadata(text: str, where: str) -> Metadata:
    """Return the collection's metadata from TOML."""
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise DataError(f"{where}: {error}") from None
    return _record(Metadata, raw, where)


def read_parameters(text: str, where: str) -> dict[str, ParameterEvidence]:
    """Return the evidence of each parameter, by id, from a tab-separated table."""
    return _by_id(ParameterEvidence, text, where)


def read_experiments(text: str, where: str) -> dict[str, Experiment]:
    """Return the experiments, by id, in the order of the YAML file."""
    return {e.id: e for e in _entries(Experiment, text, where, "experiments")}


def read_expectations(text: str, where: str) -> dict[str, Expectation]:
    """Return the expectations, by id, in the order of the YAML file."""
    return {e.id: e for e in _entries(Expectation, text, where, "expectations")}


def read_populations(text: str, where: str) -> dict[str, Population]:
    """Return the named populations, by id, in the order of the file."""
    return {p.id: p for p in _entries(Population, text, where, "populations")}


def read_trials(text: str, where: str) -> dict[str, Trial]:
    """Return the trials, by id, in the order of the file."""
    return {t.id: t for t in _entries(Trial, text, where, "trials")}


def read_targets(text: str, where: str) -> dict[str, Target]:
    """Return the calibration targets, by id, in the order of the file."""
    return {t.id: t for t in _entries(Target, text, where, "targets")}


def read_conditions(text: str, where: str) -> dict[str, dict[str, float | str]]:
    """Return, for each condition, the value of each target, from a PEtab v2 condition table.

    A value is a number, or the id of an estimated parameter.
    """
    conditions: dict[str, dict[str, float | str]] = {}
    for number, row in enumerate(_rows(text, where), start=2):
        try:
            targets = conditions.setdefault(row["conditionId"], {})
            if row["targetId"] in targets:
                raise DataError(f"{where}, line {number}: {row['conditionId']} sets {row['targetId']!r} twice")
            if row["targetId"]:
                targets[row["targetId"]] = _number_or_id(row["targetValue"], f"{where}, line {number}")
        except KeyError as error:
            raise DataError(f"{where}: column {error} is missing") from None
    return conditions


def read_estimated(text: str, where: str) -> dict[str, EstimatedParameter]:
    """Return the estimated parameters, by id, from a PEtab v2 parameter table."""
    return _by_id(EstimatedParameter, text, where)


def _by_id(kind: type[P], text: str, where: str) -> dict[str, P]:
    rows: dict[str, P] = {}
    for number, row in enumerate(_rows(text, where), start=2):
        record = _record(kind, {k: v for k, v in row.items() if v != ""}, f"{where}, line {number}")
        if record.id in rows:
            raise DataError(f"{where}, line {number}: parameter {record.id!r} stands in the table twice")
        rows[record.id] = record
    return rows


def _number_or_id(text: str, where: str) -> float | str:
    try:
        number = float(text)
    except ValueError:
        if text.isidentifier():
            return text
        raise DataError(f"{where}: targetValue {text!r} is neither a number nor an id") from None
    if not math.isfinite(number):
        raise DataError(f"{where}: targetValue {text!r} is not a finite number")
    return number


def read_table(text: str, where: str, columns: Mapping[str, type]) -> pd.DataFrame:
    """Return a tab-separated table with at least ``columns``; those of type float hold numbers (empty is NaN)."""
    import pandas as pd

    frame = pd.DataFrame(_rows(text, where))
    missing = [c for c in columns if c not in frame.columns]
    if missing:
        raise DataError(f"{where}: column {missing[0]!r} is missing")
    for column, kind in columns.items():
        if kind is float:
            values = pd.to_numeric(frame[column], errors="coerce")
            bad = frame.index[values.isna() & (frame[column] != "")]
            if len(bad):
                raise DataError(f"{where}, line {bad[0] + 2}: {column} {frame.loc[bad[0], column]!r} is not a number")
            frame[column] = values
    return frame


def _rows(text: str, where: str) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(StringIO(text), delimiter="\t", quoting=csv.QUOTE_NONE, strict=True)
    if not reader.fieldnames:
        raise DataError(f"{where}: the table is empty")
    for number, row in enumerate(reader, start=2):
        if None in row or None in row.values():
            raise DataError(f"{where}, line {number}: {len(reader.fieldnames)} columns are needed")
        yield row


def _entries(kind: type[T], text: str, where: str, key: str) -> list[T]:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise DataError(f"{where}: {' '.join(str(error).split())}") from None
    if not isinstance(raw, dict) or not isinstance(raw.get(key), list):
        raise DataError(f"{where}: a list named {key!r} is needed")
    records = [_record(kind, entry, f"{where}, entry {n}") for n, entry in enumerate(raw[key], start=1)]
    ids = [r.id for r in records]  # type: ignore[attr-defined]
    twice = next((i for i in ids if ids.count(i) > 1), None)
    if twice:
        raise DataError(f"{where}: {twice!r} stands in the file twice")
    return records


def _record(kind: type[T], raw: Any, where: str) -> T:
    if isinstance(raw, dict) and isinstance(raw.get("id"), str):
        where = f"{where} ({raw['id']})"
    try:
        return kind.model_validate(raw)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(p) for p in first["loc"])
        raise DataError(
            f"{where}: {place + ': ' if place else ''}{first['msg'].removeprefix('Value error, ')}"
        ) from None
    except DataError as error:
        raise DataError(f"{where}: {error}") from None
