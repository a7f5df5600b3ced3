module example.test/kn

go 1.25

require knative.dev/client v0.42.0
