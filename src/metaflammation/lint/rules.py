"""The rules, in the order in which they are checked."""

from __future__ import annotations

from metaflammation.lint import catalogue, general, network, terms

RULES = general.RULES + terms.RULES + network.RULES + catalogue.RULES
