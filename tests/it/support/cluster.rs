//! A real Kubernetes API: etcd and kube-apiserver, with RBAC. Nothing runs in it until `with_nodes` (see `nodes`).

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use k8s_openapi::api::core::v1::Namespace;
use kube::api::{Api, GetParams, PostParams, Request};
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::Value;
use tokio::sync::OnceCell;

use super::folder::Folder;
use super::nodes::Nodes;
use super::port::on_free_port;
use super::process::Process;
use super::run::{Output, run};
use super::servers::program;

const START: Duration = Duration::from_secs(60);
/// What the API server notes of requests.
const AUDIT: &str = "
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived]
rules:
- {level: Metadata, userGroups: ['system:serviceaccounts']}
- {level: Metadata, verbs: [create, update, patch, delete, deletecollection]}
- {level: None}
";
const ADMIN: &str = "admin-of-a-test-cluster";

/// An API server with a store of its own. Use `shared` unless the test stops it or changes what all namespaces share.
pub struct Cluster {
    // Dropped in this order, so that nothing logs the loss of what it depends on.
    nodes: OnceCell<Nodes>,
    apiserver: Process,
    // Held for its end: the guard kills it.
    _etcd: Process,
    port: u16,
    etcd_port: u16,
    kubeconfig: PathBuf,
    folder: Folder,
}

/// A command that talks to the cluster of a kubeconfig, and leaves what it remembers in that folder.
pub fn command(name: &str, kubeconfig: &Path, folder: &Folder) -> tokio::process::Command {
    let mut command = tokio::process::Command::new(program(name));
    command
        .env("KUBECONFIG", kubeconfig)
        .env("KUBECACHEDIR", folder.join("kubectl"))
        .env("KUBERC", "off")
        .env("HELM_CACHE_HOME", folder.join("helm/cache"))
        .env("HELM_CONFIG_HOME", folder.join("helm/config"))
        .env("HELM_DATA_HOME", folder.join("helm/data"));
    command
}

impl Cluster {
    /// Starts a cluster for one test: about 5 seconds and 300 MB.
    pub async fn start() -> Cluster {
        let folder = Folder::new("cluster");
        let (etcd, etcd_port) = on_free_port(async |port| Ok((launch_etcd(&folder, port).await?, port))).await;
        folder.write("tokens.csv", &format!("{ADMIN},admin,admin,system:masters\n"));
        let (apiserver, port) = on_free_port(async |port| {
            let apiserver = launch_apiserver(&folder, port, etcd_port).await?;
            Ok((apiserver, port))
        })
        .await;
        let kubeconfig = write_kubeconfig(&folder, "admin", port, ADMIN);
        Cluster { nodes: OnceCell::new(), apiserver, _etcd: etcd, port, etcd_port, kubeconfig, folder }
    }

    /// The one cluster of this test process. Tests keep apart by namespace; it ends with the process.
    pub async fn shared() -> &'static Cluster {
        static SHARED: OnceCell<Cluster> = OnceCell::const_new();
        SHARED.get_or_init(Cluster::start).await
    }

    /// Adds controllers, a scheduler and a simulated node, once: pods become ready but run nothing. `helm install --wait`
    /// needs it.
    pub async fn with_nodes(&self) -> &Cluster {
        self.nodes.get_or_init(|| Nodes::start(self)).await;
        self
    }

    /// The administrator's.
    pub fn kubeconfig(&self) -> PathBuf {
        self.kubeconfig.clone()
    }

    /// The kubeconfig of whoever holds this token, such as one of `kubectl create token`.
    pub fn kubeconfig_for_token(&self, token: &str) -> PathBuf {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let user = format!("user-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        write_kubeconfig(&self.folder, &user, self.port, token)
    }

    /// The kubeconfig of a ServiceAccount, with exactly the rights that its roles give.
    pub async fn kubeconfig_for_service_account(&self, namespace: &str, name: &str) -> PathBuf {
        let token = self.kubectl(&["create", "token", name, "--namespace", namespace]).await.ok();
        self.kubeconfig_for_token(token.trim())
    }

    /// A new client, in the runtime of the calling test: one that is kept in a static dies with the first test's runtime.
    pub async fn client(&self) -> kube::Client {
        client(&self.kubeconfig).await
    }

    /// A client for any kubeconfig of this cluster.
    pub async fn client_for(&self, kubeconfig: &Path) -> kube::Client {
        client(kubeconfig).await
    }

    /// Creates a namespace that no other test has.
    pub async fn namespace(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test-{}", NEXT.fetch_add(1, Ordering::Relaxed));
        let mut namespace = Namespace::default();
        namespace.metadata.name = Some(name.clone());
        let api = Api::<Namespace>::all(self.client().await);
        api.create(&PostParams::default(), &namespace).await.expect("a new namespace");
        name
    }

    pub async fn kubectl(&self, arguments: &[&str]) -> Output {
        self.kubectl_with(arguments, "").await
    }

    /// kubectl with `input` on its standard input.
    pub async fn kubectl_with(&self, arguments: &[&str], input: &str) -> Output {
        let mut command = self.command("kubectl");
        command.args(arguments);
        run(command, input).await
    }

    /// `kubectl apply` of one or more YAML documents.
    pub async fn kubectl_apply(&self, yaml: &str) -> Output {
        self.kubectl_with(&["apply", "--filename", "-"], yaml).await
    }

    pub async fn helm(&self, arguments: &[&str]) -> Output {
        let mut command = self.command("helm");
        command.args(arguments);
        run(command, "").await
    }

    /// A command that talks to this cluster as administrator and leaves no trace in the home of who runs the tests.
    pub fn command(&self, name: &str) -> tokio::process::Command {
        command(name, &self.kubeconfig, &self.folder)
    }

    /// Takes the API away at once, as the loss of its machine would. What it stored stays.
    pub fn stop_apiserver(&mut self) {
        self.apiserver.kill();
    }

    /// Brings it back on the same port, with the same certificate and the same tokens.
    pub async fn start_apiserver(&mut self) {
        self.apiserver = launch_apiserver(&self.folder, self.port, self.etcd_port)
            .await
            .unwrap_or_else(|failure| panic!("{failure:#}"));
    }

    pub async fn restart_apiserver(&mut self) {
        self.stop_apiserver();
        self.start_apiserver().await;
    }

    /// Freezes it: connections stay open and nothing answers.
    pub fn pause_apiserver(&self) {
        self.apiserver.signal("STOP");
    }

    pub fn resume_apiserver(&self) {
        self.apiserver.signal("CONT");
    }

    /// What a user asked of the API server: all writes, and of a ServiceAccount all else too (audit.k8s.io/v1, metadata alone).
    pub fn audit(&self, user: &str) -> Vec<Value> {
        let text = std::fs::read_to_string(self.folder.join("audit.log")).unwrap_or_default();
        // The last line may not be whole yet.
        let lines = text.lines().filter(|line| line.contains(user));
        let entries = lines.filter_map(|line| serde_json::from_str::<Value>(line).ok());
        entries.filter(|entry| entry["user"]["username"] == user).collect()
    }

    pub fn apiserver_log(&self) -> String {
        self.apiserver.log()
    }

    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

/// helm without a cluster: `lint`, `template`, `package`.
pub async fn helm(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(program("helm"));
    command.args(arguments).env("KUBECONFIG", "/dev/null");
    run(command, "").await
}

async fn client(kubeconfig: &Path) -> kube::Client {
    let read = Kubeconfig::read_from(kubeconfig).expect("a kubeconfig that this file wrote");
    let mut config = kube::Config::from_custom_kubeconfig(read, &KubeConfigOptions::default())
        .await
        .expect("a kubeconfig that this file wrote");
    // A proxy of this machine is not for a server on it.
    config.proxy_url = None;
    kube::Client::try_from(config).expect("a client")
}

async fn launch_etcd(folder: &Folder, port: u16) -> anyhow::Result<Process> {
    let url = format!("http://127.0.0.1:{port}");
    let mut command = Command::new(program("etcd"));
    command
        .arg(format!("--data-dir={}", folder.join("etcd").display()))
        .args([format!("--listen-client-urls={url}"), format!("--advertise-client-urls={url}")])
        .args(["--listen-peer-urls=http://127.0.0.1:0", "--unsafe-no-fsync"]);
    let mut process = Process::start("etcd", folder, &mut command);
    process.ready(START, async |log| log.contains("ready to serve client requests")).await?;
    Ok(process)
}

async fn launch_apiserver(folder: &Folder, port: u16, etcd_port: u16) -> anyhow::Result<Process> {
    // The API server makes this key for its own certificate when it first starts. It signs its tokens with it too: one
    // key less to make, and none in the repository.
    let key = service_account_key(folder);
    let policy = folder.write("audit-policy.yaml", AUDIT);
    let mut command = Command::new(program("kube-apiserver"));
    command
        .arg(format!("--etcd-servers=http://127.0.0.1:{etcd_port}"))
        .arg(format!("--secure-port={port}"))
        .args(["--bind-address=127.0.0.1", "--advertise-address=127.0.0.1", "--endpoint-reconciler-type=none"])
        .arg(format!("--cert-dir={}", folder.join("apiserver").display()))
        .arg("--service-account-issuer=https://kubernetes.default.svc")
        .arg(format!("--service-account-key-file={}", key.display()))
        .arg(format!("--service-account-signing-key-file={}", key.display()))
        .arg(format!("--token-auth-file={}", folder.join("tokens.csv").display()))
        .arg(format!("--audit-policy-file={}", policy.display()))
        .arg(format!("--audit-log-path={}", folder.join("audit.log").display()))
        .args(["--authorization-mode=RBAC", "--service-cluster-ip-range=10.0.0.0/24"]);
    let mut process = Process::start("kube-apiserver", folder, &mut command);
    let kubeconfig = write_kubeconfig(folder, "starting", port, ADMIN);
    process
        .ready(START, async |_| {
            if !certificate(folder).exists() {
                return false;
            }
            let request = Request::new("").get("readyz", &GetParams::default()).expect("a request");
            client(&kubeconfig).await.request_text(request).await.is_ok_and(|answer| answer == "ok")
        })
        .await?;
    Ok(process)
}

pub fn service_account_key(folder: &Folder) -> PathBuf {
    folder.join("apiserver/apiserver.key")
}

fn certificate(folder: &Folder) -> PathBuf {
    folder.join("apiserver/apiserver.crt")
}

fn write_kubeconfig(folder: &Folder, user: &str, port: u16, token: &str) -> PathBuf {
    let ca = certificate(folder);
    let text = format!(
        "apiVersion: v1\nkind: Config\ncurrent-context: test\n\
         contexts: [{{name: test, context: {{cluster: test, user: {user}}}}}]\n\
         clusters: [{{name: test, cluster: {{server: \"https://127.0.0.1:{port}\", certificate-authority: {ca:?}}}}}]\n\
         users: [{{name: {user}, user: {{token: {token:?}}}}}]\n"
    );
    folder.write(&format!("{user}.kubeconfig"), &text)
}
