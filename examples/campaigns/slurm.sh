#!/bin/sh
# A campaign spread over a Slurm cluster: one array task for each shard, and a last job that merges them.
#
#   slurm.sh CAMPAIGN.toml SHARDS OUT     OUT: a folder that all machines see
#
# Submits, prints the id of the merging job, and does not wait; OUT/merged.log has the closing table, and the merging job's exit code
# is the campaign's. Put what your cluster needs (--partition, --time, --cpus-per-task) into SBATCH_OPTIONS.
set -eu
campaign=$(realpath "$1")
shards=$2
mkdir -p "$3"
out=$(realpath "$3")
ordeal=${ORDEAL:-ordeal}
# A shard that finds an anomaly ends with 1, which Slurm calls FAILED: the merging job comes after any end.
# shellcheck disable=SC2086 -- the options are words on purpose
array=$(sbatch --parsable ${SBATCH_OPTIONS:-} --job-name=ordeal --array="1-$shards" --output="$out/shard-%a.log" \
  --wrap="$ordeal run '$campaign' --shard \$SLURM_ARRAY_TASK_ID/$shards --store '$out/shard-'\$SLURM_ARRAY_TASK_ID")
# shellcheck disable=SC2086
sbatch --parsable ${SBATCH_OPTIONS:-} --job-name=ordeal-merge --dependency="afterany:${array%%;*}" --output="$out/merged.log" \
  --wrap="$ordeal merge '$out'/shard-*/ --store '$out/merged'"
