package main

import (
	"fmt"

	"landbridge.dev/testenv/node"
)

// namespace is the shop's.
const namespace = `{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`

// podManifest are the pods of an app of the shop, all of one kind.
func podManifest(app string, names ...string) string {
	text := ""
	for _, name := range names {
		text += fmt.Sprintf(`
---
apiVersion: v1
kind: Pod
metadata: {name: %s, namespace: shop, labels: {app: %s}}
spec: {containers: [{name: %[2]s, image: %[3]s, args: [serve], ports: [{name: http, containerPort: 8080}]}]}
`, name, app, node.PodImage)
	}
	return text
}

// webPods are the first pods of the shop. They serve on while they terminate.
const webPods = `
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: "localhost/pod:1", args: [serve], ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: "localhost/pod:1", args: [serve], ports: [{name: http, containerPort: 8080}]}]
`

// thirdPod comes later.
const thirdPod = `
apiVersion: v1
kind: Pod
metadata: {name: web-3, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: "localhost/pod:1", args: [serve], ports: [{name: http, containerPort: 8080}]}]
`

// service is what the shop's team writes.
const service = `apiVersion: v1
kind: Service
metadata:
  name: web
  namespace: shop
  annotations:
    landbridge.dev/partition: web
    landbridge.dev/virtual-address: $VIP
    landbridge.dev/drain-timeout: 2s
spec:
  type: LoadBalancer
  selector: {app: web}
  ports: [{port: 80, targetPort: http}]
`
