#!/bin/sh
# Core tests on the newest supported Python, in an environment of its own; `make` takes the oldest, and what lies between is
# left out. The language version cannot change what a simulation gives: expectations, COPASI and files for other programs are left
# to the first Python, and one model is checked as a whole.
set -eu
for version in 3.13; do
  python=$(command -v "python$version" || true)
  # pyenv puts a shim on the path for versions that are installed but not selected.
  if [ -z "$python" ] || ! "$python" -c '' 2>/dev/null; then
    for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/$version.*/bin/python; do
      [ -x "$candidate" ] && python=$candidate
    done
  fi
  if [ -z "$python" ] || ! "$python" -c '' 2>/dev/null; then
    echo "skipped: core tests on Python $version (no such interpreter here)"
    continue
  fi
  venv=.venv-$version
  if [ ! -e "$venv/.installed" ] || [ pyproject.toml -nt "$venv/.installed" ]; then
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --editable '.[test,petab,fit,report,ensemble]'
    touch "$venv/.installed"
  fi
  echo "core tests on $("$venv/bin/python" --version)"
  "$venv/bin/pytest" -q -n 2 -m "not slow and not copasi" --ignore tests/test_expectations.py \
    --ignore tests/test_exchange.py --ignore tests/test_opened.py --ignore tests/test_petab.py --ignore tests/test_readers.py
  "$venv/bin/metaflammation" check insulin_cascade --engine roadrunner
done
