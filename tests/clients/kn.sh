#!/usr/bin/env bash
# What people and scripts do with kn, done with the real one. KN names it.
. "$(dirname "$0")/lines.sh"
kn() { "$KN" --kubeconfig "$KUBECONFIG" "$@"; }
export -f kn
export KN FNCTL KUBECONFIG
image=fnctl.local/examples/hello

check "service create waits until it is ready" 0 'Ready to serve|is ready|available at URL|http://k1.default.localhost' kn service create k1 --image $image --env TARGET=one
check "service list" 0 'k1 +http://k1.default.localhost:\d+ +k1-00001 .*3 OK / 3 +True' kn service list
check "service describe" 0 'k1-00001(.*\n)*.*Image: +fnctl.local/examples/hello' kn service describe k1
check "service update makes a revision" 0 k1-00002 kn service update k1 --env TARGET=two
check "the new revision serves" 0 two "curl -s \$(kn service describe k1 -o url)"
check "service update of scale bounds" 0 k1-00003 kn service update k1 --scale-max 3
check "revision list and describe" 0 'k1-00003 (.*\n)*k1-00001 (.*\n)*Name: +k1-00001\n(.*\n)*.*Image:' "kn revision list -s k1; kn revision describe k1-00001"
check "route list and describe" 0 'k1 +http://k1' "kn route list; kn route describe k1"
check "revision delete --prune spares the one that serves" 0 "k1-00001' deleted" "kn revision delete --prune k1 > gone.txt; cat gone.txt; ! grep k1-00003 gone.txt"
check "service apply and export" 0 'value: three(.*\n)*.*image: fnctl.local/examples/hello' "kn service apply k1 --image $image --env TARGET=three && kn service export k1 -o yaml"
check "service create --force replaces" 0 replaced kn service create k1 --image $image --force
check "broker create, list, describe" 0 'created(.*\n)*b1 +http(.*\n)*Name: +b1\n' "kn broker create b1 && $FNCTL --kubeconfig $KUBECONFIG wait broker/b1 --for condition=Ready && kn broker list && kn broker describe b1"
check "trigger create, list, describe, update" 0 'ksvc:k1(.*\n)*.*updated' "kn trigger create t1 --broker b1 --filter type=x --sink ksvc:k1 && kn trigger list && kn trigger describe t1 && kn trigger update t1 --filter type=y"
check "trigger and broker delete" 0 deleted "kn trigger delete t1 && kn broker delete b1"
check "service delete --wait" 0 deleted kn service delete k1 --wait
check "a field without effect is warned of" 0 'Warning: spec.template.spec.containers\[0\].command: has no effect' kn service create k3 --image $image --cmd sh
check "an image that is not there says so" 1 'fnctl.local/examples/nothing' kn service create k2 --image fnctl.local/examples/nothing --wait-timeout 10
finish
