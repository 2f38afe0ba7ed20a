#!/usr/bin/env bash
# Twelve networks of the field on MNIST, from the images to the files in this folder.
# Needs LINEWISE_DATA with mnist/ in it; about an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
models="sequencer2d_nano,lstm,gru,bimingru@rows5-stride2+columns5-stride2,bilru,sequencer2d_nano_pooling"
"$bin/linewise" compare mnist --models "$models,cnn,resnet,lenet5,convnext,vit,mixer" --match params --budget 80k \
  --epochs 5 --seeds 3 --batch-size 80 --augment shift=1 --out studies/networks
bash docs/results/collect.sh "$bin" studies/networks docs/results/networks
