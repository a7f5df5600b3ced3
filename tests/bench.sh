#!/usr/bin/env bash
# Measures the release binary beside its peer and writes NUMBERS.md, whole or not at all. Takes about ten minutes.
# Exit code 1 where a goal is missed; NUMBERS.md is written then too, since it says so.
#
#   tests/bench.sh [FILE]      (default: NUMBERS.md)
set -euo pipefail
cd "$(dirname "$0")/.."

export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fnctl/target}
bash tests/tools/claim.sh "$CARGO_TARGET_DIR"
report=${1:-NUMBERS.md}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

tools=$(bash tests/tools/install.sh wasmtime | tail -n 1)
peer=$tools/wasmtime
cargo build --release --locked -p fnctl
fnctl=$CARGO_TARGET_DIR/release/fnctl

# measure NAME ARGUMENTS...: one benchmark. One that failed prints no table of goals; one that missed goals does.
missed=0
measure() {
  local name=$1 status=0
  shift
  "$fnctl" bench "$name" "$@" --check > "$work/$name" || status=$?
  if [ "$status" -ne 0 ]; then
    grep -q '^GOAL ' "$work/$name" || exit "$status"
    missed=1
  fi
}

measure http --peer "$peer"
measure cold
measure event

{
  echo "# Numbers"
  echo
  echo "Written by \`tests/bench.sh\`; what each goal asks for stands in \`cli/src/command/bench/goals.rs\`. The client runs on the"
  echo "same cores as the servers, which counts against both sides alike: compare figures of one run, not of two machines."
  echo "The load average tells how busy the machine was with other work; with other work, absolute times are worth little."
  echo
  echo "| | |"
  echo "| --- | --- |"
  echo "| date | $(date -u +%Y-%m-%dT%H:%M:%SZ) |"
  echo "| commit | $(git rev-parse HEAD)$(git diff --quiet HEAD -- . || echo ', with changes') |"
  echo "| CPU | $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -n 1), $(nproc) cores |"
  echo "| kernel | $(uname -sr) |"
  echo "| rustc | $(rustc --version) |"
  echo "| fnctl | $("$fnctl" --version), sha256 $(sha256sum "$fnctl" | cut -d ' ' -f 1) |"
  echo "| peer | $("$peer" --version), sha256 $(sha256sum "$peer" | cut -d ' ' -f 1) |"
  for name in http cold event; do
    printf '\n## fnctl bench %s\n\n```text\n' "$name"
    tail -n +3 "$work/$name"
    printf '```\n'
  done
} > "$work/report"
mv "$work/report" "$report"
echo "written: $report" >&2
exit "$missed"
