#!/usr/bin/env bash
# MNIST pixel by pixel, 784 steps, in their order and permuted, from the images to the files in this folder.
# Needs LINEWISE_DATA with mnist/ in it; about half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
for reading in pixels permuted0; do
  models=""
  for cell in lstm gru irnn mingru lru mlstm; do models="$models,$cell@$reading"; done
  "$bin/linewise" compare mnist --models "${models#,}" --match params --budget 20k --images 4000 --validation 2000 \
    --epochs 5 --seeds 1 --batch-size 50 --out "studies/$reading"
done
for name in pixels permuted0; do
  mkdir -p "docs/results/pixels/$name"
  cp "studies/$name/report/results.json" "studies/$name/report/results.csv" "docs/results/pixels/$name/"
done
"$bin/python" docs/results/pixels/table.py >docs/results/pixels/table.md
echo "docs/results/pixels is up to date"
