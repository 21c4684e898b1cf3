//! What an API server sends to one client, in plain bytes: `kubectl proxy` takes TLS away, and a tap before it keeps a copy.

use std::path::PathBuf;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::cluster::Cluster;
use super::folder::Folder;
use super::port::on_free_port;
use super::process::Process;
use super::servers::program;

/// The tap. Ends when it is dropped.
pub struct Wire {
    /// For the client.
    pub kubeconfig: PathBuf,
    seen: Arc<Mutex<Vec<u8>>>,
    _tasks: JoinSet<()>,
    _proxy: Process,
    _folder: Folder,
}

impl Wire {
    /// Stands before the API server, with the administrator's rights.
    pub async fn before_api_server(cluster: &Cluster) -> Wire {
        let folder = Folder::new("wire");
        let (proxy, port) = on_free_port(async |port| {
            let mut command = Command::new(program("kubectl"));
            command.env("KUBECONFIG", cluster.kubeconfig()).args(["proxy", "--port", &port.to_string()]);
            let mut proxy = Process::start("kubectl-proxy", &folder, &mut command);
            proxy.ready(Duration::from_secs(20), async |log| log.contains("Starting to serve")).await?;
            Ok((proxy, port))
        })
        .await;
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port for the tap");
        let own = listener.local_addr().expect("its address").port();
        let seen = Arc::<Mutex<Vec<u8>>>::default();
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, port, seen.clone()));
        let kubeconfig = folder.write(
            "wire.kubeconfig",
            &format!(
                "apiVersion: v1\nkind: Config\ncurrent-context: wire\n\
                 contexts: [{{name: wire, context: {{cluster: wire, user: wire}}}}]\n\
                 clusters: [{{name: wire, cluster: {{server: \"http://127.0.0.1:{own}\"}}}}]\nusers: [{{name: wire, user: {{}}}}]\n"
            ),
        );
        Wire { kubeconfig, seen, _tasks: tasks, _proxy: proxy, _folder: folder }
    }

    /// All that was sent to the client so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("no panic")).into_owned()
    }
}

async fn accept(listener: TcpListener, port: u16, seen: Arc<Mutex<Vec<u8>>>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
        let ((mut from_client, mut to_client), (mut from_server, mut to_server)) =
            (client.into_split(), server.into_split());
        let seen = seen.clone();
        connections.spawn(async move {
            let _ = tokio::io::copy(&mut from_client, &mut to_server).await;
        });
        connections.spawn(async move {
            let mut bytes = vec![0; 64 << 10];
            while let Ok(read) = from_server.read(&mut bytes).await
                && read > 0
            {
                seen.lock().expect("no panic").extend(&bytes[..read]);
                if to_client.write_all(&bytes[..read]).await.is_err() {
                    return;
                }
            }
        });
    }
}
