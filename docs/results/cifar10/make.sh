#!/usr/bin/env bash
# The same panel on CIFAR-10 as a folder of JPEGs, with a small budget: 8,000 images, 5 epochs.
# CIFAR10 names the folder with train/CLASS/*.jpg and test/CLASS/*.jpg; about half an hour on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
readers="lstm,gru,gru@rows5-stride2,bimingru@rows3+columns3:readout=max,bilru,sequencer2d_nano"
controls="sequencer2d_nano_pooling,sequencer2d_nano_identity,mixer"
"$bin/linewise" compare "$CIFAR10" --models "$readers,$controls,cnn,resnet,lenet5,convnext,vit" --match params \
  --budget 80k --images 8000 --validation 2000 --epochs 5 --seeds 3 --batch-size 50 --augment shift=2,flip=0.5 \
  --jobs "${JOBS:-auto}" --out studies/cifar10
bash docs/results/collect.sh "$bin" studies/cifar10 docs/results/cifar10
rm docs/results/cifar10/index.html  # seven megabytes of photographs; it stays in studies/cifar10/report
