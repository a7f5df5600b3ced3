#!/usr/bin/env bash
# What people and tools do with kubectl, done with the real one. KUBECTL names it.
. "$(dirname "$0")/lines.sh"
kubectl() { "$KUBECTL" "$@"; }
export -f kubectl
export KUBECTL FNCTL KUBECONFIG

service hello one > one.yaml
service hello two > two.yaml
service bad one | sed 's/env:/envv:/' > unknown.yaml
service typo one | sed 's/env: .*/env: three/' > type.yaml
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, labels: {a: b}}\ndata: {k: one, l: two}\n' > map.yaml
printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf, labels: {a: c}}\ndata: {k: nine, m: three}\n' > map2.yaml

check "apply creates" 0 created kubectl apply -f one.yaml
check "wait for Ready" 0 "condition met" kubectl wait --for=condition=Ready ksvc/hello --timeout=30s
check "apply again changes nothing" 0 unchanged kubectl apply -f one.yaml
check "get shows Knative's columns" 0 'NAME +URL +LATESTCREATED +LATESTREADY +READY +REASON\nhello +http://hello.default.localhost:\d+ +hello-00001 +hello-00001 +True' kubectl get ksvc
check "get -o yaml" 0 'observedGeneration: 1\n' kubectl get ksvc hello -o yaml
check "get -o name" 0 "service.serving.knative.dev/hello" kubectl get ksvc -o name
check "get -o jsonpath" 0 "True" "kubectl get ksvc hello -o jsonpath='{.status.conditions[?(@.type==\"Ready\")].status}'"
check "the URL answers" 0 "one" "curl -s \$(kubectl get ksvc hello -o jsonpath='{.status.url}')"
(timeout 20 "$KUBECTL" get ksvc hello -w --output-watch-events > watch.txt 2>&1) &
watching=$!
check "the watch has begun" 0 ADDED "until grep -q ADDED watch.txt; do :; done; cat watch.txt"
check "apply a change" 0 configured kubectl apply -f two.yaml
check "the change makes a revision" 0 "condition met" "kubectl wait --for=jsonpath='{.status.latestReadyRevisionName}'=hello-00002 ksvc/hello --timeout=30s"
check "the new revision serves" 0 "two" "curl -s \$(kubectl get ksvc hello -o jsonpath='{.status.url}')"
kill "$watching" 2> /dev/null
check "get -w: one header, then changes" 0 '^EVENT.*\nADDED[^E]*(MODIFIED.*\n)+' cat watch.txt
check "diff: none" 0 '^\n?$' kubectl diff -f two.yaml
check "diff: some" 1 "value: one" kubectl diff -f one.yaml
check "label and annotate leave the generation" 0 "labeled\n.*annotated\n2" "kubectl label ksvc hello t=1; kubectl annotate ksvc hello n=2; kubectl get ksvc hello -o jsonpath='{.metadata.generation}'"
check "-l and --field-selector" 0 '^service.serving.knative.dev/hello\nservice.serving.knative.dev/hello\n$' "kubectl get ksvc -l 't in (1,2)' -o name; kubectl get ksvc -l '!t' -o name; kubectl get ksvc -l 't in (2,3)' -o name; kubectl get ksvc --field-selector metadata.name=hello -o name; kubectl get ksvc --field-selector metadata.name=other -o name"
check "describe shows conditions and events" 0 'Conditions:(.*\n)*Events:(.*\n)*.*Created' kubectl describe ksvc hello
check "get events" 0 "Created" kubectl get events
check "events --for" 0 'Created(.*\n)*No events' "kubectl events --for Service/hello; kubectl events --for Service/other"
check "revisions, routes, configurations" 0 'revision.serving.knative.dev/hello-00001\nrevision.serving.knative.dev/hello-00002\nroute.serving.knative.dev/hello\nconfiguration.serving.knative.dev/hello' "kubectl get rev,rt,cfg -o name"
check "logs of the function" 0 "com.example.logged" "curl -s -H 'ce-specversion: 1.0' -H 'ce-type: com.example.logged' -H 'ce-source: test' -H 'ce-id: one' -X POST \$(kubectl get ksvc hello -o jsonpath='{.status.url}'); kubectl logs \$(kubectl get pods -o name | grep hello-00002)"
timeout="kubectl get ksvc hello -o jsonpath='{.spec.template.spec.timeoutSeconds}'"
check "patch merge" 0 'patched\n5' "kubectl patch ksvc hello --type merge -p '{\"spec\":{\"template\":{\"spec\":{\"timeoutSeconds\":5}}}}'; $timeout"
check "patch JSON" 0 'patched\n6' "kubectl patch ksvc hello --type json -p '[{\"op\":\"replace\",\"path\":\"/spec/template/spec/timeoutSeconds\",\"value\":6}]'; $timeout"
check "patch strategic on a custom kind is refused" 1 "not supported|not support" "kubectl patch ksvc hello -p '{\"spec\":{}}'"
check "an unknown field is refused, with its path" 1 'unknown field "spec.template.spec.containers\[0\].envv"' kubectl create -f unknown.yaml
check "a wrong type is refused, with its path" 1 'spec.template.spec.containers\[0\].env' kubectl create -f type.yaml
check "a field without effect is warned of" 0 'Warning: spec.template.spec.containers\[0\].command: has no effect.*\n.*created' "sed 's/{name: hello}/{name: warned}/; s/env:/command: [sh]\n        env:/' one.yaml | kubectl create --dry-run=server -f -"
check "an immutable field is refused" 1 "[Ii]mmutable" "kubectl patch rev hello-00001 --type merge -p '{\"spec\":{\"containerConcurrency\":7}}'"
check "a missing image is refused" 1 'containers\[0\].image' "sed '/image:/d; s/        env:/      - env:/' one.yaml | kubectl apply -f -"
check "--dry-run=server stores nothing" 1 NotFound "kubectl create cm dry --from-literal=a=b --dry-run=server -o name; kubectl get cm dry"
check "explain" 0 'containerConcurrency(.*\n)*.*containers' kubectl explain ksvc.spec.template.spec
check "explain --recursive" 0 imagePullPolicy kubectl explain ksvc --recursive
check "explain looks into what may be left out" 0 'backoffDelay' kubectl explain broker.spec.delivery
check "api-resources" 0 'services +.*ksvc.* +serving.knative.dev/v1 +true +Service' kubectl api-resources
check "get all" 0 'service.serving.knative.dev/hello' kubectl get all -o name
check "map: apply twice" 0 'created\n.*unchanged' "kubectl apply -f map.yaml; kubectl apply -f map.yaml"
check "map: apply a change" 0 '\{"k":"nine","m":"three"\}' "kubectl apply -f map2.yaml; kubectl get cm conf -o jsonpath='{.data}'"
check "server-side apply conflicts with another manager" 1 'conflict with "kubectl-client-side-apply"' kubectl apply -f map.yaml --server-side
check "--force-conflicts takes over, dropped keys go" 0 '\{"k":"one","l":"two"\}' "kubectl apply -f map.yaml --server-side --force-conflicts; kubectl get cm conf -o jsonpath='{.data}'"
check "two managers, disjoint keys" 0 '\{"k":"one","l":"two","z":"z"\}' "printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: conf}\ndata: {z: z}\n' | kubectl apply --server-side --field-manager other -f - ; kubectl get cm conf -o jsonpath='{.data}'"
check "server-side apply of a function" 0 serverside-applied "sed 's/hello}/ssa}/' one.yaml | kubectl apply --server-side -f -"
check "replace with a stale version" 1 "object has been modified" "kubectl get cm conf -o json > stale.json; kubectl label cm conf n=1; kubectl replace -f stale.json"
check "edit" 0 'edited\ntwelve' "EDITOR='sed -i s/two/twelve/' kubectl edit cm conf; kubectl get cm conf -o jsonpath='{.data.l}'"
check "create map, secret, namespace" 0 '(created\n.*){3}' "kubectl create cm p1 --from-literal=a=b; kubectl create secret generic p2 --from-literal=a=b; kubectl create ns n1"
check "auth can-i" 0 yes kubectl auth can-i create ksvc
check "auth can-i: what would be refused" 1 '^no' kubectl auth can-i create pods
check "create in a namespace that is not there" 1 'namespaces "nope" not found' kubectl create cm x -n nope --from-literal=a=b
check "the default namespace stays" 1 'this namespace may not be deleted' kubectl delete ns default
check "a pod of one's own is refused" 1 'make a Service' kubectl run x --image=y
check "deleting a namespace takes what is in it" 1 NotFound "kubectl create cm x -n n1 --from-literal=a=b; kubectl delete ns n1; kubectl get cm x -n n1"
check "a finalizer holds an object" 0 "condition met" "kubectl patch cm conf --type merge -p '{\"metadata\":{\"finalizers\":[\"example.test/hold\"]}}'; kubectl delete cm conf --wait=false; kubectl get cm conf -o jsonpath='{.metadata.deletionTimestamp}' | grep -q T || exit 4; kubectl patch cm conf --type json -p '[{\"op\":\"remove\",\"path\":\"/metadata/finalizers\"}]'; kubectl wait --for=delete cm/conf --timeout=20s && echo condition met"
check "40 racing writers, none lost" 0 '^40' "kubectl create cm race > /dev/null; seq 40 | xargs -P 8 -I% $KUBECTL annotate cm race k%=1 > /dev/null; kubectl get cm race -o yaml | grep -c '^    k[0-9]*: \"1\"'"
check "paging" 0 '^25' "for i in \$(seq 25); do echo '---'; printf 'apiVersion: v1\nkind: ConfigMap\nmetadata: {name: pg%s, labels: {pg: page}}\n' \$i; done | kubectl create -f - > /dev/null; kubectl get cm -l pg=page --chunk-size 4 -o name | wc -l"
check "broker and trigger" 0 "condition met\n.*condition met" "printf 'apiVersion: eventing.knative.dev/v1\nkind: Broker\nmetadata: {name: b}\n---\napiVersion: eventing.knative.dev/v1\nkind: Trigger\nmetadata: {name: t}\nspec: {broker: b, filter: {attributes: {type: x}}, subscriber: {ref: {apiVersion: serving.knative.dev/v1, kind: Service, name: hello}}}\n' | kubectl apply -f - ; kubectl wait --for=condition=Ready broker/b --timeout=30s; kubectl wait --for=condition=Ready trigger/t --timeout=30s"
check "trigger columns" 0 'NAME +BROKER +SUBSCRIBER_URI +AGE +READY +REASON\nt +b +http' kubectl get triggers
check "explain broker, trigger, bucketsource" 0 'KIND: +Broker(.*\n)*KIND: +Trigger(.*\n)*KIND: +BucketSource' "kubectl explain broker; kubectl explain trigger; kubectl explain bucketsource"
check "delete takes what the function owns" 0 '^0' "kubectl delete ksvc hello > /dev/null; kubectl get rev -o name | grep -c /hello-; exit 0"
finish
