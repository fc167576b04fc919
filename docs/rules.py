"""Write the tables of the rules into docs/lint.md: python docs/rules.py."""

from pathlib import Path

from metaflammation.files import write_text
from metaflammation.report import lint_pages

PAGE = Path(__file__).parent / "lint.md"
BEGIN, END = "<!-- rules: written by docs/rules.py -->\n", "<!-- end of rules -->"


def current(page: str) -> str:
    """Return the page with its tables as the rules are now."""
    before, _, rest = page.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}{lint_pages.rules()}{END}{after}"


if __name__ == "__main__":
    write_text(PAGE, current(PAGE.read_text("utf-8")), overwrite=True)
