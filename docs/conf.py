"""Configuration of the documentation site; `make docs` builds it into build/docs.

Pages are the Markdown files of the repository where they lie (docs/, models/*/README.md, validation/*/README.md ...):
each stays the one authority for what it says, and its links work here and on a code host alike.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

from metaflammation import __version__

project = "metaflammation"
author = "The metaflammation developers"
copyright = f"{author}; code MIT, models and tables CC BY 4.0"
version = release = __version__

extensions = [
    "catalogue",
    "myst_nb",
    "numpydoc",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
    "sphinx_design",
    "sphinxcontrib.bibtex",
]
root_doc = "docs/index"
include_patterns = [
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "benchmarks/README.md",
    "docs/**.md",
    "models/*/README.md",
    "validation/*/README.md",
]
exclude_patterns = [".*", "build", "dist", "src", "tests", "**/__pycache__"]
smartquotes_action = "qe"  # no dashes: an option in the text of a command keeps both of its hyphens

# Of some sources no year was seen (their notes say so); a page that is in no menu is found by search and links.
suppress_warnings = ["bibtex.missing_field", "toc.not_included"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True

bibtex_bibfiles = ["../models/references.bib"]
bibtex_default_style = "keys"
bibtex_reference_style = "author_year"

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
numpydoc_show_class_members = False
numpydoc_validation_checks = {"PR02", "SS01"}

html_theme = "pydata_sphinx_theme"
html_title = f"metaflammation {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_extra_path = ["_extra"]
html_show_sourcelink = False
html_sidebars = {"docs/index": [], "docs/tutorial": []}
html_theme_options = {
    "navbar_align": "left",
    "navigation_with_keys": False,
    "show_toc_level": 1,
    "header_links_before_dropdown": 6,
    "footer_start": ["copyright"],
    "footer_center": ["medical"],
    "footer_end": ["theme-version"],
    "secondary_sidebar_items": ["page-toc"],
}
templates_path = ["_templates"]
copybutton_exclude = ".linenos, .gp"
copybutton_prompt_text = "$ "
