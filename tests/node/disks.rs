//! Volumes of the node's disk, and NATS on one of them.

use std::fmt::Write as _;

use crate::node::Node;

/// A StorageClass and so many volumes that claims of any pod are bound to.
pub async fn make(node: &Node, count: usize) {
    let mut all = "
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: {name: local, annotations: {storageclass.kubernetes.io/is-default-class: 'true'}}
provisioner: kubernetes.io/no-provisioner
volumeBindingMode: WaitForFirstConsumer
"
    .to_owned();
    for n in 0..count {
        let path = node.disk(&format!("disk-{n}"));
        write!(
            all,
            "---
apiVersion: v1
kind: PersistentVolume
metadata: {{name: disk-{n}}}
spec:
  capacity: {{storage: 2Gi}}
  accessModes: [ReadWriteOnce]
  storageClassName: local
  persistentVolumeReclaimPolicy: Retain
  local: {{path: {path}}}
  nodeAffinity: {{required: {{nodeSelectorTerms: [{{matchExpressions: [{{key: kubernetes.io/hostname, operator: In, values: [node-1]}}]}}]}}}}
"
        )
        .expect("a string");
    }
    node.apply(&all).await;
}

/// Where NATS answers on the node.
pub const NATS_PORT: u16 = 30422;

/// A NATS server whose streams outlive its pod.
pub async fn nats(node: &Node) {
    node.apply(
        "
apiVersion: v1
kind: Namespace
metadata: {name: nats, labels: {pod-security.kubernetes.io/enforce: restricted}}
---
apiVersion: v1
kind: Service
metadata: {name: nats, namespace: nats}
spec: {type: NodePort, selector: {app: nats}, ports: [{port: 4222, nodePort: 30422}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: nats, namespace: nats}
spec:
  serviceName: nats
  selector: {matchLabels: {app: nats}}
  template:
    metadata: {labels: {app: nats}}
    spec:
      terminationGracePeriodSeconds: 5
      securityContext: {runAsNonRoot: true, runAsUser: 65532, runAsGroup: 65532, fsGroup: 65532, seccompProfile: {type: RuntimeDefault}}
      containers:
      - name: nats
        image: docker.io/library/nats:2.15.2
        args: [--port, '4222', --http_port, '8222', --jetstream, --store_dir, /data]
        securityContext: {allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: {drop: [ALL]}}
        readinessProbe: {httpGet: {path: /healthz, port: 8222}, periodSeconds: 1}
        volumeMounts: [{name: data, mountPath: /data}]
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
",
    )
    .await;
    node.rolled_out("nats", "statefulset/nats").await;
}
