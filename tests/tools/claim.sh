#!/usr/bin/env bash
# Makes a target folder ours, before cargo builds in it. Cargo tells by time alone whether a source is newer than what was
# built, so that in a folder that several checkouts share, one's older files would pass for built from another's. Where
# another checkout built last, ours are touched: they are built again, their dependencies are not.
#
#   tests/tools/claim.sh TARGET-FOLDER
set -euo pipefail
cd "$(dirname "$0")/../.."
owner=$1/checkout
[ "$(cat "$owner" 2> /dev/null)" != "$PWD" ] || exit 0
git ls-files -z | xargs -0 touch --no-create
mkdir -p "$1"
echo "$PWD" > "$owner"
