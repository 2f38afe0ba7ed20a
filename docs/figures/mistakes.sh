#!/usr/bin/env bash
# Draws the figures of docs/mistakes.md from a study of the embedded digits (two minutes), and says what was found.
set -euo pipefail
cd "$(dirname "$0")/../.."
bin="${1:-.venv/bin}"
study="$(mktemp -d)"
trap 'rm -rf "$study"' EXIT
"$bin/linewise" compare digits --models lstm,gru,bilstm,bimingru,cnn,resnet,convnext,linear --seeds 6 \
  --images 700 --validation 400 --test 690 --jobs 1 --out "$study/digits" >"$study/log" 2>&1 || { cat "$study/log"; exit 1; }
for name in overlap-kinds overlap-networks ensemble-gains class-pair-differences difficulty-parts difficulty-correlations; do
  cp "$study/digits/report/figures/$name.png" docs/figures/mistakes/
done
"$bin/python" docs/figures/mistakes.py "$study/digits"
