"""Write what is generated and committed: the card of each model, and the table of models in README.md.

python docs/cards.py            writes them (`make cards`)
python docs/cards.py --verify   writes nothing; exit code 1 if a committed one is not what the data give
"""

import sys
from pathlib import Path

import yaml

from metaflammation import library
from metaflammation.files import write_text
from metaflammation.report import cards

ROOT = Path(__file__).parent.parent
BEGIN, END = "<!-- models: written by `make cards` -->\n", "<!-- end of models -->"


def release() -> str:
    about = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    return f"*{about['title']}*, version {about['version']} ([CITATION.cff](../../CITATION.cff))"


def outputs() -> dict[Path, str]:
    wanted = {ROOT / "models" / n / "README.md": cards.card(library.find(n), release()) for n in library.catalogue()}
    readme = (ROOT / "README.md").read_text("utf-8")
    before, rest = readme.split(BEGIN)
    wanted[ROOT / "README.md"] = f"{before}{BEGIN}{cards.overview()}{END}{rest.split(END)[1]}"
    return wanted


def main() -> int:
    stale = [p for p, text in outputs().items() if not p.is_file() or p.read_text("utf-8") != text]
    if "--verify" in sys.argv[1:]:
        for path in stale:
            print(f"{path.relative_to(ROOT)}: is not what the data give; run 'make cards'")
        return int(bool(stale))
    for path in stale:
        write_text(path, outputs()[path], overwrite=True)
        print(f"wrote {path.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
