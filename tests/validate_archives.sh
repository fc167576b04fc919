#!/bin/sh
# The COMBINE archives of the models, held against the project validator of BioSimulators. It needs another version of
# setuptools than we do, so it has an environment of its own. A folder with archives may be given, such as dist/models.
set -eu
cd "$(dirname "$0")/.."
validator=.venv-biosimulators
[ -x "$validator/bin/biosimulators-utils" ] || {
  "${PYTHON:-python3}" -m venv "$validator"
  "$validator/bin/pip" install --quiet --disable-pip-version-check biosimulators-utils 'setuptools<81' python-libsbml
}
log=$(mktemp)
archives=${1:-$(mktemp -d)}
trap 'rm -rf "$log"; [ "$archives" = "${1:-}" ] || rm -rf "$archives"' EXIT
if [ -z "${1:-}" ]; then
  for model in insulin_cascade cytokine_crosstalk er_stress hormone_axis insulin_resistance; do
    .venv/bin/metaflammation export "$model" --to omex -o "$archives/$model.omex"
  done
  echo "skipped: validation of the archive of metaflammation (it takes minutes to write; give a folder that holds it)"
fi
for archive in "$archives"/*.omex; do
  "$validator/bin/biosimulators-utils" validate-project "$archive" >"$log" 2>&1 || {
    cat "$log"
    echo "$(basename "$archive"): the BioSimulators project validator refuses it"
    exit 1
  }
  echo "$(basename "$archive"): valid, $(grep -c '^    Tasks' "$log") simulation experiments"
done
