#!/usr/bin/env bash
# All set-up and all checks, in the order in which they are cheap. One command, also for CI.
set -euo pipefail
cd "$(dirname "$0")/.."

# Build products live outside of the checkout, so that clones share them.
export CARGO_TARGET_DIR=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fnctl/target}
export CARGO_TERM_COLOR=${CARGO_TERM_COLOR:-never}
export CARGO_INCREMENTAL=${CARGO_INCREMENTAL:-0}

bash tests/tools/claim.sh "$CARGO_TARGET_DIR"

step() {
  local name=$1 begun=$SECONDS
  shift
  printf '\n== %s\n' "$name"
  "$@"
  printf -- '-- %s: %s s\n' "$name" $((SECONDS - begun))
}

install_tools() { FNCTL_TOOLS=$(bash tests/tools/install.sh | tail -n 1); }

step "format" cargo fmt --all --check
step "tools" install_tools
export FNCTL_TOOLS
step "dependency policy" "$FNCTL_TOOLS/bin/cargo-deny" --locked --log-level error check bans licenses sources
step "lints" cargo clippy --workspace --all-targets --locked -- -D warnings
step "documentation" env RUSTDOCFLAGS='-D warnings' cargo doc --workspace --no-deps --locked --quiet --document-private-items
step "components" bash examples/build.sh --check
# The showcase is a workspace of its own: its table of films and its anonymising are tested here, without wasm.
step "showcase" env CARGO_TARGET_DIR="$CARGO_TARGET_DIR/guests" cargo test --manifest-path examples/xray/Cargo.toml --workspace --locked --quiet
# What hangs fails too, long after the slowest machine is done.
step "tests" timeout 40m cargo test --workspace --locked --no-fail-fast
printf '\nall checks passed in %s s\n' "$SECONDS"
