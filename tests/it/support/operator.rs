//! The `hookgate` binary itself, as a process on free ports.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::{Client as Http, connect::HttpConnector};
use hyper_util::rt::TokioExecutor;

use super::folder::Folder;
use super::port::on_free_port;
use super::process::Process;
use super::run::{Output, run};
use super::wait::eventually;

/// The program under test.
pub fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_hookgate"))
}

/// An answer.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// `hookgate run`, until it is dropped.
pub struct Operator {
    pub process: Process,
    pub port: u16,
    pub admin: u16,
    pub client: Client,
    _folder: Folder,
}

/// Asks a Hookgate of this machine.
pub struct Client {
    http: Http<HttpConnector, Full<Bytes>>,
    port: u16,
    admin: u16,
}

impl Operator {
    /// Starts over a folder of manifests, and waits until it is ready.
    pub async fn in_folder(manifests: &Path, nats: &str, more: &[&str]) -> Operator {
        let manifests = manifests.display().to_string();
        let mut arguments = vec!["--manifests", &manifests];
        arguments.extend(more);
        let operator = Self::start(nats, &arguments, &[]).await;
        operator.ready().await;
        operator
    }

    /// Starts over a folder of manifests with these variables in its environment, and waits until it is ready.
    pub async fn in_folder_with(manifests: &Path, nats: &str, more: &[&str], env: &[(&str, &str)]) -> Operator {
        let manifests = manifests.display().to_string();
        let mut arguments = vec!["--manifests", &manifests];
        arguments.extend(more);
        let operator = Self::start(nats, &arguments, env).await;
        operator.ready().await;
        operator
    }

    /// Starts over a cluster, and waits until it is ready.
    pub async fn in_cluster(kubeconfig: &Path, nats: &str, more: &[&str]) -> Operator {
        let kubeconfig = kubeconfig.display().to_string();
        let operator = Self::start(nats, more, &[("KUBECONFIG", &kubeconfig)]).await;
        operator.ready().await;
        operator
    }

    /// Starts, ready or not.
    pub async fn start(nats: &str, more: &[&str], env: &[(&str, &str)]) -> Operator {
        Self::start_by(|| Command::new(binary()), nats, more, env).await
    }

    /// Starts what a command begins with, such as the program within another root.
    pub async fn start_by(program: impl Fn() -> Command, nats: &str, more: &[&str], env: &[(&str, &str)]) -> Operator {
        let folder = Folder::new("hookgate");
        let (process, port, admin) = on_free_port(async |port| {
            let admin = super::port::free_port();
            let mut command = program();
            command.arg("run").args(more).args(["--nats-url", nats]);
            command.args(["--listen", &format!("127.0.0.1:{port}"), "--admin-listen", &format!("127.0.0.1:{admin}")]);
            command.env("RUST_LOG", "info,hookgate=debug");
            command.envs(env.iter().copied());
            let mut process = Process::start("hookgate", &folder, &mut command);
            process.ready(Duration::from_secs(20), async |log| log.contains(" serves")).await?;
            Ok((process, port, admin))
        })
        .await;
        Operator { process, port, admin, client: Client::at(port, admin), _folder: folder }
    }

    /// Waits for `/readyz`.
    pub async fn ready(&self) {
        eventually("hookgate is ready", Duration::from_secs(30), async || {
            self.get("/readyz").await.is_some_and(|answer| answer.status == 200)
        })
        .await;
    }

    /// The public port.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// GETs from the admin port.
    pub async fn get(&self, path: &str) -> Option<Answer> {
        self.client.get(path).await
    }

    /// What `/metrics` says.
    pub async fn metrics(&self) -> String {
        let answer = self.get("/metrics").await.expect("/metrics");
        String::from_utf8(answer.body.to_vec()).expect("text")
    }

    /// The value of a series that is alone of its name, or is given with its labels.
    pub async fn metric(&self, series: &str) -> Option<i64> {
        let metrics = self.metrics().await;
        metrics.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.trim().parse().ok())
    }

    /// GETs from the public port, as vendors do that test a URL.
    pub async fn ask(&self, path: &str) -> Option<Answer> {
        self.client.send(Request::get(format!("{}{path}", self.url())).body(Full::default()).ok()?).await
    }

    /// POSTs to the public port; `None` where no answer comes.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Option<Answer> {
        self.client.post(path, headers, body).await
    }
}

impl Client {
    /// One that listens on these ports of 127.0.0.1.
    pub fn at(port: u16, admin: u16) -> Client {
        Client { http: Http::builder(TokioExecutor::new()).build_http(), port, admin }
    }

    /// GETs from the admin port.
    pub async fn get(&self, path: &str) -> Option<Answer> {
        let request = Request::get(format!("http://127.0.0.1:{}{path}", self.admin)).body(Full::default()).ok()?;
        self.send(request).await
    }

    /// POSTs to the public port; `None` where no answer comes.
    pub async fn post(&self, path: &str, headers: &[(&str, &str)], body: impl Into<Bytes>) -> Option<Answer> {
        let mut request = Request::post(format!("http://127.0.0.1:{}{path}", self.port));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Full::new(body.into())).ok()?).await
    }

    async fn send(&self, request: Request<Full<Bytes>>) -> Option<Answer> {
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        Some(Answer { status: head.status, headers: head.headers, body: body.collect().await.ok()?.to_bytes() })
    }
}

/// Runs a command of the binary to its end.
pub async fn hookgate(arguments: &[&str]) -> Output {
    let mut command = tokio::process::Command::new(binary());
    command.args(arguments);
    run(command, "").await
}
