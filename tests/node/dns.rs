//! Names of Services for the node's pods: asks the API server and answers with the Service's address. CoreDNS takes minutes to
//! build and answers no more than this here.

use std::sync::Arc;

use tokio::net::UdpSocket;

use crate::node::{HOST, Node};

/// The domain of the cluster, behind a Service's name and namespace.
const DOMAIN: [&str; 3] = ["svc", "cluster", "local"];

/// Answers until the process ends.
pub async fn serve(node: &Node) {
    let socket = Arc::new(UdpSocket::bind((std::net::Ipv4Addr::from(HOST), 53)).await.expect("port 53"));
    let kubectl = node.asker();
    tokio::spawn(async move {
        let mut packet = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            let (question, socket, kubectl) = (packet[..length].to_vec(), socket.clone(), kubectl.clone());
            tokio::spawn(async move {
                if let Some((name, kind, end)) = read(&question) {
                    let address = match name.iter().map(String::as_str).collect::<Vec<_>>()[..] {
                        [service, namespace, ref domain @ ..] if domain == DOMAIN => {
                            kubectl.address(service, namespace).await
                        }
                        _ => None,
                    };
                    let _ = socket.send_to(&answer(&question[..end], kind, address), from).await;
                }
            });
        }
    });
}

/// The labels of the name that is asked for, its type, and where the question ends.
fn read(packet: &[u8]) -> Option<(Vec<String>, u16, usize)> {
    let (mut at, mut labels) = (12, Vec::new());
    loop {
        let length = usize::from(*packet.get(at)?);
        at += 1;
        if length == 0 {
            break;
        }
        labels.push(String::from_utf8_lossy(packet.get(at..at + length)?).to_lowercase());
        at += length;
    }
    let kind = u16::from_be_bytes([*packet.get(at)?, *packet.get(at + 1)?]);
    Some((labels, kind, at + 4))
}

/// RFC 1035, section 4: the question again, with an address where there is one, else "no such name".
fn answer(question: &[u8], kind: u16, address: Option<[u8; 4]>) -> Vec<u8> {
    let mut packet = question.to_vec();
    let found = address.filter(|_| kind == 1);
    packet[2..4].copy_from_slice(&[0x84, if address.is_some() { 0 } else { 3 }]);
    packet[6..12].copy_from_slice(&[0, u8::from(found.is_some()), 0, 0, 0, 0]);
    if let Some(address) = found {
        packet.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 1, 0, 4]);
        packet.extend(address);
    }
    packet
}
