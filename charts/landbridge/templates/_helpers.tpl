{{/* The defaults of what .Values lacks: `helm upgrade --reuse-values` brings the values of an older chart, its defaults
among them, which know nothing of keys that are new. What is there stays, also where it is empty. Each template begins
with it. */}}
{{- define "landbridge.defaults" -}}
{{- include "landbridge.fill" (list .Values (.Files.Get "files/defaults.yaml" | fromYaml)) -}}
{{- end -}}

{{- define "landbridge.fill" -}}
{{- $values := index . 0 -}}
{{- range $key, $default := index . 1 -}}
{{- if kindIs "invalid" (index $values $key) -}}
{{- $_ := set $values $key $default -}}
{{- else if and (kindIs "map" $default) (not (has $key (list "resources" "labels"))) -}}
{{- /* Of those two a key that is not there was taken out, with null. */ -}}
{{- include "landbridge.fill" (list (index $values $key) $default) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "landbridge.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "landbridge.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- else if contains (include "landbridge.name" .) .Release.Name -}}
{{- .Release.Name | trunc 40 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name (include "landbridge.name" .) | trunc 40 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* Labels that choose the pods of one part: (list $ "controller"). */}}
{{- define "landbridge.selector" -}}
{{- $ := index . 0 -}}
app.kubernetes.io/name: {{ include "landbridge.name" $ }}
app.kubernetes.io/instance: {{ $.Release.Name }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "landbridge.labels" -}}
{{- $ := index . 0 -}}
{{ include "landbridge.selector" . }}
app.kubernetes.io/version: {{ $.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ $.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" $.Chart.Name $.Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "landbridge.image" -}}
{{- with .Values.image -}}
{{- if .digest -}}
{{ printf "%s@%s" .repository .digest }}
{{- else -}}
{{ printf "%s:%s" .repository (default $.Chart.AppVersion .tag) }}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "landbridge.serviceAccount" -}}
{{- $ := index . 0 -}}{{- $part := index . 1 -}}
{{- $fallback := include "landbridge.fullname" $ -}}
{{- if eq $part "gateway" -}}{{- $fallback = printf "%s-gateway" $fallback -}}{{- end -}}
{{- default $fallback (index $.Values $part).serviceAccount.name -}}
{{- end -}}

{{/* The configuration file. */}}
{{- define "landbridge.config" -}}
{{- if not .Values.config.cluster -}}
{{- fail "config.cluster is empty: name this cluster as no other that shares a device or broker is named" -}}
{{- end -}}
{{- merge (dict "apiVersion" "landbridge.dev/v1" "kind" "Config") .Values.config | toYaml -}}
{{- end -}}

{{/* What of the configuration a running process cannot take up. */}}
{{- define "landbridge.restarts" -}}
{{- $fixed := pick .Values.config "cluster" "formerUIDs" "formerClusters" "namespaces" "bigip" "mq" "brakes" -}}
{{- with .Values.config.bgp -}}
{{- $_ := set $fixed "bgp" (pick . "asn" "routerID" "speakers" "podNetworks") -}}
{{- end -}}
{{- toJson $fixed | sha256sum -}}
{{- end -}}

{{/* Volumes and their mounts, of the Secrets that one part gets. Pods wait until each Secret is there; those of a Job,
with (list $ PART CONFIGMAP "optional"), begin without it and say that it is missing, to the person who waits for them. */}}
{{- define "landbridge.volumes" -}}
{{- $ := index . 0 -}}{{- $part := index . 1 -}}{{- $optional := has "optional" . -}}
- name: config
  configMap:
    name: {{ index . 2 }}
{{- range $folder, $secret := $.Values.secrets }}
{{- if has $part (default (list "controller") $secret.mountIn) }}
- name: secret-{{ $folder }}
  secret:
    secretName: {{ $secret.secretName }}
    defaultMode: 0440
    {{- if $optional }}
    optional: true
    {{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{/* The Secrets that pods wait for. */}}
{{- define "landbridge.secretNames" -}}
{{- $names := list -}}
{{- range .Values.secrets -}}{{- $names = append $names .secretName -}}{{- end -}}
{{- if and .Values.gateway.enabled .Values.gateway.api.tlsSecretName -}}{{- $names = append $names .Values.gateway.api.tlsSecretName -}}{{- end -}}
{{- $names | uniq | join " " -}}
{{- end -}}

{{- define "landbridge.mounts" -}}
{{- $ := index . 0 -}}{{- $part := index . 1 -}}
- name: config
  mountPath: /etc/landbridge/config
  readOnly: true
{{- range $folder, $secret := $.Values.secrets }}
{{- if has $part (default (list "controller") $secret.mountIn) }}
- name: secret-{{ $folder }}
  mountPath: /etc/landbridge/{{ $folder }}
  readOnly: true
{{- end }}
{{- end }}
{{- end -}}

{{- define "landbridge.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile:
  type: RuntimeDefault
{{- end -}}

{{- define "landbridge.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities:
  drop: [ALL]
{{- end -}}

{{- define "landbridge.spread" -}}
{{- $ := index . 0 -}}{{- $part := index . 1 -}}
{{- with (index $.Values $part).topologySpreadConstraints -}}
{{ toYaml . }}
{{- else -}}
{{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
- maxSkew: 1
  topologyKey: {{ . }}
  whenUnsatisfiable: ScheduleAnyway
  labelSelector:
    matchLabels:
      {{- include "landbridge.selector" (list $ $part) | nindent 6 }}
  matchLabelKeys: [pod-template-hash] # pods of before a roll do not count
{{- end }}
{{- end -}}
{{- end -}}

{{/* What both Deployments say about where their pods run. */}}
{{- define "landbridge.scheduling" -}}
{{- $ := index . 0 -}}{{- $part := index . 1 -}}
topologySpreadConstraints:
  {{- include "landbridge.spread" . | nindent 2 }}
{{- with (index $.Values $part).priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- include "landbridge.nodes" (list $ (pick (index $.Values $part) "nodeSelector" "tolerations" "affinity")) }}
{{- end -}}

{{- define "landbridge.nodes" -}}
{{- $ := index . 0 -}}
{{- range $field, $value := index . 1 }}
{{- with $value }}
{{ $field }}:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
{{- with $.Values.image.pullSecrets }}
imagePullSecrets:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What the pods of both Jobs say. They run where the controller may, on the network that it has: elsewhere devices may be
out of reach. Which pods the controller keeps away from is its own affair: a Job runs beside it. */}}
{{- define "landbridge.job" -}}
restartPolicy: Never
enableServiceLinks: false
{{- include "landbridge.network" . }}
securityContext:
  {{- include "landbridge.podSecurity" . | nindent 2 }}
{{- $nodes := pick .Values.controller "nodeSelector" "tolerations" -}}
{{- include "landbridge.nodes" (list . (set $nodes "affinity" (pick .Values.controller.affinity "nodeAffinity"))) }}
{{- end -}}

{{/* Whose network the controller is on. */}}
{{- define "landbridge.network" -}}
{{- if .Values.controller.hostNetwork }}
hostNetwork: true
dnsPolicy: ClusterFirstWithHostNet
{{- end }}
{{- end -}}

{{/* The first BGP peer that is waited for at a port that takes a privilege which pods do not have. */}}
{{- define "landbridge.privilegedPeer" -}}
{{- $found := "" -}}
{{- range (default dict .Values.config.bgp).peers -}}
{{- if and .passive (lt (int (default 179 .listenPort)) 1024) (not $found) -}}
{{- $found = printf "%s at port %d" .name (int (default 179 .listenPort)) -}}
{{- end -}}
{{- end -}}
{{- $found -}}
{{- end -}}

{{/* An egress rule to the host of a URL: (list URL PORT), PORT where the URL has none. */}}
{{- define "landbridge.toURL" -}}
{{- $url := urlParse (index . 0) -}}
{{- $port := regexFind ":[0-9]+$" $url.host | trimPrefix ":" | default (index . 1) -}}
{{- include "landbridge.toHost" (list $url.hostname $port) -}}
{{- end -}}

{{- define "landbridge.toHost" -}}
{{- $host := index . 0 -}}
- ports:
    - {protocol: TCP, port: {{ index . 1 }}}
{{- if contains ":" $host }}
  to:
    - ipBlock: {cidr: {{ printf "%s/128" $host | quote }}}
{{- else if regexMatch "^[0-9]+([.][0-9]+){3}$" $host }}
  to:
    - ipBlock: {cidr: {{ $host }}/32}
{{- end }}
{{- end -}}
