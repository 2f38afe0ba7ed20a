#!/usr/bin/env bash
# The studies behind this page: MNIST (needs LINEWISE_DATA; about 40 minutes on two cores) and the embedded digits.
# With --report only: the pages anew from the records that lie here, without torch or images, in about a minute.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
here=docs/results/seed-study
if [ "${2:-}" != --report ]; then
  models=lstm,gru,bilstm,sequencer2d_nano,cnn,linear
  "$bin/linewise" compare mnist --images 40000 --models $models --match params --budget 80k --seeds 6 --epochs 5 \
    --tune 20 --tune-epochs 2 --tune-images 8000 --no-report --out studies/seed-params
  "$bin/linewise" compare digits --models $models --seeds 6 --epochs 5 --tune 20 --no-report --out studies/seed-digits
  for study in params digits; do
    mkdir -p $here/$study
    tar -C studies/seed-$study --exclude='*.safetensors' --exclude=model.json --exclude=README.md --exclude=report \
      --exclude=journal.log --exclude='.lock*' -cf - . | tar -C $here/$study -xf -
  done
fi
for study in params digits; do "$bin/linewise" report $here/$study; done
