{{- define "hookgate.fullname" -}}
{{- if .Values.fullnameOverride }}{{ .Values.fullnameOverride | trunc 63 | trimSuffix "-" }}
{{- else if contains (default .Chart.Name .Values.nameOverride) .Release.Name }}{{ .Release.Name | trunc 63 | trimSuffix "-" }}
{{- else }}{{ printf "%s-%s" .Release.Name (default .Chart.Name .Values.nameOverride) | trunc 63 | trimSuffix "-" }}{{ end }}
{{- end }}

{{- define "hookgate.selector" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride }}
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

{{- /* Seconds that a pod may take to end. */}}
{{- define "hookgate.grace" -}}
{{- $delay := .Values.drainDelay }}
{{- $number := regexFind "^[0-9]+" $delay | int }}
{{- add (ternary (mul $number 60) $number (hasSuffix "m" $delay)) 35 }}
{{- end }}
