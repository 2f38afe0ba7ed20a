#!/usr/bin/env bash
# The MNIST study of the README, from the images to the files in this folder.
# Needs LINEWISE_DATA with mnist/ in it (or `linewise data download mnist`); takes 10 to 20 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
"$bin/linewise" compare mnist --models rnn,lstm,gru,bilstm,cnn,linear,mlp --match params --budget 80k \
  --epochs 5 --seeds 3 --out studies/mnist
bash docs/results/collect.sh "$bin" studies/mnist docs/results/mnist
