#!/bin/sh
# Makes the pictures of docs/ablations.md and docs/bandit.md again: trains on the bundled maze sample,
# on hopper data that it collects, and on a 2-D density, and draws.
#
#   sh docs/figures/make.sh           three seeds at the budget of docs/results.md, pictures in
#                                     docs/figures
#   sh docs/figures/make.sh --quick   two seeds and a fifth of the steps, pictures in
#                                     runs/figures-quick
#
# Finished runs are reused and unfinished ones continued, so an interrupted call can be repeated.
# DENO names another Deno. The times were measured.
# shellcheck disable=SC2086 # lists of flags are split into words
set -eu
cd "$(dirname "$0")/../.."
deno=${DENO:-deno}

case "${1:-}" in
  "")
    runs=runs/figures pictures=docs/figures
    seeds=100-102 episodes=100 few=20 critic=20000 behavior=8000 policy=3000 every=300
    short="" brief="" hopper="" bandit="" often="--eval-every 2000" seldom="--eval-every 2000"
    echo "This takes about two and a half hours on two processor cores (AMD EPYC, Zen 4, Mesa 25.0)." ;;
  --quick)
    runs=runs/figures-quick pictures=runs/figures-quick
    seeds=100-101 episodes=10 few=10 critic=4000 behavior=1600 policy=600 every=120
    short="--steps 4000" brief="--steps 2000" bandit=--quick
    hopper="--critic-steps 1000 --behavior-steps 1000 --policy-steps 500"
    often="--eval-every 800" seldom="--eval-every 1000"
    echo "This takes about 8 minutes on two processor cores (AMD EPYC, Zen 5, Mesa 25.0)." ;;
  *)
    echo "usage: sh docs/figures/make.sh [--quick]" >&2
    exit 2 ;;
esac
echo "Runs are in $runs, pictures in $pictures."
mkdir -p "$runs" "$pictures"

# run NAME FLAGS…: trains unless the run is finished, and continues an unfinished one.
run() {
  name=$1
  shift
  if grep -qs '"finished": true' "$runs/$name/results.json"; then
    echo "$name: finished before"
  elif [ -e "$runs/$name/config.json" ]; then
    echo "$name: continues"
    "$deno" run -A cli.ts train --resume "$runs/$name" > "$runs/$name.log"
  else
    echo "$name: train $*"
    "$deno" run -A cli.ts train "$@" --out "$runs/$name" > "$runs/$name.log"
  fi
  # Ctrl-C ends a run with code 130 and a checkpoint; set -e then ends this script too.
}

# Scores of the official code (docs/results.md), which this script does not train.
[ -e "$runs/official.jsonl" ] || cp docs/figures/official.jsonl "$runs"

# The critics and behavior models that the ablations share, and the default policies. IDQL draws
# candidates and acts slowly, so the runs that have such a policy play fewer episodes.
run base --preset quick --seeds "$seeds" --eval-episodes "$few" \
  --critic-steps "$critic" --critic-batch-size 256 --target-rate 0.005 \
  --behavior-steps "$behavior" --behavior-batch-size 256 --policy-steps "$policy" --beta 0.3

from="--stage policy --from $runs/base --eval-episodes $episodes"
run weighting $from --normalize-weighting true --times 0.02,0.5,0.98 \
  --weightings sigma2,sigma4,alpha_over_sigma,constant,two_term,fixed_time
run baseline $from --no-cache --baselines true,false --eval-every $every
run beta $from --betas 0.03,0.1,0.3,1,3
run layers $from --policy-layers 2
run plain-beta $from --normalize-beta false --betas 0.01,0.1

# Figures 8 and 15 in hopper.
if ! [ -e "$runs/hopper.hdf5" ]; then
  "$deno" run -A cli.ts data collect --policy data/hopper-medium.safetensors \
    --task hopper-medium-v2 --noise 0.2 --out "$runs/hopper.hdf5"
fi
run hopper "$runs/hopper.hdf5" --task hopper-medium-v2 --preset quick --seeds "$seeds" \
  --eval-episodes 0 $hopper
from="--stage policy --from $runs/hopper --eval-episodes $episodes"
run hopper-beta $from --betas 0.001,0.003,0.01,0.03
run hopper-weighting $from --normalize-weighting true --times 0.02,0.5,0.98 \
  --weightings sigma2,alpha_over_sigma,constant,fixed_time

# Figure 13: a critic with an extreme expectile, whose target follows slowly or at once.
for rate in 0.005 1; do
  run "target-$rate" --preset quick --stage critic --seeds "$seeds" --eval-episodes 0 \
    --critic-steps $((critic / 5)) --critic-batch-size 256 --expectile 0.99 --target-rate "$rate"
done

# Figures 1, 6, 7 and 16: the other algorithms at their quick budgets.
run iql --algorithm iql $short --preset quick --seeds "$seeds" --eval-episodes "$few" $often
run td3-bc --algorithm td3-bc $short --preset quick --seeds "$seeds" --eval-episodes "$few" $often
run idql --algorithm idql $brief --preset quick --seeds "$seeds" --eval-episodes "$few" $seldom
run diffusion-ql --algorithm diffusion-ql $brief --preset quick --seeds "$seeds" \
  --eval-episodes "$few" $seldom

# Figures 2 to 5 and 9 to 12 (docs/bandit.md).
"$deno" run -A cli.ts bandit $bandit --out "$runs/bandit"
cp "$runs/bandit/8gaussians-summary.svg" "$pictures/bandit-8gaussians.svg"
cp "$runs/bandit/8gaussians.svg" "$pictures/bandit-8gaussians-all.svg"

"$deno" run -A tools/action_times.ts "$runs"
"$deno" run -A tools/figures.ts "$runs" "$pictures"
