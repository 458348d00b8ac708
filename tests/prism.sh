#!/bin/sh
# Our BigCommerce client and sandbox against the official descriptions, with Stoplight Prism in between.
# Needs node and the descriptions (../shared/specs). Installs Prism outside the project, once: sh tests/prism.sh [folder]
set -eu
here=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-${TMPDIR:-/tmp}/wharfinger-prism}
command -v npm >/dev/null || { echo "skipped: there is no npm on this machine"; exit 0; }
mkdir -p "$folder"
[ -x "$folder/node_modules/.bin/prism" ] || npm install --no-audit --no-fund --prefix "$folder" @stoplight/prism-cli@5.14.2
cd "$here"
PRISM="$folder/node_modules/.bin/prism" .venv/bin/python -m pytest tests/connectors/test_bigcommerce_prism.py -q -rs
