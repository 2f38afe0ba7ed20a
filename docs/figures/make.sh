#!/usr/bin/env bash
# Draws the figures of docs/readings.md and docs/networks/ (a minute). Needs LINEWISE_DATA with mnist/ in it.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin="${1:-.venv/bin}"
"$bin/linewise" readings rows rows5-stride2 snake spiral-in hilbert zorder permuted0 patches4-hilbert \
  --show --data mnist --image 7 --out docs/figures/readings
"$bin/python" docs/figures/reach.py
