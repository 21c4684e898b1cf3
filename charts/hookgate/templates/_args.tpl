{{- /* The flags of `hookgate run`. `spool`: claim, volatile or none. */}}
{{- define "hookgate.args" -}}
{{- $spool := .spool }}
{{- $nats := .root.Values.nats }}
{{- with .root -}}
- --listen=0.0.0.0:8080
- --admin-listen=0.0.0.0:9090
- --stream={{ .Values.stream.name }}
- --stream-replicas={{ .Values.stream.replicas }}
- --duplicate-window={{ .Values.stream.duplicateWindow }}
- --stream-max-age={{ .Values.stream.maxAge }}
- --max-body-size={{ include "hookgate.quantity" .Values.maxBodySize }}
- --max-connections={{ int64 .Values.maxConnections }}
{{- with .Values.memoryLimit }}
- --memory-limit={{ include "hookgate.quantity" . }}
{{- end }}
{{- if .Values.h2c }}
- --h2c
{{- end }}
{{- if .Values.trustTrace }}
- --trust-trace
{{- end }}
- --fetch={{ .Values.fetch }}
- --drain-delay={{ .Values.drainDelay }}
- --log-format={{ .Values.logFormat }}
{{- if ne $spool "none" }}
- --spool-dir=/var/lib/hookgate/spool
- --spool-max-bytes={{ include "hookgate.quantity" .Values.spool.maxBytes }}
{{- end }}
{{- if eq $spool "volatile" }}
- --spool-volatile
{{- end }}
{{- if .Values.stream.allowMemory }}
- --allow-memory-streams
{{- end }}
{{- with include "hookgate.namespaces" . }}
- --namespace={{ . }}
{{- end }}
{{- with include "hookgate.secretNames" . }}
- --secret-name={{ . }}
{{- end }}
{{- with .Values.selector }}
- --selector={{ . }}
{{- end }}
{{- with .Values.baseUrl }}
- --base-url={{ . }}
{{- end }}
{{- with .Values.sourceBase }}
- --source-base={{ . }}
{{- end }}
{{- with .Values.subjectPolicies }}
- --subject-policy={{ join "," . }}
{{- end }}
{{- with .Values.pathPolicies }}
- --path-policy={{ join "," . }}
{{- end }}
{{- with .Values.trustedProxies }}
- --trusted-proxies={{ join "," . }}
{{- end }}
{{- with .Values.fetchAllowCIDRs }}
- --fetch-allow-cidr={{ join "," . }}
{{- end }}
{{- if $nats.credsSecret.name }}
- --nats-creds=/etc/hookgate/nats-creds/{{ $nats.credsSecret.key }}
{{- end }}
{{- if $nats.nkeySecret.name }}
- --nats-nkey=/etc/hookgate/nats-nkey/{{ $nats.nkeySecret.key }}
{{- end }}
{{- range $nats.accounts }}
- --nats-account={{ join "," .namespaces }}=/etc/hookgate/nats-accounts/{{ .credsSecret.name }}/{{ .credsSecret.key }}
{{- end }}
{{- with $nats.inboxPrefix }}
- --nats-inbox-prefix={{ . }}
{{- end }}
{{- with $nats.jsDomain }}
- --nats-js-domain={{ . }}
{{- end }}
{{- if or $nats.caSecret.name $nats.caConfigMap.name }}
- --nats-ca=/etc/hookgate/nats-ca/{{ default $nats.caSecret.key $nats.caConfigMap.key }}
{{- end }}
{{- if $nats.clientCertSecret.name }}
- --nats-client-cert=/etc/hookgate/nats-client/tls.crt
- --nats-client-key=/etc/hookgate/nats-client/tls.key
{{- end }}
{{- if .Values.tlsSecret }}
- --tls-cert=/etc/hookgate/tls/tls.crt
- --tls-key=/etc/hookgate/tls/tls.key
{{- end }}
{{- $quota := list }}
{{- range $name, $value := .Values.namespaceQuota }}
{{- $quota = append $quota (printf "%s=%s" $name (include "hookgate.quantity" $value)) }}
{{- end }}
{{- with $quota }}
- --namespace-quota={{ join "," . }}
{{- end }}
{{- end }}
{{- end }}
