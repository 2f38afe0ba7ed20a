#!/usr/bin/env bash
# Reading depth and early stops on MNIST (needs LINEWISE_DATA): half an hour on two cores; interrupted, it goes on.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin="${1:-.venv/bin}"
here=docs/results/depth
models=lstm,gru,lstm@rows-outwards,gru@rows-outwards,cnn
for how in along end; do
  options=""
  [ $how = end ] || options=--read-along
  "$bin/linewise" compare mnist --images 40000 --models $models --match params --budget 80k --seeds 3 --epochs 5 $options \
    --out studies/depth-$how
  cp studies/depth-$how/report/results.json $here/$how.json
done
mkdir -p $here/stops
for run in studies/depth-along/runs/*; do
  case $run in *cnn*) continue ;; esac
  "$bin/linewise" calibrate "$run" --loss-budget 0.1
  cp "$run/stop.json" "$here/stops/$(basename "$run").json"
done
"$bin/python" docs/figures/films.py studies/depth-along docs/figures/films.png 2
for figure in depth-accuracy depth-settled depth-classes depth-turns; do
  cp studies/depth-along/report/figures/$figure.png $here/
done
cp "studies/depth-along/runs/gru@rows-outwards-0/stop.png" $here/stop.png
"$bin/python" $here/table.py
