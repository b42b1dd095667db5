{{- /* Runs that an upgrade would leave without an operator, since it leaves out their namespaces. Helm looks them up on
the cluster; `helm template` finds none. */ -}}

{{- define "lccp.validateScope" -}}
{{- $told := index . 0 -}}{{- $root := index . 1 -}}{{- $values := $root.Values -}}
{{- $known := $root.Capabilities.APIVersions.Has "lccp.io/v1alpha1/LCCPRun" -}}
{{- if and $root.Release.IsUpgrade $values.namespaces $known (not $values.leaveRuns) -}}
{{- $name := include "lccp.fullname" $root -}}{{- $installed := lookup "v1" "ConfigMap" $root.Release.Namespace $name -}}
{{- with $installed.data -}}
{{- $found := dict "runs" list -}}
{{- range $namespace := (index . "installation.yaml" | fromYaml).namespaces | default (list "") -}}
{{- if not (has $namespace $values.namespaces) -}}
{{- range (lookup "lccp.io/v1alpha1" "LCCPRun" $namespace "").items -}}
{{- if and (not (has .metadata.namespace $values.namespaces)) (include "lccp.needsOperator" (list $root .)) -}}
{{- $_ := set $found "runs" (append $found.runs (printf "%s/%s" .metadata.namespace .metadata.name)) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- include "lccp.refuseToLeave" (list $told $found.runs) -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- /* Not empty if the run is this installation's or nobody's, and has not ended, or its deletion waits for the operator:
(list $root $run) */ -}}
{{- define "lccp.needsOperator" -}}
{{- $root := index . 0 -}}{{- $run := index . 1 -}}{{- $status := $run.status | default dict -}}
{{- $own := printf "%s/%s@" $root.Release.Namespace (include "lccp.fullname" $root) -}}
{{- $waits := has "lccp.io/purge" ($run.metadata.finalizers | default list) -}}
{{- if and (hasPrefix $own ($status.installation | default $own)) (or $waits (not $status.completionTime)) }}yes{{ end -}}
{{- end -}}

{{- define "lccp.refuseToLeave" -}}
{{- $told := index . 0 -}}{{- $runs := index . 1 -}}
{{- if $runs -}}
{{- $more := gt (len $runs) 20 | ternary (printf " and %d more" (sub (len $runs) 20)) "" -}}
{{- $named := printf "%s%s" (slice $runs 0 (min 20 (len $runs) | int) | join ", ") $more -}}
{{- include "lccp.fault" (list $told "namespaces" (printf "must contain the namespaces of runs that still need the operator: %s: let them end or delete them first (one that has ended needs it for deletionPolicy DeleteArtifacts), or set leaveRuns to true to leave them without an operator" $named)) -}}
{{- end -}}
{{- end -}}
