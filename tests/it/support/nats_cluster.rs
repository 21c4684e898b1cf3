//! Three nats-servers with JetStream that are one cluster: a leader is found, a node killed, frozen, or cut off from the others.

use std::time::Duration;

use super::nats::Nats;
use super::port::free_port;
use super::proxy::{Proxy, Weather};
use super::wait::eventually;

const NODES: usize = 3;
const START: Duration = Duration::from_secs(40);

/// The cluster. Its nodes see each other only through proxies, clients reach each node itself.
pub struct NatsCluster {
    pub nodes: Vec<Nats>,
    /// Before node `to` for what node `from` says to it: who says it, to whom, and the proxy.
    ways: Vec<(usize, usize, Proxy)>,
}

impl NatsCluster {
    /// Starts it, and waits until streams can be made.
    pub async fn start() -> NatsCluster {
        let ports: Vec<u16> = (0..NODES).map(|_| free_port()).collect();
        let mut ways = Vec::new();
        for (to, port) in ports.iter().enumerate() {
            for from in (0..NODES).filter(|from| *from != to) {
                ways.push((from, to, Proxy::before_any(*port).await));
            }
        }
        let config = |node: usize| {
            let routes: Vec<String> = ways
                .iter()
                .filter(|(from, ..)| *from == node)
                .map(|(.., proxy)| format!("{:?}", format!("nats-route://127.0.0.1:{}", proxy.port())))
                .collect();
            // What nodes tell each other of their addresses leads nowhere: it would lead around the proxies.
            format!(
                "server_name: node-{node}\ncluster {{ name: test, listen: \"127.0.0.1:{}\", \
                 cluster_advertise: \"127.0.0.1:1\", no_advertise: true, routes: [{}] }}",
                ports[node],
                routes.join(", ")
            )
        };
        let nodes = futures::future::join_all((0..NODES).map(|node| {
            let lines = config(node);
            async move { Nats::start_with(&lines).await }
        }))
        .await;
        let cluster = NatsCluster { nodes, ways };
        let context = cluster.nodes[0].jetstream().await;
        eventually("the cluster answers", START, async || context.query_account().await.is_ok()).await;
        cluster
    }

    /// All of its URLs, as `--nats-url` takes them.
    pub fn urls(&self) -> String {
        self.nodes.iter().map(Nats::url).collect::<Vec<_>>().join(",")
    }

    /// The node that leads a stream, as this node knows; nothing while none does.
    pub async fn leader(&self, stream: &str, asked: usize) -> Option<usize> {
        let context = self.nodes[asked].jetstream().await;
        let stream = tokio::time::timeout(Duration::from_secs(1), context.get_stream(stream)).await.ok()?.ok()?;
        let leader = stream.cached_info().cluster.as_ref()?.leader.clone()?;
        leader.strip_prefix("node-")?.parse().ok()
    }

    /// Hands a stream's leadership to this node, as an operator does before maintenance.
    pub async fn hand_over(&self, stream: &str, to: usize) {
        let client = self.nodes[to].client().await;
        let body = format!(r#"{{"placement":{{"preferred":"node-{to}"}}}}"#);
        eventually("the node leads", START, async || {
            if self.leader(stream, to).await == Some(to) {
                return true;
            }
            let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{stream}");
            let _ = client.request(subject, body.clone().into()).await;
            false
        })
        .await;
    }

    /// The node that leads the cluster itself, as the nodes' logs say.
    pub fn meta_leader(&self) -> Option<usize> {
        let said = |node: &Nats| {
            let log = node.log();
            let line = log.lines().rfind(|line| line.contains("new metadata leader: node-"))?;
            Some((line.get(..line.find(" [INF]")?)?.to_owned(), line.split("leader: node-").nth(1)?[..1].parse().ok()?))
        };
        self.nodes.iter().filter_map(said).max().map(|(_, node)| node)
    }

    /// Waits until another node leads a stream than this one, and says which.
    pub async fn led_by_another(&self, stream: &str, than: usize) -> usize {
        let asked = (than + 1) % NODES;
        let mut leader = than;
        eventually("another node leads", START, async || {
            leader = self.leader(stream, asked).await.unwrap_or(than);
            leader != than
        })
        .await;
        leader
    }

    /// Waits until every node has all that a stream holds.
    pub async fn whole(&self, stream: &str) {
        eventually("every node has the stream", START, async || {
            let context = self.nodes[0].jetstream().await;
            let read = tokio::time::timeout(Duration::from_secs(1), context.get_stream(stream)).await;
            let Ok(Ok(stream)) = read else { return false };
            let Some(cluster) = &stream.cached_info().cluster else { return false };
            cluster.leader.is_some()
                && cluster.replicas.len() == NODES - 1
                && cluster.replicas.iter().all(|replica| replica.current && !replica.offline)
        })
        .await;
    }

    /// Nothing passes between this node and the others; it does when it is `join`ed again.
    pub fn cut_off(&self, node: usize) {
        self.set(node, Weather::Hole);
    }

    pub fn join(&self, node: usize) {
        self.set(node, Weather::Fair);
    }

    fn set(&self, node: usize, weather: Weather) {
        for (.., proxy) in self.ways.iter().filter(|(from, to, _)| *from == node || *to == node) {
            proxy.set(weather);
        }
    }
}
