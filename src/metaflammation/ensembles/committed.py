"""The robustness of a model's expectations as data: the table beside them, and how it was made."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from metaflammation import files, library, tables
from metaflammation.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pandas as pd

    from metaflammation.ensembles.robustness import Robustness
    from metaflammation.library import Collection, ModelFiles

TABLE, SETTINGS = "robustness.tsv", "robustness.json"

NUMBERS = ("sets", "failed", "holding", "share", "lower", "upper")
COLUMNS: dict[str, type] = {
    "spread": str,
    "expectation": str,
    **dict.fromkeys(NUMBERS, float),
    "nominal": str,
    "broken_by": str,
}


def check_free(folder: Path, spread: float | str, *, overwrite: bool) -> None:
    """Refuse to replace the table of a spread unasked."""
    if str(spread) in _known(folder)[0] and not overwrite:
        raise DataError(f"{folder / TABLE}: has a table of spread {spread} already; use --force to replace it")


def write(folder: Path, found: Sequence[Robustness]) -> list[Path]:
    """Write table and settings of a model, one spread after the other, into its validation folder.

    Spreads that are in the files already and not among those found stay.
    """
    import pandas as pd

    known, settings = _known(folder)
    for one in found:
        spread = str(one.about["spread"])
        settings[spread] = dict(one.about)
        known[spread] = one.table.reset_index().assign(spread=spread)[list(COLUMNS)]
    whole = pd.concat([known[s] for s in settings])
    for column in ("sets", "failed", "holding"):
        whole[column] = whole[column].astype(int)
    files.write_text(folder / TABLE, whole.to_csv(sep="\t", index=False, float_format="%.4f"), overwrite=True)
    files.write_text(folder / SETTINGS, json.dumps(settings, indent=2) + "\n", overwrite=True)
    return [folder / TABLE, folder / SETTINGS]


def _known(folder: Path) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    if not (folder / TABLE).is_file() or not (folder / SETTINGS).is_file():
        return {}, {}
    return _parse((folder / TABLE).read_text("utf-8"), (folder / SETTINGS).read_text("utf-8"), str(folder))


def _parse(table: str, settings: str, where: str) -> tuple[dict[str, pd.DataFrame], dict[str, Any]]:
    frame = tables.read_table(table, f"{where}/{TABLE}", COLUMNS)
    try:
        known = dict(json.loads(settings))
    except ValueError as error:
        raise DataError(f"{where}/{SETTINGS}: {error}") from None
    if set(frame["spread"]) != set(known):
        raise DataError(f"{where}: {TABLE} and {SETTINGS} speak of different spreads")
    return {str(s): group for s, group in frame.groupby("spread", sort=False)}, known


def read(model: ModelFiles) -> tuple[dict[str, pd.DataFrame], Mapping[str, Any]]:
    """Return the committed tables of a model by spread (index expectation), and their settings; empty without."""
    if not (model.has_validation(TABLE) and model.has_validation(SETTINGS)):
        return {}, {}
    found, settings = _parse(model.validation_text(TABLE), model.validation_text(SETTINGS), model.id)
    return {s: t.set_index("expectation").drop(columns="spread") for s, t in found.items()}, settings


def of_claims(collection: Collection | None = None) -> pd.DataFrame:
    """Return the share of each expectation about a claim that holds with the model's own values, if any set ran.

    Columns claim, model, spread, expectation, sets, failed, holding, share, lower, upper; claims in their order, of
    each model the first spread of its tables.
    """
    import pandas as pd

    columns = ["claim", "model", "spread", "expectation", *NUMBERS]
    frames = []
    for model in (library.find(name, collection) for name in library.catalogue(collection)):
        for spread, table in list(read(model)[0].items())[:1]:
            claim = {e.id: e.claim for e in model.expectations().values() if e.claim and not e.known_failure}
            found = table[table.index.isin(list(claim)) & (table["sets"] > 0)].reset_index()
            frames.append(found.assign(claim=found["expectation"].map(claim), model=model.id, spread=spread)[columns])
    if not frames:
        return pd.DataFrame(columns=columns)
    order = {claim: n for n, claim in enumerate(library.claims(collection))}
    return pd.concat(frames).sort_values("claim", key=lambda c: c.map(order), kind="stable", ignore_index=True)
