{{- /* Short enough for what is added to it: -admin, a pod's ordinal, the hash of a StatefulSet's revision. */}}
{{- define "hookgate.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 50 | trimSuffix "-" }}
{{- else if contains (default .Chart.Name .Values.nameOverride) .Release.Name }}{{ .Release.Name | trunc 50 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 50 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hookgate.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "hookgate.labels" -}}
{{ include "hookgate.selector" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "hookgate.serviceAccount" -}}
{{- if .Values.serviceAccount.create }}{{ default (include "hookgate.fullname" .) .Values.serviceAccount.name }}
{{- else }}{{ required "serviceAccount.name is required when serviceAccount.create is false" .Values.serviceAccount.name }}{{ end }}
{{- end }}

{{- /* The namespaces that are watched, as a list; empty for all. */}}
{{- define "hookgate.namespaces" -}}
{{- if not .Values.clusterWide }}{{ join "," (default (list .Release.Namespace) .Values.watchNamespaces) }}{{ end }}
{{- end }}

{{- /* The Secrets that may be read, as a list; empty for all of a watched namespace. What is captured is read first. */}}
{{- define "hookgate.secretNames" -}}
{{- with .Values.rbac.secretNames }}{{ concat . $.Values.rbac.captureSecrets | uniq | join "," }}{{ end }}
{{- end }}

{{- /* What serves: claims need a StatefulSet. */}}
{{- define "hookgate.workload" -}}
{{- ternary "StatefulSet" "Deployment" .Values.spool.persistence.enabled }}
{{- end }}

{{- /* An image in the registry of `global.imageRegistry`, where there is one. */}}
{{- define "hookgate.mirrored" -}}
{{- $registry := (.root.Values.global).imageRegistry }}
{{- if $registry }}{{ printf "%s/%s" (trimSuffix "/" $registry) (regexReplaceAll "^[^/]*[.:][^/]*/" .image "") }}{{ else }}{{ .image }}{{ end }}
{{- end }}

{{- define "hookgate.image" -}}
{{- $repository := include "hookgate.mirrored" (dict "root" . "image" .Values.image.repository) }}
{{- with .Values.image.digest }}{{ $repository }}@{{ . }}
{{- else }}{{ $repository }}:{{ default .Chart.AppVersion .Values.image.tag }}{{ end }}
{{- end }}

{{- /* A number or a quantity, as flags take it: a number of a values file is a float. */}}
{{- define "hookgate.quantity" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ int64 . }}{{ end }}
{{- end }}

{{- /* The bytes of a quantity. */}}
{{- define "hookgate.bytes" -}}
{{- $text := include "hookgate.quantity" . }}
{{- $factors := dict "" 1 "k" 1000 "M" 1000000 "G" 1000000000 "T" 1000000000000 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 }}
{{- mul (regexFind "^[0-9]+" $text | int64) (get $factors (regexFind "[A-Za-z]*$" $text) | int64) }}
{{- end }}

{{- /* Seconds that a pod may take to end. */}}
{{- define "hookgate.grace" -}}
{{- $delay := .Values.drainDelay }}
{{- $number := regexFind "^[0-9]+" $delay | int }}
{{- add (ternary (mul $number 60) $number (hasSuffix "m" $delay)) 35 }}
{{- end }}

{{- /* The hosts of the Ingress, as JSON. */}}
{{- define "hookgate.hosts" -}}
{{- $hosts := .Values.ingress.hosts }}
{{- with .Values.ingress.host }}{{ $hosts = prepend $hosts . }}{{ end }}
{{- uniq $hosts | toJson }}
{{- end }}

{{- /* Whether `helm test` has a source of its own to send to: not where sources are selected by labels, or Secrets by name, and
not over TLS, whose certificate does not name the Service. */}}
{{- define "hookgate.tested" -}}
{{- if and .Values.helmTest (not .Values.selector) (not .Values.rbac.secretNames) (not .Values.tlsSecret) }}true{{ end }}
{{- end }}
