{{- define "lccp.fullname" -}}
{{- default (printf "%s" (ternary .Release.Name (printf "%s-lccp" .Release.Name) (contains "lccp" .Release.Name))) .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "lccp.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "lccp.selector" . }}
{{- end -}}

{{- define "lccp.selector" -}}
app.kubernetes.io/name: lccp
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Image reference of a part: (list . "operator") */ -}}
{{- define "lccp.image" -}}
{{- $root := index . 0 -}}{{- $image := index $root.Values.image (index . 1) -}}
{{- $name := printf "%s/%s" $root.Values.image.registry $image.repository | trimPrefix "/" -}}
{{- if $image.digest -}}{{ $name }}@{{ $image.digest }}{{- else -}}{{ $name }}:{{ $image.tag | default $root.Chart.AppVersion }}{{- end -}}
{{- end -}}

{{- define "lccp.serviceAccount" -}}
{{- .Values.serviceAccount.name | default (include "lccp.fullname" .) -}}
{{- end -}}

{{- define "lccp.podSecurity" -}}
runAsNonRoot: true
runAsUser: 65532
runAsGroup: 65532
fsGroup: 65532
seccompProfile: {type: RuntimeDefault}
{{- end -}}

{{- define "lccp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The stores as the operator's and exporter's pods reach them. */ -}}
{{- define "lccp.stores" -}}
{{- $stores := list -}}
{{- range .Values.stores -}}
{{- $store := omit . "credentialsSecret" -}}
{{- if .credentialsSecret -}}
{{- $store = set $store "credentialsDirectory" (printf "/var/run/secrets/lccp.io/stores/%s" .name) -}}
{{- end -}}
{{- $stores = append $stores $store -}}
{{- end -}}
{{ toYaml $stores }}
{{- end -}}

{{- define "lccp.storeVolumes" -}}
{{- range .Values.stores }}{{ if .credentialsSecret }}
- name: store-{{ .name }}
  secret: {secretName: {{ .credentialsSecret }}, defaultMode: 0440}
{{- end }}{{ end -}}
{{- end -}}

{{- define "lccp.storeMounts" -}}
{{- range .Values.stores }}{{ if .credentialsSecret }}
- {name: store-{{ .name }}, mountPath: /var/run/secrets/lccp.io/stores/{{ .name }}, readOnly: true}
{{- end }}{{ end -}}
{{- end -}}
