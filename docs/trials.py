"""Write the table of virtual trials into docs/howto/trials.md, and draw their picture: python docs/trials.py."""

from pathlib import Path

import metaflammation as mf
from metaflammation.ensembles import trial_figure, trials
from metaflammation.files import whole_file, write_text

MODEL = "hormone_axis"
PAGE = Path(__file__).parent / "howto" / "trials.md"
PICTURE = PAGE.with_suffix(".png")
BEGIN, END = "<!-- trials: written by docs/trials.py -->\n", "<!-- end of trials -->"


def current(page: str) -> str:
    """Return the page with its table as the committed results are now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    text = mf.load(MODEL).files.validation_text(trials.FILE)
    return f"{before}{BEGIN}{trials.markdown(trials.from_tsv(text))}{END}{after}"


if __name__ == "__main__":
    model = mf.load(MODEL)
    results = trials.from_tsv(model.files.validation_text(trials.FILE))
    write_text(PAGE, current(PAGE.read_text("utf-8")), overwrite=True)
    with whole_file(PICTURE, overwrite=True) as temporary:
        headed = {f"{model.trials[k].citation}: {model.trials[k].title}": t for k, t in results.items()}
        trial_figure.draw(headed).savefig(temporary, dpi=100)
