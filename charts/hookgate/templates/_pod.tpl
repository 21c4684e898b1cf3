{{- /* Values that contradict each other, each with what to write. */}}
{{- define "hookgate.check" -}}
{{- $spool := .Values.spool }}
{{- if not (or .Values.nats.url .Values.nats.urlSecret.name .Values.nats.install) }}
{{- fail "nats.url is required: --set nats.url=nats://nats.nats.svc:4222 (or nats.urlSecret where it holds a password; to try things out, nats.install=true)" }}
{{- end }}
{{- if and .Values.nats.install (or .Values.nats.url .Values.nats.urlSecret.name) }}
{{- fail "nats.install brings a server of its own: leave out nats.url and nats.urlSecret, or set nats.install=false" }}
{{- end }}
{{- if and .Values.nats.caSecret.name .Values.nats.caConfigMap.name }}
{{- fail "nats.caSecret and nats.caConfigMap name the authority twice: leave one of them out" }}
{{- end }}
{{- if and $spool.persistence.enabled $spool.volatile }}
{{- fail "spool.volatile is for a spool without claims: leave it false, or set spool.persistence.enabled=false" }}
{{- end }}
{{- $needed := include "hookgate.bytes" $spool.maxBytes | int64 | mul 3 }}
{{- if and (or $spool.persistence.enabled $spool.volatile) (gt (div $needed 2) (include "hookgate.bytes" $spool.size | int64)) }}
{{- fail (printf "spool.maxBytes %s and half as much again do not fit into spool.size %s: enlarge spool.size or lower spool.maxBytes" (include "hookgate.quantity" $spool.maxBytes) (include "hookgate.quantity" $spool.size)) }}
{{- end }}
{{- end }}

{{- /* The pod of both workloads. `spool`: claim, volatile or none. */}}
{{- define "hookgate.pod" -}}
{{- $root := .root }}
{{- $spool := .spool }}
{{- $nats := .root.Values.nats }}
{{- with .root -}}
metadata:
  labels:
    {{- include "hookgate.labels" . | nindent 4 }}
    {{- with .Values.podLabels }}{{ toYaml . | nindent 4 }}{{ end }}
  {{- with .Values.podAnnotations }}
  annotations: {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "hookgate.serviceAccount" . }}
  {{- with concat .Values.imagePullSecrets (default list (.Values.global).imagePullSecrets) }}
  imagePullSecrets: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.priorityClassName }}
  priorityClassName: {{ . }}
  {{- end }}
  # The drain delay, 25 s for requests in work, 10 s to spare.
  terminationGracePeriodSeconds: {{ include "hookgate.grace" . }}
  enableServiceLinks: false
  {{- $context := .Values.podSecurityContext }}
  {{- if .Values.openshift }}{{ $context = omit $context "runAsUser" "runAsGroup" "fsGroup" }}{{ end }}
  {{- with $context }}
  securityContext: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- if or (eq $spool "claim") .Values.extraInitContainers }}
  initContainers:
  {{- with .Values.extraInitContainers }}{{ toYaml . | nindent 2 }}{{ end }}
  {{- if eq $spool "claim" }}
  # Says on the claim that it outlives the pod: only then does the spool count.
  - name: spool
    image: {{ include "hookgate.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- with .Values.containerSecurityContext }}
    securityContext: {{- toYaml . | nindent 6 }}
    {{- end }}
    args: [spool, init, --persistent, /var/lib/hookgate/spool]
    resources: {{- toYaml .Values.initResources | nindent 6 }}
    volumeMounts:
    - {name: spool, mountPath: /var/lib/hookgate}
  {{- end }}
  {{- end }}
  containers:
  - name: hookgate
    image: {{ include "hookgate.image" . | quote }}
    imagePullPolicy: {{ .Values.image.pullPolicy }}
    {{- with .Values.containerSecurityContext }}
    securityContext: {{- toYaml . | nindent 6 }}
    {{- end }}
    args:
    - run
    {{- include "hookgate.args" (dict "root" . "spool" $spool) | nindent 4 }}
    {{- with .Values.extraArgs }}{{ toYaml . | nindent 4 }}{{ end }}
    env:
    - name: HOOKGATE_NATS_URL
      {{- if $nats.urlSecret.name }}
      valueFrom: {secretKeyRef: {name: {{ $nats.urlSecret.name }}, key: {{ $nats.urlSecret.key }}}}
      {{- else if $nats.install }}
      value: nats://{{ include "hookgate.fullname" . }}-nats.{{ .Release.Namespace }}.svc:4222
      {{- else }}
      value: {{ $nats.url | quote }}
      {{- end }}
    - name: HOOKGATE_LEASE_NAMESPACE
      valueFrom: {fieldRef: {fieldPath: metadata.namespace}}
    # The Lease goes with the pod that holds it.
    - name: POD_NAME
      valueFrom: {fieldRef: {fieldPath: metadata.name}}
    - name: POD_UID
      valueFrom: {fieldRef: {fieldPath: metadata.uid}}
    - name: RUST_LOG
      value: {{ .Values.logLevel | quote }}
    - name: HOOKGATE_GUARD_WINDOW
      value: {{ .Values.guardWindow | quote }}
    {{- with .Values.guardMaxBytes }}
    - name: HOOKGATE_GUARD_MAX_BYTES
      value: {{ include "hookgate.quantity" . | quote }}
    {{- end }}
    - name: HOOKGATE_CLAIM_CHECK
      value: {{ ternary "on" "off" .Values.claimCheck | quote }}
    {{- with .Values.extraEnv }}{{ toYaml . | nindent 4 }}{{ end }}
    {{- with .Values.extraEnvFrom }}
    envFrom: {{- toYaml . | nindent 4 }}
    {{- end }}
    ports:
    - {name: http, containerPort: 8080}
    - {name: admin, containerPort: 9090}
    {{- with .Values.probes.startup }}
    startupProbe:
      httpGet: {path: /livez, port: admin}
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.probes.liveness }}
    livenessProbe:
      httpGet: {path: /livez, port: admin}
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.probes.readiness }}
    readinessProbe:
      httpGet: {path: /readyz, port: admin}
      {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- with .Values.resources }}
    resources: {{- toYaml . | nindent 6 }}
    {{- end }}
    {{- $mounts := list }}
    {{- if ne $spool "none" }}{{ $mounts = append $mounts (dict "name" "spool" "mountPath" "/var/lib/hookgate") }}{{ end }}
    {{- $volumes := list }}
    {{- if eq $spool "volatile" }}
    {{- $volumes = append $volumes (dict "name" "spool" "emptyDir" (dict "sizeLimit" (include "hookgate.quantity" .Values.spool.size))) }}
    {{- end }}
    {{- /* Files of Secrets that hold a key are readable by the group alone. */}}
    {{- range list (list "nats-creds" $nats.credsSecret.name 0440) (list "nats-nkey" $nats.nkeySecret.name 0440) (list "nats-ca" $nats.caSecret.name 0444) (list "nats-client" $nats.clientCertSecret.name 0440) (list "tls" .Values.tlsSecret 0440) }}
    {{- if index . 1 }}
    {{- $mounts = append $mounts (dict "name" (index . 0) "mountPath" (printf "/etc/hookgate/%s" (index . 0)) "readOnly" true) }}
    {{- $volumes = append $volumes (dict "name" (index . 0) "secret" (dict "secretName" (index . 1) "defaultMode" (index . 2))) }}
    {{- end }}
    {{- end }}
    {{- range $number, $account := $nats.accounts }}
    {{- $seen := list }}
    {{- range slice $nats.accounts 0 $number }}{{ $seen = append $seen .credsSecret.name }}{{ end }}
    {{- if not (has $account.credsSecret.name $seen) }}
    {{- $mounts = append $mounts (dict "name" (printf "nats-account-%d" $number) "mountPath" (printf "/etc/hookgate/nats-accounts/%s" $account.credsSecret.name) "readOnly" true) }}
    {{- /* One that is missing keeps only its own namespaces waiting. */}}
    {{- $volumes = append $volumes (dict "name" (printf "nats-account-%d" $number) "secret" (dict "secretName" $account.credsSecret.name "defaultMode" 0440 "optional" true)) }}
    {{- end }}
    {{- end }}
    {{- with $nats.caConfigMap.name }}
    {{- $mounts = append $mounts (dict "name" "nats-ca" "mountPath" "/etc/hookgate/nats-ca" "readOnly" true) }}
    {{- $volumes = append $volumes (dict "name" "nats-ca" "configMap" (dict "name" . "defaultMode" 0444)) }}
    {{- end }}
    {{- with concat $mounts .Values.extraVolumeMounts }}
    volumeMounts: {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- with .Values.extraContainers }}{{ toYaml . | nindent 2 }}{{ end }}
  {{- with concat $volumes .Values.extraVolumes }}
  volumes: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.topologySpreadConstraints }}
  topologySpreadConstraints:
  {{- $these := dict "labelSelector" (dict "matchLabels" (include "hookgate.selector" $root | fromYaml)) }}
  {{- range . }}
  - {{ toYaml (merge (deepCopy .) (ternary dict $these (hasKey . "labelSelector"))) | indent 4 | trim }}
  {{- end }}
  {{- end }}
  {{- with .Values.nodeSelector }}
  nodeSelector: {{- toYaml . | nindent 4 }}
  {{- end }}
  {{- with .Values.tolerations }}
  tolerations: {{- toYaml . | nindent 2 }}
  {{- end }}
  {{- with .Values.affinity }}
  affinity: {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
{{- end }}
