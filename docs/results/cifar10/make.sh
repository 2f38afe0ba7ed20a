#!/usr/bin/env bash
# The same panel on CIFAR-10 as a folder of JPEGs, with a small budget of images and epochs.
# CIFAR10 names the folder with train/CLASS/*.jpg and test/CLASS/*.jpg; about 20 minutes on two cores.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
models="sequencer2d_nano,lstm,gru,bimingru@rows5-stride2+columns5-stride2,bilru,sequencer2d_nano_pooling"
"$bin/linewise" compare "$CIFAR10" --models "$models,cnn,resnet,lenet5,convnext,vit,mixer" --match params --budget 80k \
  --images 4000 --validation 2000 --epochs 5 --seeds 3 --batch-size 50 --augment shift=2,flip=0.5 --out studies/cifar10
bash docs/results/collect.sh "$bin" studies/cifar10 docs/results/cifar10
