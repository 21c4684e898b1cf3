//! A node that runs until it is dropped: the programs, the images, kubectl and helm.

use std::collections::HashMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};

use crate::dns;
use crate::support::cluster::command;
use crate::support::folder::Folder;
use crate::support::image::pack_into;
use crate::support::operator::binary;
use crate::support::run::{Output, run};
use crate::support::servers::build;

/// Where node ports answer.
pub const ADDRESS: [u8; 4] = [10, 77, 0, 2];
/// The host's end of the node's cable.
pub const HOST: [u8; 4] = [10, 77, 0, 1];

pub struct Node {
    folder: Folder,
    servers: PathBuf,
    programs: PathBuf,
}

/// The folder of `programs.sh`.
pub fn programs() -> Result<PathBuf, &'static str> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/programs.sh");
    let done = Command::new(script).stderr(Stdio::inherit()).output().map_err(|_| "programs.sh cannot be run")?;
    match done.status.success() {
        true => Ok(String::from_utf8_lossy(&done.stdout).trim().into()),
        false => Err("containerd comes from Debian's packages, and this is no Debian"),
    }
}

impl Node {
    pub async fn start() -> Self {
        let servers = build("kubelet");
        let node = Self { folder: Folder::new("node"), servers, programs: programs().expect("programs") };
        sh("ip link set lo up");
        let images = node.images().await;
        let state = node.state();
        let mut up = node.script();
        up.arg("up").arg(&state).args(images);
        let done = run(up, "").await;
        assert!(done.status.success(), "{done:?}");
        dns::serve(&node).await;
        node
    }

    fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    fn script(&self) -> tokio::process::Command {
        let mut script = tokio::process::Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/node.sh"));
        script.env("SERVERS", &self.servers).env("PROGRAMS", &self.programs);
        script
    }

    /// The program under test, NATS, and what holds a pod's namespaces.
    async fn images(&self) -> Vec<PathBuf> {
        let sources = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/images");
        let pause = self.folder.join("pause");
        let mut cc = tokio::process::Command::new("cc");
        cc.args(["-Os", "-static", "-s", "-o"]).arg(&pause).arg(sources.join("pause/pause.c"));
        let _ = run(cc, "").await.ok();
        let chart = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/hookgate");
        let nats = self.servers.join("nats-server");
        let all = [(pause, sources.join("pause")), (nats, sources.join("nats")), (binary(), chart)];
        let mut images = Vec::new();
        for (number, (program, chart)) in all.iter().enumerate() {
            let output = self.folder.join(format!("image-{number}"));
            pack_into(program, &output, &["--chart", chart.to_str().expect("a path")]).await;
            images.push(output.join("hookgate.tar"));
        }
        images
    }

    fn command(&self, name: &str) -> tokio::process::Command {
        command(name, &self.state().join("kubeconfig"), &self.folder)
    }

    /// What asks the API server when this node is not at hand.
    pub fn asker(&self) -> Asker {
        Asker {
            kubectl: self.servers.join("kubectl"),
            kubeconfig: self.state().join("kubeconfig"),
            known: Arc::default(),
        }
    }

    /// kubectl with these words.
    pub async fn kubectl(&self, words: &str) -> Output {
        let mut command = self.command("kubectl");
        command.args(words.split_whitespace());
        run(command, "").await
    }

    pub async fn apply(&self, yaml: &str) {
        let mut command = self.command("kubectl");
        command.args(["apply", "--filename", "-"]);
        let _ = run(command, yaml).await.ok();
    }

    /// helm with these words; where it fails, what the pods say is told too.
    pub async fn helm(&self, words: &str) -> String {
        let mut command = self.command("helm");
        command.args(words.split_whitespace()).current_dir(env!("CARGO_MANIFEST_DIR"));
        let done = run(command, "").await;
        if !done.status.success() {
            let pods = self.kubectl("get pods --all-namespaces --output wide").await.stdout;
            let told = self.kubectl("describe pods --all-namespaces").await.stdout;
            panic!("{done:?}\n{pods}\n{told}");
        }
        done.stdout
    }

    /// What a JSONPath finds; nothing, where what is asked for is not there.
    pub async fn get(&self, words: &str, path: &str) -> String {
        self.kubectl(&format!("get {words} --output jsonpath={path}")).await.stdout
    }

    /// Kills the first process of the node's pods whose command line holds this text.
    pub fn kill(&self, text: &str) {
        let node = std::fs::read_to_string(self.state().join("node.pid")).expect("a node");
        let killed = sh(&format!(
            "nsenter --target {} --pid --mount pkill --signal KILL --oldest --full -- '{text}'",
            node.trim()
        ));
        assert!(killed, "{text} runs nowhere");
    }

    /// A folder of the node's disk.
    pub fn disk(&self, name: &str) -> String {
        std::fs::create_dir_all(self.state().join("lib").join(name)).expect("a folder");
        format!("/var/lib/{name}")
    }

    /// Waits until a workload has rolled out.
    pub async fn rolled_out(&self, namespace: &str, workload: &str) {
        let _ = self.kubectl(&format!("--namespace {namespace} rollout status {workload} --timeout=120s")).await.ok();
    }
}

/// Addresses by name and namespace.
type Known = HashMap<(String, String), [u8; 4]>;

/// Asks where Services are.
#[derive(Clone)]
pub struct Asker {
    kubectl: PathBuf,
    kubeconfig: PathBuf,
    /// Those that were asked for; the tests give none another address.
    known: Arc<Mutex<Known>>,
}

impl Asker {
    /// The address of a Service, where it has one.
    pub async fn address(&self, service: &str, namespace: &str) -> Option<[u8; 4]> {
        let key = (service.to_owned(), namespace.to_owned());
        if let Some(known) = self.known.lock().unwrap().get(&key) {
            return Some(*known);
        }
        let mut command = tokio::process::Command::new(&self.kubectl);
        command.env("KUBECONFIG", &self.kubeconfig).args(["get", "service", service, "--namespace", namespace]);
        command.args(["--output", "jsonpath={.spec.clusterIP}"]);
        let address: Ipv4Addr = run(command, "").await.stdout.parse().ok()?;
        self.known.lock().unwrap().insert(key, address.octets());
        Some(address.octets())
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/node/node.sh");
        // It returns when the last process of the node is gone.
        let _ = Command::new(script).arg("down").arg(self.state()).status();
    }
}

fn sh(command: &str) -> bool {
    Command::new("sh").args(["-c", command]).status().is_ok_and(|status| status.success())
}
