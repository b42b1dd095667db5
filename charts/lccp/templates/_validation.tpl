{{- /* Checks of the values that a schema can't express, or not in a sentence. All faults are told at once. */ -}}

{{- define "lccp.validate" -}}
{{- $told := dict "faults" list -}}
{{- include "lccp.validateRelease" (list $told .) -}}
{{- include "lccp.validateScope" (list $told .) -}}
{{- include "lccp.validateStores" (list $told .) -}}
{{- include "lccp.validateImages" (list $told .Values.image) -}}
{{- include "lccp.validateRuns" (list $told .Values.runs) -}}
{{- range $component := list "operator" "exporter" -}}
{{- include "lccp.validatePods" (list $told $component (index $.Values $component)) -}}
{{- end -}}
{{- with $told.faults }}{{ fail (join "\n" .) }}{{ end -}}
{{- end -}}

{{- /* Adds a fault: (list $told "field" "what is wrong, and what would be right") */ -}}
{{- define "lccp.fault" -}}
{{- $told := index . 0 -}}
{{- $_ := set $told "faults" (append $told.faults (printf "%s: %s" (index . 1) (index . 2))) -}}
{{- end -}}

{{- /* Adds a fault unless a value matches: (list $told "field" "value" "pattern" "what it must be"). Null is as good as "". */ -}}
{{- define "lccp.must" -}}
{{- $value := index . 2 | default "" -}}
{{- if not (regexMatch (index . 3) $value) -}}
{{- include "lccp.fault" (list (index . 0) (index . 1) (printf "must be %s, not %q" (index . 4) $value)) -}}
{{- end -}}
{{- end -}}

{{- /* The name of an object: (list $told "field" "name") */ -}}
{{- define "lccp.mustName" -}}
{{- include "lccp.must" (list (index . 0) (index . 1) (index . 2) "^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$" "the name of an object: lower-case letters, digits, hyphens and dots") -}}
{{- end -}}

{{- /* The same, or nothing. */ -}}
{{- define "lccp.mayName" -}}
{{- if index . 2 }}{{ include "lccp.mustName" . }}{{ end -}}
{{- end -}}

{{- define "lccp.validateRelease" -}}
{{- $told := index . 0 -}}{{- $root := index . 1 -}}{{- $values := $root.Values -}}
{{- $name := include "lccp.fullname" $root -}}
{{- include "lccp.must" (list $told (empty $values.fullnameOverride | ternary "the release's name" "fullnameOverride") $name "^[a-z]([-a-z0-9]*[a-z0-9])?$" "lower-case letters, digits and hyphens, the first one a letter, since Services are called after it") -}}
{{- with $values.fullnameOverride }}{{ if gt (len .) 40 -}}
{{- include "lccp.fault" (list $told "fullnameOverride" (printf "must have at most 40 characters, not %d, since names of objects are longer" (len .))) -}}
{{- end }}{{ end -}}
{{- range $i, $namespace := $values.namespaces -}}
{{- include "lccp.must" (list $told (printf "namespaces[%d]" $i) $namespace "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" "a namespace: up to 63 lower-case letters, digits and hyphens") -}}
{{- end -}}
{{- range $i, $gone := $values.adoptFrom -}}
{{- include "lccp.must" (list $told (printf "adoptFrom[%d]" $i) $gone "^[a-z0-9-]+/[a-z0-9-]+@[0-9a-f]{8}$" "NAMESPACE/RELEASE@UID, as status.installation of its runs names it") -}}
{{- end -}}
{{- if and $values.kueuePriorityBoost (not $values.checkpointAwarePreemption) -}}
{{- include "lccp.fault" (list $told "kueuePriorityBoost" "needs checkpointAwarePreemption: true") -}}
{{- end -}}
{{- include "lccp.must" (list $told "metrics.rules.runbookUrl" $values.metrics.rules.runbookUrl "^[^\\s]+$" "the address of the folder of runbooks, such as https://example.com/lccp/docs/runbooks/") -}}
{{- include "lccp.must" (list $told "metrics.dashboards.folderAnnotation" $values.metrics.dashboards.folderAnnotation "^[a-zA-Z0-9./_-]+$" "the name of an annotation, such as grafana_folder") -}}
{{- include "lccp.mayName" (list $told "serviceAccount.name" $values.serviceAccount.name) -}}
{{- with $values.metrics.serviceMonitor.interval }}{{ include "lccp.must" (list $told "metrics.serviceMonitor.interval" . "^[0-9]+(ms|s|m|h)$" "a time such as 30s or 1m") }}{{ end -}}
{{- if gt (mul 3 (int $values.lease.renewSeconds)) (int $values.lease.durationSeconds) -}}
{{- include "lccp.fault" (list $told "lease.renewSeconds" (printf "must be at most a third of lease.durationSeconds (%d), not %d: a single late renewal would end the leader" (int $values.lease.durationSeconds) (int $values.lease.renewSeconds))) -}}
{{- end -}}
{{- if and $values.podDisruptionBudget.enabled (lt (int $values.operator.replicas) 2) -}}
{{- include "lccp.fault" (list $told "podDisruptionBudget.enabled" "needs operator.replicas of at least 2: with one replica the node could never be drained") -}}
{{- end -}}
{{- end -}}

{{- define "lccp.validateStores" -}}
{{- $told := index . 0 -}}{{- $values := (index . 1).Values -}}{{- $names := list -}}
{{- if not $values.stores -}}
{{- include "lccp.fault" (list $told "stores" "give at least one object store, such as --set stores[0].name=default,stores[0].url=s3://bucket,stores[0].endpoint=http://s3:8333,stores[0].credentialsSecret=s3-credentials") -}}
{{- end -}}
{{- range $i, $store := $values.stores -}}
{{- $at := printf "stores[%d]" $i -}}
{{- if has $store.name $names -}}
{{- include "lccp.fault" (list $told "stores" (printf "two of them are called %q: give each a different name" $store.name)) -}}
{{- end -}}
{{- $names = append $names $store.name -}}
{{- include "lccp.must" (list $told (printf "%s.name" $at) $store.name "^[a-z0-9]([-a-z0-9]{0,48}[a-z0-9])?$" "up to 50 lower-case letters, digits and hyphens") -}}
{{- include "lccp.must" (list $told (printf "%s.url" $at) $store.url "^(s3://[a-zA-Z0-9][a-zA-Z0-9._-]*(/.*)?|file:///.+)$" "s3://BUCKET/PREFIX, or file:///FOLDER") -}}
{{- with $store.endpoint }}{{ include "lccp.must" (list $told (printf "%s.endpoint" $at) . "^https?://[^/]+/?$" "http://HOST:PORT or https://HOST:PORT, without a path") }}{{ end -}}
{{- with $store.caFile }}{{ include "lccp.must" (list $told (printf "%s.caFile" $at) . "^/" "an absolute path in the pods") }}{{ end -}}
{{- with $store.credentialsSecret }}{{ include "lccp.mustName" (list $told (printf "%s.credentialsSecret" $at) .) }}{{ end -}}
{{- with $store.instanceMetadata }}{{ include "lccp.must" (list $told (printf "%s.instanceMetadata" $at) . "^https?://[^/]+$" "a URL without a path, such as http://169.254.169.254") }}{{ end -}}
{{- if hasPrefix "file:///" $store.url -}}
{{- include "lccp.validateFolder" (list $told $at $store $values) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* A store that is a folder: (list $told "stores[0]" $store $values) */ -}}
{{- define "lccp.validateFolder" -}}
{{- $told := index . 0 -}}{{- $at := index . 1 -}}{{- $store := index . 2 -}}{{- $values := index . 3 -}}
{{- range $field := list "endpoint" "region" "credentialsSecret" "instanceMetadata" "caFile" -}}
{{- if index $store $field }}{{ include "lccp.fault" (list $told (printf "%s.%s" $at $field) "leave it out: the store is a folder") }}{{ end -}}
{{- end -}}
{{- $folder := printf "%s/" (urlParse $store.url).path -}}
{{- range $component := ternary (list "operator" "exporter") (list "operator") (default false $values.exporter.enabled) -}}
{{- $mounted := false -}}
{{- range (index $values $component).extraVolumeMounts -}}
{{- if hasPrefix (printf "%s/" (trimSuffix "/" .mountPath)) $folder }}{{ $mounted = true }}{{ end -}}
{{- end -}}
{{- if not $mounted -}}
{{- include "lccp.fault" (list $told (printf "%s.url" $at) (printf "%s is on no volume: mount a shared one with %s.extraVolumes and %s.extraVolumeMounts" $store.url $component $component)) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "lccp.validateImages" -}}
{{- $told := index . 0 -}}{{- $image := index . 1 -}}
{{- include "lccp.must" (list $told "image.registry" $image.registry "^([a-zA-Z0-9.-]+(:[0-9]+)?(/[a-z0-9._-]+)*)?$" "HOST, HOST:PORT or HOST/PATH, without https:// and without a slash at its end") -}}
{{- range $i, $secret := $image.pullSecrets }}{{ include "lccp.mustName" (list $told (printf "image.pullSecrets[%d]" $i) $secret) }}{{ end -}}
{{- range $part := list "operator" "trainer" "evaluator" -}}
{{- $own := index $image $part -}}{{- $at := printf "image.%s" $part -}}
{{- include "lccp.must" (list $told (printf "%s.repository" $at) $own.repository "^([a-zA-Z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._/-]+[a-z0-9]+)*$" "a name such as lccp-operator; a tag belongs in tag, a digest in digest") -}}
{{- include "lccp.must" (list $told (printf "%s.tag" $at) $own.tag "^([a-zA-Z0-9_][a-zA-Z0-9_.-]{0,127})?$" "up to 128 letters, digits, dots, hyphens and underscores") -}}
{{- include "lccp.must" (list $told (printf "%s.digest" $at) $own.digest "^(sha256:[0-9a-f]{64})?$" "sha256: and 64 hexadecimal digits") -}}
{{- end -}}
{{- end -}}

{{- define "lccp.validateRuns" -}}
{{- $told := index . 0 -}}{{- $runs := index . 1 -}}
{{- include "lccp.mustName" (list $told "runs.serviceAccountName" $runs.serviceAccountName) -}}
{{- if and $runs.serviceAccountAnnotations (eq $runs.serviceAccountName "default") -}}
{{- include "lccp.fault" (list $told "runs.serviceAccountAnnotations" "the chart does not create the ServiceAccount default: give runs.serviceAccountName another name") -}}
{{- end -}}
{{- include "lccp.mayName" (list $told "runs.evaluatorPriorityClassName" $runs.evaluatorPriorityClassName) -}}
{{- range $i, $field := $runs.podTemplates.fields -}}
{{- include "lccp.must" (list $told (printf "runs.podTemplates.fields[%d]" $i) $field "^[a-zA-Z]+$" "a field of a pod's spec, such as volumes") -}}
{{- end -}}
{{- range $kind, $amounts := $runs.purgeResources }}{{ range $name, $amount := $amounts -}}
{{- include "lccp.must" (list $told (printf "runs.purgeResources.%s.%s" $kind $name) (toJson $amount | trimAll "\"") "^[0-9]{1,15}([.][0-9]{1,9})?(m|k|Ki|M|Mi|G|Gi|T|Ti|P|Pi)?$" "a quantity such as 500m, 2 or 1Gi") -}}
{{- end }}{{ end -}}
{{- end -}}

{{- /* The pods of a component: (list $told "operator" .Values.operator) */ -}}
{{- define "lccp.validatePods" -}}
{{- $told := index . 0 -}}{{- $at := index . 1 -}}{{- $own := index . 2 -}}
{{- range $kind, $amounts := $own.resources }}{{ range $name, $amount := $amounts -}}
{{- include "lccp.must" (list $told (printf "%s.resources.%s.%s" $at $kind $name) (toString $amount) "^[+]?([0-9]+[.]?[0-9]*|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$" "a quantity such as 500m, 2 or 1Gi") -}}
{{- end }}{{ end -}}
{{- include "lccp.mayName" (list $told (printf "%s.priorityClassName" $at) $own.priorityClassName) -}}
{{- range $label, $value := $own.podLabels -}}
{{- $field := printf "%s.podLabels.%s" $at $label -}}
{{- if regexMatch "^(helm.sh/chart|app.kubernetes.io/(name|instance|component|version|managed-by))$" $label }}{{ include "lccp.fault" (list $told $field "leave it out: the chart sets this label") }}{{ end -}}
{{- include "lccp.must" (list $told $field $value "^([a-zA-Z0-9]([a-zA-Z0-9_.-]{0,61}[a-zA-Z0-9])?)?$" "up to 63 letters, digits, dots, hyphens and underscores") -}}
{{- end -}}
{{- range $i, $variable := $own.extraEnv -}}
{{- include "lccp.must" (list $told (printf "%s.extraEnv[%d].name" $at $i) (toString ($variable.name | default "")) "^[^=[:cntrl:]]+$" "the name of an environment variable") -}}
{{- end -}}
{{- $volumes := list -}}
{{- range $i, $volume := $own.extraVolumes -}}
{{- include "lccp.must" (list $told (printf "%s.extraVolumes[%d].name" $at $i) (toString ($volume.name | default "")) "^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$" "up to 63 lower-case letters, digits and hyphens") -}}
{{- $volumes = append $volumes $volume.name -}}
{{- end -}}
{{- range $i, $mount := $own.extraVolumeMounts -}}
{{- if not (has $mount.name $volumes) -}}
{{- include "lccp.fault" (list $told (printf "%s.extraVolumeMounts[%d].name" $at $i) (printf "must be the name of one of %s.extraVolumes" $at)) -}}
{{- end -}}
{{- include "lccp.must" (list $told (printf "%s.extraVolumeMounts[%d].mountPath" $at $i) (toString ($mount.mountPath | default "")) "^/" "an absolute path") -}}
{{- end -}}
{{- end -}}
