#!/usr/bin/env bash
# The studies behind this page: MNIST at matched parameters and at matched multiply-accumulates (needs LINEWISE_DATA), the
# embedded digits, and CIFAR-10 (CIFAR10 names a folder with train/CLASS/*.jpg and test/CLASS/*.jpg; without it, three
# studies). About an hour and a half on two cores; interrupted, it goes on.
# With --report only: pages and tables anew from the records that lie here, without torch or images, in two minutes.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
here=docs/results/seed-study
studies="params macs digits cifar10"
if [ "${2:-}" != --report ]; then
  models=lstm,gru,bilstm,sequencer2d_nano,cnn,linear
  trials="--seeds 6 --epochs 5 --tune 20 --no-report"
  short="--tune-epochs 2"
  "$bin/linewise" compare mnist --images 40000 --models $models --match params --budget 80k $trials $short \
    --tune-images 8000 --out studies/seed-params
  "$bin/linewise" compare mnist --images 40000 --models $models --match macs --budget 1M $trials $short \
    --tune-images 8000 --out studies/seed-macs
  "$bin/linewise" compare digits --models $models $trials --out studies/seed-digits
  if [ -n "${CIFAR10:-}" ]; then
    "$bin/linewise" compare "$CIFAR10" --images 4000 --models $models --match params --budget 80k $trials $short \
      --tune-images 2000 --out studies/seed-cifar10
  fi
  for study in $studies; do
    [ -e "studies/seed-$study" ] || continue
    mkdir -p $here/$study
    tar -C studies/seed-$study --exclude='*.safetensors' --exclude=model.json --exclude=stop.* --exclude='runs/*/README.md' \
      --exclude=report --exclude=journal.log --exclude='.lock*' -cf - . | tar -C $here/$study -xf -
  done
  if [ -n "${CIFAR10:-}" ]; then # where it lay is of no interest
    sed -i.bak "s|$CIFAR10|$(basename "$CIFAR10")|g" $here/cifar10/study.json $here/cifar10/openings.jsonl
    rm $here/cifar10/*.bak
  fi
fi
for study in $studies; do "$bin/linewise" report $here/$study; done
"$bin/python" $here/tables.py $studies
