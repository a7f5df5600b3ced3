#!/usr/bin/env bash
# Builds the components that are kept in the repository. The same sources give the same bytes, wherever the checkout is.
#
#   examples/build.sh          writes them beside their sources, and their checksums into SHA256SUMS
#   examples/build.sh --check  builds them and fails where a byte differs; says so where the compiler cannot be had
set -euo pipefail
cd "$(dirname "$0")"

# Other compilers make other bytes.
compiler=1.95.0
wasm=wasm32-wasip2
# Most bytes that a component may have, so that a clone stays small.
bytes_max=$((2 << 20))
shared=${CARGO_TARGET_DIR:-${XDG_CACHE_HOME:-$HOME/.cache}/fnctl/target}
target=$shared/guests
cargo_home=${CARGO_HOME:-$HOME/.cargo}
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

has_compiler() { [[ $(rustc --version) == "rustc $compiler "* && -d $(rustc --print sysroot)/lib/rustlib/$wasm/lib ]]; }

# The compiler of the machine if it is the one, else rustup's. Says why not.
find_compiler() {
  has_compiler && return
  command -v rustup > "$out/why" || { echo "rustup is not there" > "$out/why"; return 1; }
  export RUSTUP_TOOLCHAIN=$compiler
  has_compiler 2> "$out/why" && return
  rustup --quiet toolchain install "$compiler" --profile minimal --target "$wasm" 2> "$out/why" && has_compiler
}

# Paths of this machine are no part of the bytes: sources of crates, of the standard library, and made ones. Our own are
# given to the compiler relative to their workspace.
flags() {
  local sources
  printf -- '--remap-path-prefix=%s=/rust --remap-path-prefix=%s=/target' "$(rustc --print sysroot)" "$target"
  for sources in "$cargo_home"/registry/src/*; do printf -- ' --remap-path-prefix=%s=/cargo' "$sources"; done
}

# build WORKSPACE FLAGS [ARGUMENTS]: the flags name folders of crates, so these are fetched first.
build() {
  local workspace=$1 more=$2
  shift 2
  (
    cd "$workspace"
    cargo fetch --quiet --locked --target "$wasm"
    RUSTFLAGS="$(flags) $more" cargo build --quiet --locked --release --target "$wasm" --target-dir "$target" "$@"
  )
}

build_all() {
  local made=$target/$wasm/release source name
  bash ../tests/tools/claim.sh "$shared"
  mkdir -p "$out"/{hello,guests,xray}
  build hello ""
  cp "$made/hello.wasm" "$out/hello/"
  build guests "" --examples
  for source in guests/examples/*.rs; do
    name=$(basename "$source" .rs)
    cp "$made/examples/${name//-/_}.wasm" "$out/guests/$name.wasm"
  done
  # A decoder of pictures is a third faster with 128-bit vectors.
  build xray "-C target-feature=+simd128" -p xray -p xray-alert -p xray-phantom
  cp "$made"/{xray,alert,phantom}.wasm "$out/xray/"
  (cd "$out" && { echo "# $(rustc --version), target $wasm" && sha256sum hello/*.wasm guests/*.wasm xray/*.wasm; } > SHA256SUMS)
  if find "$out" -name '*.wasm' -size "+${bytes_max}c" | grep .; then echo "more than $bytes_max bytes" >&2; return 1; fi
}

mode=${1:-}
# Without a compiler too, what is kept must be what was built last.
[ "$mode" != --check ] || sha256sum --quiet --check SHA256SUMS
if ! find_compiler; then
  echo "skipped: rustc $compiler with $wasm cannot be had here, so the components were not built: $(grep -m 1 error "$out/why" || head -n 1 "$out/why")" >&2
  [ "$mode" = --check ]
  exit
fi
build_all
if [ "$mode" = --check ]; then
  diff SHA256SUMS "$out/SHA256SUMS" || { echo "the kept components are not what their sources build to" >&2; exit 1; }
  echo "all components are what their sources build to"
else
  cp -r "$out"/{hello,guests,xray,SHA256SUMS} .
fi
