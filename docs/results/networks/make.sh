#!/usr/bin/env bash
# Fourteen networks of the field on MNIST, from the images to the files in this folder.
# Needs LINEWISE_DATA with mnist/ in it; about an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
readers="lstm,gru,gru@rows5-stride2,bimingru@rows3+columns3:readout=max,bilru,sequencer2d_nano"
controls="sequencer2d_nano_pooling,sequencer2d_nano_identity,mixer"
"$bin/linewise" compare mnist --models "$readers,$controls,cnn,resnet,lenet5,convnext,vit" --match params --budget 80k \
  --epochs 5 --seeds 3 --batch-size 64 --augment shift=1 --jobs "${JOBS:-auto}" --out studies/networks
bash docs/results/collect.sh "$bin" studies/networks docs/results/networks
