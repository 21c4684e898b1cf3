//! The consumers of examples/consumers read events and claimed data of a real Hookgate, in Go, Python and JavaScript.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on fails loudly")]

use std::path::Path;

use tokio::process::Command;

use crate::claim_check::{large, manifests, send};
use crate::support::nats::Nats;
use crate::support::operator::Operator;
use crate::support::run::run;

#[tokio::test]
async fn the_consumers_of_the_documents_read_what_is_claimed_and_what_is_not() {
    let install = Command::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/consumers/install.sh"));
    let folder = run(install, "").await.ok();
    let folder = Path::new(folder.trim());
    let (manifests, nats) = (manifests(), Nats::start().await);
    let operator = Operator::in_folder(manifests.path(), &nats.url(), &[]).await;
    let bodies = ["{}".to_owned(), large("one"), r#"{"n":1}"#.to_owned()];
    for (id, body) in bodies.iter().enumerate() {
        assert_eq!(send(&operator, "/sales/calls", &format!("d-{id}"), body.clone()).await, 200);
    }
    let wanted: String =
        (0..).zip(&bodies).map(|(id, body)| format!("d-{id} generic.call.ended {}\n", body.len())).collect();
    let mut python = Command::new("python3");
    python.env("PYTHONPATH", folder.join("python")).arg(folder.join("claimed.py"));
    let mut javascript = Command::new("node");
    javascript.arg(folder.join("claimed.mjs"));
    for (language, mut command) in
        [("Go", Command::new(folder.join("claimed-go"))), ("Python", python), ("JavaScript", javascript)]
    {
        command.args([&nats.url(), "3"]);
        assert_eq!(run(command, "").await.ok(), wanted, "{language}");
    }
}
