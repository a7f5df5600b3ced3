#!/usr/bin/env bash
# Rebuilds the components of this example, reproducibly, and their checksums.
#   build.sh          writes xray.wasm, alert.wasm, phantom.wasm, SHA256SUMS and BUILT-WITH beside this script
#   build.sh --check  builds, and compares with what is there
# Needs the target: rustup target add wasm32-wasip2. Other compilers give other bytes: BUILT-WITH names the one used.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
target=${CARGO_TARGET_DIR:-$here/target}
limit=$((2 << 20))

# The sources are fetched first, so that their folder is known. No path of the building machine in the bytes; the J2K decoder is a third faster with 128-bit vectors.
(cd "$here" && cargo fetch --locked --quiet --target wasm32-wasip2)
RUSTFLAGS="--remap-path-prefix=$root=/src --remap-path-prefix=${CARGO_HOME:-$HOME/.cargo}=/cargo"
RUSTFLAGS+=" --remap-path-prefix=$(rustc --print sysroot)=/rust --remap-path-prefix=$target=/target"
for sources in "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*; do RUSTFLAGS+=" --remap-path-prefix=$sources=/cargo"; done
export RUSTFLAGS="$RUSTFLAGS -C target-feature=+simd128"
(cd "$here" && cargo build --locked --release --target wasm32-wasip2 -p xray -p xray-alert -p xray-phantom)

out=$here
if [ "${1:-}" = --check ]; then out=$(mktemp -d); fi
for name in xray alert phantom; do
  cp "$target/wasm32-wasip2/release/$name.wasm" "$out/$name.wasm"
  size=$(wc -c <"$out/$name.wasm")
  if [ "$size" -gt "$limit" ]; then echo "$name.wasm has $size bytes, the limit is $limit" >&2; exit 1; fi
done
(cd "$out" && sha256sum alert.wasm phantom.wasm xray.wasm >SHA256SUMS && rustc --version >BUILT-WITH)
if [ "$out" != "$here" ]; then
  if ! cmp -s "$out/BUILT-WITH" "$here/BUILT-WITH"; then
    echo "not compared: this is $(cat "$out/BUILT-WITH"), the bytes were built with $(cat "$here/BUILT-WITH")"
  else
    diff "$here/SHA256SUMS" "$out/SHA256SUMS" && echo "the bytes are the same"
  fi
  rm -r "$out"
fi
