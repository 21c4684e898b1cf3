//! A server that is far away: a proxy on this machine that holds back every byte for half of the way there and back.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Pieces on their way in one direction of one connection.
const ON_THE_WAY: usize = 4096;

/// Stands before a server for as long as the runtime runs; `there_and_back` is what a ping would take.
pub async fn before(server: SocketAddr, there_and_back: Duration) -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(server) = TcpStream::connect(server).await else { continue };
            let _ = (client.set_nodelay(true), server.set_nodelay(true));
            let ((from_client, to_client), (from_server, to_server)) = (client.into_split(), server.into_split());
            carry(from_client, to_server, there_and_back / 2);
            carry(from_server, to_client, there_and_back / 2);
        }
    });
    Ok(address)
}

fn carry(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, takes: Duration) {
    let (begin, mut end) = mpsc::channel::<(Instant, BytesMut)>(ON_THE_WAY);
    tokio::spawn(async move {
        let mut bytes = BytesMut::new();
        loop {
            bytes.reserve(64 << 10);
            match from.read_buf(&mut bytes).await {
                Ok(1..) if begin.send((Instant::now() + takes, bytes.split())).await.is_ok() => {}
                _ => return,
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = end.recv().await {
            tokio::time::sleep_until(due.into()).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
    });
}
