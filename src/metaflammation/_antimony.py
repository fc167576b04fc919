"""Translate one file with libAntimony, in a process of its own because the library can crash.

``python -m metaflammation._antimony FILE [FOLDER]`` prints JSON: ``sbml`` and ``comp`` (empty for a model without
submodels), or ``error``. The model is the one that bears the file's name, or else the main model of the file.
Imports are looked for beside the file, and in the folder. Of a FILE of SBML (ending .xml) it prints ``antimony``.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from metaflammation.guarded import limit_memory


def translate(path: str, *folders: str) -> dict[str, str]:
    """Return the flat and the hierarchical SBML of the model in an Antimony file, or the error.

    A file of SBML is translated the other way.
    """
    import antimony

    if path.endswith(".xml"):
        if antimony.loadSBMLFile(path) < 0:
            return {"error": antimony.getLastError()}
        return {"antimony": antimony.getAntimonyString(antimony.getMainModuleName())}
    for folder in folders:
        antimony.addDirectory(folder)
    if antimony.loadAntimonyFile(path) < 0:
        return {"error": antimony.getLastError()}
    names = [antimony.getNthModuleName(n) for n in range(antimony.getNumModules())]
    name = Path(path).stem if Path(path).stem in names else antimony.getMainModuleName()
    comp = antimony.getCompSBMLString(name)
    return {"sbml": antimony.getSBMLString(name), "comp": comp if "<comp:submodel " in comp else ""}


if __name__ == "__main__":
    limit_memory()
    json.dump(translate(*sys.argv[1:]), sys.stdout)
