package main

// pods are the first pods of the shop. They serve on while they terminate.
const pods = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
apiVersion: v1
kind: Pod
metadata: {name: web-1, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]
---
apiVersion: v1
kind: Pod
metadata: {name: web-2, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]
`

// thirdPod comes later.
const thirdPod = `
apiVersion: v1
kind: Pod
metadata: {name: web-3, namespace: shop, labels: {app: web}}
spec:
  terminationGracePeriodSeconds: 3
  containers: [{name: web, image: web, ports: [{name: http, containerPort: 8080}]}]
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
