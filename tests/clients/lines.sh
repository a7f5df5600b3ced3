# Sourced by the scripts beside it: one line a check, a count at the end, exit 1 if any failed.
# Wants FNCTL, KUBECONFIG and an empty working folder.
set -u
export HOME=$PWD PASSED=0 FAILED=0

# check NAME EXIT PATTERN COMMAND...: the command must end with EXIT and print what the (Perl, multi-line) pattern says.
check() {
  local name=$1 want=$2 pattern=$3 printed got
  shift 3
  printed=$(timeout 60 bash -c "$*" 2>&1)
  got=$?
  if [ "$got" = "$want" ] && grep -Pzq -- "$pattern" <<< "$printed"; then
    PASSED=$((PASSED + 1))
    printf 'ok    %s\n' "$name"
  else
    FAILED=$((FAILED + 1))
    printf 'FAIL  %s: exit %s, wanted %s and /%s/\n%s\n' "$name" "$got" "$want" "$pattern" "$(sed 's/^/      | /' <<< "$printed")"
  fi
}

finish() {
  printf '%s passed, %s failed\n' "$PASSED" "$FAILED"
  [ "$FAILED" = 0 ]
}

# service NAME TARGET: the manifest of a function that greets TARGET.
service() {
  cat <<YAML
apiVersion: serving.knative.dev/v1
kind: Service
metadata: {name: $1}
spec:
  template:
    spec:
      containers:
      - image: fnctl.local/examples/hello
        env: [{name: TARGET, value: $2}]
YAML
}
