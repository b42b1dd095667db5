# shellcheck shell=sh
# Shared by kind and minikube: nodes are docker containers with the names of the nodes.
# Sourced. The caller sets name, control_plane, api_port, network, audit_log, and defines up and down.
#   node-kill N, node-start N    power off, power on
#   node-cut N, node-join N      cut from the API server while its pods keep running, and rejoin
#   api-kill, api-start          kill the API server, restart it
state=${LCCP_CLUSTER_DIR:-${TMPDIR:-/tmp}/lccp-cluster}
shared=$state/shared
manifest=/etc/kubernetes/manifests/kube-apiserver.yaml
put_away=/etc/kubernetes/kube-apiserver.yaml
KUEUE=https://github.com/kubernetes-sigs/kueue/releases/download/v0.14.8/manifests.yaml
START_SECONDS=90

address_of() {
    docker inspect --format "{{(index .NetworkSettings.Networks \"$network\").IPAddress}}" "$1"
}

# The address of this machine, as seen by nodes and pods.
host_address() {
    docker network inspect --format '{{range .IPAM.Config}}{{.Gateway}} {{end}}' "$network" |
        tr ' ' '\n' | grep -m 1 '\.'
}

firewall() { # -I or -D, and the node
    api=$(address_of "$control_plane")
    docker exec "$2" iptables "$1" OUTPUT -d "$api" -j DROP
    docker exec "$2" iptables "$1" INPUT -s "$api" -j DROP
}

api_kill() {
    docker exec "$control_plane" mv "$manifest" "$put_away"
    docker exec "$control_plane" pkill -KILL kube-apiserver
}

api_start() {
    docker exec "$control_plane" mv "$put_away" "$manifest"
    for _ in $(seq "$START_SECONDS"); do
        docker exec "$control_plane" curl -fks "https://127.0.0.1:$api_port/readyz" >/dev/null && return
        sleep 1
    done
    echo "the API server does not answer after $START_SECONDS s" >&2
    exit 1
}

kueue() {
    kubectl="kubectl --kubeconfig $state/kubeconfig"
    $kubectl apply --server-side --filename "$KUEUE"
    $kubectl rollout status deployment/kueue-controller-manager --namespace kueue-system --timeout 180s
}

audit_policy() {
    cat <<EOF
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - {level: None, userGroups: ["system:nodes", "system:serviceaccounts:kube-system"]}
  - {level: Metadata}
EOF
}

environment() {
    echo "export KUBECONFIG=$state/kubeconfig"
    echo "export CLUSTER_HOST_IP=$(host_address)"
    echo "export CLUSTER_SHARED_DIR=$shared"
    echo "export CLUSTER_TOOL=$here/$(basename "$0")"
    [ -z "$audit_log" ] || echo "export CLUSTER_AUDIT_LOG=$audit_log"
}

main() {
    verb=$1
    shift
    mkdir -p "$state"
    case $verb in
    up) up "$@" ;;
    down) down ;;
    kueue) kueue ;;
    env) environment ;;
    node-kill) docker kill "$1" >/dev/null ;;
    node-start) docker start "$1" >/dev/null ;;
    node-cut) firewall -I "$1" ;;
    node-join) firewall -D "$1" ;;
    api-kill) api_kill ;;
    api-start) api_start ;;
    *)
        echo "no such verb: $verb" >&2
        exit 2
        ;;
    esac
}
