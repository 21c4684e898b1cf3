//! What makes pods ready in a test cluster: the controllers, the scheduler, and kwok, which simulates the node.
//!
//! Nothing is ever run in a pod. What a pod would run is tested as a process with that pod's account, flags and files.

use std::process::Command;
use std::time::Duration;

use k8s_openapi::api::core::v1::Node;
use kube::Api;

use super::cluster::{Cluster, service_account_key};
use super::process::Process;
use super::servers::{build, program};
use super::wait::eventually;

const NODE: &str = "
apiVersion: v1
kind: Node
metadata:
  name: simulated
  labels: {kubernetes.io/os: linux, kubernetes.io/arch: amd64, kubernetes.io/hostname: simulated}
status:
  capacity: {cpu: 32, memory: 256Gi, pods: 110}
  allocatable: {cpu: 32, memory: 256Gi, pods: 110}
";

/// The processes; the guards kill them.
pub struct Nodes {
    _processes: [Process; 3],
}

impl Nodes {
    pub(super) async fn start(cluster: &Cluster) -> Nodes {
        let start = |name: &str, arguments: &[String]| {
            let mut command = Command::new(program(name));
            command.arg(format!("--kubeconfig={}", cluster.kubeconfig().display())).args(arguments);
            Process::start(name, cluster.folder(), &mut command)
        };
        // Several clusters run side by side: no leader to elect among them, and no port to serve on.
        let alone = ["--leader-elect=false".to_owned(), "--secure-port=0".to_owned()];
        let controllers = start(
            "kube-controller-manager",
            &[
                alone.as_slice(),
                &[
                    format!("--service-account-private-key-file={}", service_account_key(cluster.folder()).display()),
                    "--use-service-account-credentials=true".to_owned(),
                ],
            ]
            .concat(),
        );
        let scheduler = start("kube-scheduler", &alone);
        let mut simulation = vec!["--manage-all-nodes=true".to_owned(), "--node-ip=127.0.0.1".to_owned()];
        let stages = build("kwok").join("kwok-stages").read_dir().expect("the stages that build.sh copied");
        simulation.extend(stages.map(|stage| format!("--config={}", stage.expect("a stage").path().display())));
        let kwok = start("kwok", &simulation);

        cluster.kubectl_apply(NODE).await.ok();
        let mut processes = [controllers, scheduler, kwok];
        let nodes = Api::<Node>::all(cluster.client().await);
        eventually("the simulated node is ready", Duration::from_secs(60), async || {
            for process in &mut processes {
                assert!(process.exited().is_none(), "a server of the simulated node ended:\n{}", process.log());
            }
            nodes.get("simulated").await.is_ok_and(|node| is_ready(&node))
        })
        .await;
        Nodes { _processes: processes }
    }
}

/// Pods can be put on it: it says so, and the controllers have taken its first taint away.
fn is_ready(node: &Node) -> bool {
    let conditions = node.status.as_ref().and_then(|status| status.conditions.as_deref()).unwrap_or_default();
    let taints = node.spec.as_ref().and_then(|spec| spec.taints.as_deref()).unwrap_or_default();
    taints.is_empty() && conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}
