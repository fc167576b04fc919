"""Translate one Antimony file with libAntimony, in a process of its own because the library can crash.

``python -m metaflammation._antimony FILE`` prints JSON: ``sbml`` and ``comp`` (empty for a model without submodels), or
``error``.
"""

from __future__ import annotations

import json
import sys


def translate(path: str) -> dict[str, str]:
    """Return the flat and the hierarchical SBML of the main model of an Antimony file, or the error."""
    import antimony

    # After a failed load the library would hand out the model loaded before it.
    antimony.clearPreviousLoads()
    if antimony.loadAntimonyFile(path) < 0:
        return {"error": antimony.getLastError()}
    main = antimony.getMainModuleName()
    comp = antimony.getCompSBMLString(main)
    return {"sbml": antimony.getSBMLString(main), "comp": comp if "<comp:submodel " in comp else ""}


if __name__ == "__main__":
    json.dump(translate(sys.argv[1]), sys.stdout)
