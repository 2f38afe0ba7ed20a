#!/usr/bin/env bash
# MNIST pixel by pixel, 784 steps, in their order and permuted, from the images to the files in this folder; then the
# best of the cells with all images, in their order, for an hour. Needs LINEWISE_DATA with mnist/ in it; about an hour
# and a half on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
for reading in pixels permuted0; do
  models=""
  for cell in lstm gru irnn mingru lru mlstm; do models="$models,$cell@$reading"; done
  "$bin/linewise" compare mnist --models "${models#,}" --match params --budget 20k --images 10000 --validation 2000 \
    --epochs 5 --seeds 1 --batch-size 50 --jobs "${JOBS:-auto}" --out "studies/$reading"
done
"$bin/linewise" compare mnist --models lru@pixels:layers=3 --match params --budget 40k --epochs 15 --batch-size 50 \
  --lr 0.004 --augment shift=1 --seeds 1 --jobs 1 --out studies/pixels-best
for name in pixels permuted0 pixels-best; do
  mkdir -p "docs/results/pixels/$name"
  cp "studies/$name/report/results.json" "studies/$name/report/results.csv" "docs/results/pixels/$name/"
done
"$bin/python" docs/results/pixels/table.py >docs/results/pixels/table.md
echo "docs/results/pixels is up to date"
