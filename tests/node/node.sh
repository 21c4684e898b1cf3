#!/usr/bin/env bash
# A real node: kubelet, kube-proxy and containerd, with a control plane beside it.
#
#   node.sh up STATE IMAGE...    from built programs to a Ready node that has these images (OCI layouts); STATE/kubeconfig leads to it
#   node.sh down STATE           nothing of it is left but STATE
#
# Run it as root in a network namespace of its own, so that nothing leaves by a default route and several can run side by side:
# `unshare --net`. $SERVERS is the folder of tests/servers/build.sh, $PROGRAMS that of programs.sh.
#
# Pods have addresses in 10.77.10.0/24, Services in 10.0.0.0/24; node ports answer at 10.77.0.2.
set -euo pipefail
self=$(realpath "${BASH_SOURCE[0]}")

containerd_config() {
  cat <<END
version = 2
root = "/var/lib/containerd"
state = "/run/containerd"
disabled_plugins = ["io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/pause:1"
  # A sandbox may not lower it here: every pod would fail.
  restrict_oom_score_adj = true
  disable_apparmor = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "$PROGRAMS/usr/lib/cni"
    conf_dir = "$state/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      BinaryName = "$PROGRAMS/usr/sbin/runc"
      SystemdCgroup = false
END
}

network_config() {
  cat <<END
{"cniVersion": "1.0.0", "name": "pods", "plugins": [{"type": "bridge", "bridge": "cni0", "isGateway": true, "hairpinMode": true,
  "ipam": {"type": "host-local", "ranges": [[{"subnet": "10.77.10.0/24"}]], "routes": [{"dst": "0.0.0.0/0"}]}}]}
END
}

kubelet_config() {
  cat <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
failCgroupV1: false
cgroupDriver: cgroupfs
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
resolvConf: ""
# Whoever runs this answers there.
clusterDNS: [10.77.0.1]
clusterDomain: cluster.local
failSwapOn: false
oomScoreAdj: 0
# The disk is the machine's: how full it is says nothing of the node.
imageGCHighThresholdPercent: 100
evictionHard: {memory.available: "0%", nodefs.available: "0%", nodefs.inodesFree: "0%", imagefs.available: "0%", imagefs.inodesFree: "0%"}
nodeStatusUpdateFrequency: 1s
syncFrequency: 5s
END
}

proxy_config() {
  cat <<END
apiVersion: kubeproxy.config.k8s.io/v1alpha1
kind: KubeProxyConfiguration
mode: nftables
hostnameOverride: node-1
clientConnection: {kubeconfig: $state/kubeconfig}
clusterCIDR: 10.77.10.0/24
conntrack: {maxPerCore: 0, min: 0, tcpEstablishedTimeout: 0s, tcpCloseWaitTimeout: 0s}
END
}

# The first process of the node, in namespaces of its own: when it is killed, all of the node ends with it.
init() {
  state=$1
  shift
  mount --make-rprivate /
  hostname node-1
  # The cgroups that this process is in are the roots of the node's hierarchies.
  mapfile -t hierarchies < <(cut -d: -f2 /proc/self/cgroup)
  umount --recursive /sys/fs/cgroup
  mount -t tmpfs -o mode=755 cgroup /sys/fs/cgroup
  for hierarchy in "${hierarchies[@]}"; do
    place=/sys/fs/cgroup/${hierarchy#name=}
    case $hierarchy in
    '') mkdir /sys/fs/cgroup/unified && mount -t cgroup2 cgroup2 /sys/fs/cgroup/unified ;;
    name=*) mkdir "$place" && mount -t cgroup -o "none,$hierarchy" cgroup "$place" ;;
    *) mkdir "$place" && mount -t cgroup -o "$hierarchy" cgroup "$place" ;;
    esac
  done
  mount -t tmpfs -o mode=755 tmpfs /run
  mount --bind "$state/lib" /var/lib
  mount --bind "$state/log" /var/log
  # The kubelet sets these for the whole machine: it is shown files that say so already.
  mkdir /run/sysctl
  for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=/run/sysctl/$(tr / . <<<"${setting%=*}")
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
  done
  mount --make-rshared /
  ip link set lo up
  export LD_LIBRARY_PATH=$PROGRAMS/usr/lib/x86_64-linux-gnu
  export PATH=$PROGRAMS/usr/bin:$PROGRAMS/usr/sbin:/usr/sbin:/usr/bin:/sbin:/bin
  containerd --config "$state/containerd.toml" >"$state/log/containerd.log" 2>&1 &
  until ctr version >/dev/null 2>&1; do sleep 0.05; done
  for image; do ctr --namespace k8s.io images import "$image" >"$state/log/images.log" 2>&1; done
  until ip link show eth0 >/dev/null 2>&1; do sleep 0.02; done
  ip addr add 10.77.0.2/24 dev eth0
  ip link set eth0 up
  ip route add default via 10.77.0.1
  echo 1 >/proc/sys/net/ipv4/ip_forward
  until [ -e "$state/kubeconfig" ]; do sleep 0.05; done
  "$SERVERS/kubelet" --config "$state/kubelet.yaml" --kubeconfig "$state/kubeconfig" --root-dir /var/lib/kubelet \
    --hostname-override node-1 --node-ip 10.77.0.2 >"$state/log/kubelet.log" 2>&1 &
  "$SERVERS/kube-proxy" --config "$state/kube-proxy.yaml" >"$state/log/kube-proxy.log" 2>&1 &
  wait
}

# A cgroup below this process's own in every hierarchy, for this process; noted, so that `down` finds them.
enter_cgroups() {
  local id hierarchy path root own
  while IFS=: read -r id hierarchy path; do
    root=/sys/fs/cgroup/${hierarchy#name=}
    if [ -z "$hierarchy" ]; then
      root=/sys/fs/cgroup/unified
      [ -d "$root" ] || root=/sys/fs/cgroup
    fi
    [ -d "$root$path" ] || continue
    own=$root$path/hookgate-node-$$
    mkdir -p "$own"
    echo "$own" >>"$state/cgroups"
    if [ "$hierarchy" = cpuset ]; then
      for file in cpus mems; do cat "$root$path/cpuset.$file" >"$own/cpuset.$file"; done
    fi
    echo "$BASHPID" >"$own/cgroup.procs"
  done < <(cat /proc/self/cgroup)
}

serve() {
  "$SERVERS/$1" "${@:2}" >"$state/log/$1.log" 2>&1 </dev/null &
  echo $! >>"$state/pids"
}

control_plane() {
  local key=$state/apiserver/apiserver.key certificate=$state/apiserver/apiserver.crt
  serve etcd --data-dir="$state/etcd" --listen-client-urls=http://127.0.0.1:2379 --advertise-client-urls=http://127.0.0.1:2379 \
    --listen-peer-urls=http://127.0.0.1:0 --unsafe-no-fsync
  echo 'admin-of-a-test-node,admin,admin,system:masters' >"$state/tokens.csv"
  # At the bridge's address, so that pods reach it under the first address of the Services.
  serve kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=6443 --bind-address=10.77.0.1 --advertise-address=10.77.0.1 \
    --cert-dir="$state/apiserver" --service-account-issuer=https://kubernetes.default.svc --service-account-key-file="$key" \
    --service-account-signing-key-file="$key" --token-auth-file="$state/tokens.csv" --authorization-mode=RBAC \
    --service-cluster-ip-range=10.0.0.0/24 --kubelet-preferred-address-types=InternalIP
  cat >"$state/kubeconfig.new" <<END
apiVersion: v1
kind: Config
current-context: node
contexts: [{name: node, context: {cluster: node, user: admin}}]
clusters: [{name: node, cluster: {server: "https://10.77.0.1:6443", certificate-authority: $certificate}}]
users: [{name: admin, user: {token: admin-of-a-test-node}}]
END
  until [ "$("$SERVERS/kubectl" --kubeconfig "$state/kubeconfig.new" get --raw /readyz 2>/dev/null)" = ok ]; do
    if ! kill -0 "$(cat "$state/node.pid")"; then
      cat "$state/log/node.log" >&2
      return 1
    fi
    sleep 0.1
  done
  mv "$state/kubeconfig.new" "$state/kubeconfig"
  serve kube-controller-manager --kubeconfig="$state/kubeconfig" --service-account-private-key-file="$key" --root-ca-file="$certificate" \
    --use-service-account-credentials=true --leader-elect=false --node-monitor-period=500ms --kube-api-qps=1000 --kube-api-burst=1000 \
    --bind-address=127.0.0.1 --secure-port=10257
  serve kube-scheduler --kubeconfig="$state/kubeconfig" --leader-elect=false --bind-address=127.0.0.1 --secure-port=10259
}

up() {
  state=$1
  shift
  mkdir -p "$state"/{cni,lib,log}
  containerd_config >"$state/containerd.toml"
  network_config >"$state/cni/10-bridge.conflist"
  kubelet_config >"$state/kubelet.yaml"
  proxy_config >"$state/kube-proxy.yaml"
  # Whatever becomes of our interfaces, nothing for these addresses leaves by another route.
  ip route replace blackhole 10.77.0.0/16
  ip link add kb0 type bridge
  ip addr add 10.77.0.1/24 dev kb0
  ip link set kb0 up
  (
    enter_cgroups
    exec setsid unshare --mount --pid --net --ipc --uts --cgroup --fork --kill-child --mount-proc \
      "$self" init "$state" "$@" >"$state/log/node.log" 2>&1 </dev/null
  ) &
  local outside=$! node network
  until node=$(pgrep -P $outside) && network=$(readlink "/proc/$node/ns/net" 2>/dev/null) &&
    [ "$network" != "$(readlink /proc/self/ns/net)" ]; do sleep 0.02; done
  echo "$node" >"$state/node.pid"
  ip link add kp1 type veth peer name eth0 netns "$node"
  ip link set kp1 master kb0 up
  ip route add 10.77.10.0/24 via 10.77.0.2
  control_plane
  export KUBECONFIG=$state/kubeconfig
  until "$SERVERS/kubectl" wait --for=condition=Ready node/node-1 --timeout=60s >/dev/null 2>&1; do sleep 0.1; done
  until "$SERVERS/kubectl" get serviceaccount default >/dev/null 2>&1; do sleep 0.1; done
}

down() {
  state=$1
  if [ -e "$state/pids" ]; then xargs kill -9 <"$state/pids" 2>/dev/null || true; fi
  if [ -e "$state/node.pid" ]; then kill -9 "$(cat "$state/node.pid")" 2>/dev/null || true; fi
  ip link del kp1 2>/dev/null || true
  ip link del kb0 2>/dev/null || true
  # Empty ones are left, once the last process of the node is gone.
  for _ in $(seq 100); do
    local left=
    while read -r cgroup; do
      find "$cgroup" -depth -type d -exec rmdir {} \; 2>/dev/null || true
      if [ -d "$cgroup" ]; then left=$cgroup; fi
    done <"$state/cgroups"
    if [ -z "$left" ]; then return; fi
    sleep 0.1
  done
  echo "node.sh: processes are left in $left" >&2
}

"$@"
