{{- define "lccp.fullname" -}}
{{- default (printf "%s" (ternary .Release.Name (printf "%s-lccp" .Release.Name) (contains "lccp" .Release.Name))) .Values.fullnameOverride | trunc 40 | trimSuffix "-" -}}
{{- end -}}

{{- define "lccp.labels" -}}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
{{ include "lccp.selector" . }}
{{- end -}}

{{- define "lccp.selector" -}}
app.kubernetes.io/name: lccp
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- /* Labels of a component: (list . "operator") */ -}}
{{- define "lccp.componentLabels" -}}
{{ include "lccp.labels" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
{{- end -}}

{{- define "lccp.componentSelector" -}}
{{ include "lccp.selector" (index . 0) }}
app.kubernetes.io/component: {{ index . 1 }}
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

{{- /* Common fields of the release's pods, from the `values` of a component: (list . "operator") */ -}}
{{- define "lccp.podSpec" -}}
{{- $root := index . 0 -}}{{- $values := index $root.Values (index . 1) -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 65532
  runAsGroup: 65532
  fsGroup: 65532
  seccompProfile: {type: RuntimeDefault}
{{- with $root.Values.image.pullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ . | quote }}
  {{- end }}
{{- end }}
{{- with $values.priorityClassName }}
priorityClassName: {{ . | quote }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector: {{- toYaml . | nindent 2 }}
{{- end }}
{{- $lost := list -}}
{{- range list "not-ready" "unreachable" -}}
{{- $taint := dict "key" (printf "node.kubernetes.io/%s" .) "operator" "Exists" "effect" "NoExecute" -}}
{{- $lost = append $lost (set $taint "tolerationSeconds" 5) -}}
{{- end }}
tolerations: {{- toYaml (concat $lost ($values.tolerations | default list)) | nindent 2 }}
{{- end -}}

{{- define "lccp.containerSecurity" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end -}}

{{- /* The stores, as configured for the operator's and exporter's pods. */ -}}
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
  secret: {secretName: {{ .credentialsSecret | quote }}, defaultMode: 0440, optional: true}
{{- end }}{{ end -}}
{{- end -}}

{{- define "lccp.storeMounts" -}}
{{- range .Values.stores }}{{ if .credentialsSecret }}
- {name: store-{{ .name }}, mountPath: /var/run/secrets/lccp.io/stores/{{ .name }}, readOnly: true}
{{- end }}{{ end -}}
{{- end -}}
