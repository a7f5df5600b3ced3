#!/bin/sh
# Builds the components that are kept in the repository. Without arguments it writes them beside their sources; with
# --check it compares and fails where bytes differ. Other compilers make other bytes: the one used is in SHA256SUMS.
set -eu
cd "$(dirname "$0")"
here=$(pwd)
target=${CARGO_TARGET_DIR:-$here/target}
sysroot=$(rustc --print sysroot)
cargo_home=${CARGO_HOME:-$HOME/.cargo}
export RUSTFLAGS="--remap-path-prefix=$here=/src --remap-path-prefix=$cargo_home=/cargo --remap-path-prefix=$sysroot=/rust"
out=$(mktemp -d)
trap 'rm -rf "$out"' EXIT

build() { (cd "$1" && shift && cargo build --quiet --locked --release --target wasm32-wasip2 --target-dir "$target" "$@"); }

mkdir -p "$out/hello" "$out/guests"
build hello
cp "$target/wasm32-wasip2/release/hello.wasm" "$out/hello/hello.wasm"
build guests --examples
for source in guests/examples/*.rs; do
    name=$(basename "$source" .rs)
    cp "$target/wasm32-wasip2/release/examples/$(echo "$name" | tr - _).wasm" "$out/guests/$name.wasm"
done
{ echo "# $(rustc --version), target wasm32-wasip2"; (cd "$out" && sha256sum hello/*.wasm guests/*.wasm); } > "$out/SHA256SUMS"

if [ "${1:-}" = --check ]; then
    diff SHA256SUMS "$out/SHA256SUMS" || { echo "the kept components are not what their sources build to" >&2; exit 1; }
    sha256sum --quiet --check SHA256SUMS
    echo "all components are what their sources build to"
else
    cp "$out"/hello/*.wasm hello/
    cp "$out"/guests/*.wasm guests/
    cp "$out/SHA256SUMS" .
fi
