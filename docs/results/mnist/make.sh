#!/usr/bin/env bash
# The MNIST study of the README, from the images to the files in this folder.
# Needs LINEWISE_DATA with mnist/ in it (or `linewise data download mnist`); takes 10 to 20 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
"$bin/linewise" compare mnist --models rnn,lstm,gru,bilstm,cnn,linear,mlp --match params --budget 80k \
  --epochs 5 --seeds 3 --out studies/mnist
mkdir -p docs/results/mnist/figures
cp studies/mnist/report/index.html studies/mnist/report/results.csv studies/mnist/report/results.json docs/results/mnist/
cp studies/mnist/report/figures/*.png docs/results/mnist/figures/
"$bin/python" docs/results/table.py docs/results/mnist/results.json >docs/results/mnist/table.md
echo "docs/results/mnist is up to date"
