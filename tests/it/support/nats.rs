//! A real nats-server with JetStream: started, restarted, hurt and read.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use async_nats::ConnectOptions;
use async_nats::jetstream::{self, message::StreamMessage, stream};

use super::accounts::Accounts;
use super::folder::Folder;
use super::port::on_free_port;
use super::process::Process;
use super::servers::program;

const START: Duration = Duration::from_secs(15);

/// A nats-server of its own for one test. Its port and its store stay the same over stops, kills and restarts.
pub struct Nats {
    // Dropped first: a server must not write to a folder that is being removed.
    process: Process,
    port: u16,
    config: PathBuf,
    login: Login,
    folder: Folder,
}

/// How `client` gets in.
enum Login {
    Open,
    Password(String, String),
    Credentials(PathBuf),
}

impl Nats {
    pub async fn start() -> Nats {
        Nats::start_with("").await
    }

    /// Starts with further lines of nats-server configuration, such as `max_payload: 64KB`. A later line wins over an
    /// earlier one, so `jetstream { sync_interval: always }` works too.
    pub async fn start_with(lines: &str) -> Nats {
        on_free_port(async |port| {
            let folder = Folder::new("nats");
            let store = folder.join("store");
            let text = format!("listen: \"127.0.0.1:{port}\"\nstore_dir: {store:?}\njetstream: enabled\n{lines}\n");
            let config = folder.write("nats.conf", &text);
            let process = launch(&folder, &config).await?;
            Ok(Nats { process, port, config, login: Login::Open, folder })
        })
        .await
    }

    /// Starts a server that lets only this user in. `client` logs in as that user.
    pub async fn start_with_login(user: &str, password: &str) -> Nats {
        let mut nats = Nats::start_with(&format!("authorization {{ user: {user:?}, password: {password:?} }}")).await;
        nats.login = Login::Password(user.to_owned(), password.to_owned());
        nats
    }

    /// Starts a server with users of its own. `client` logs in as this one of them.
    pub async fn start_with_users(lines: &str, user: &str, password: &str) -> Nats {
        let mut nats = Nats::start_with(lines).await;
        nats.login = Login::Password(user.to_owned(), password.to_owned());
        nats
    }

    /// Starts a server that wants credentials. `client` has them, and so has the file `credentials()`.
    pub async fn start_with_credentials() -> Nats {
        Nats::start_with_accounts(1).await
    }

    /// Starts a server of so many accounts: `client` is a user of the first, and `credentials_of` has a file for one of each.
    pub async fn start_with_accounts(count: usize) -> Nats {
        let accounts = Accounts::new(count);
        let mut nats = Nats::start_with(&accounts.config).await;
        for (account, credentials) in accounts.credentials.iter().enumerate() {
            nats.folder.write(&format!("user-{account}.creds"), credentials);
        }
        nats.login = Login::Credentials(nats.credentials_of(0));
        nats
    }

    /// The `.creds` file of a user of an account of `start_with_accounts`.
    pub fn credentials_of(&self, account: usize) -> PathBuf {
        self.folder.join(format!("user-{account}.creds"))
    }

    /// The `.creds` file of a server that wants one.
    pub fn credentials(&self) -> &Path {
        match &self.login {
            Login::Credentials(file) => file,
            _ => panic!("only a server of `start_with_credentials` has credentials"),
        }
    }

    pub fn url(&self) -> String {
        format!("nats://127.0.0.1:{}", self.port)
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub fn log(&self) -> String {
        self.process.log()
    }

    /// The folder of its configuration and store, for further files of a test.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// Asks it to end in order, and waits until it has.
    pub async fn stop(&mut self) {
        self.process.signal("TERM");
        self.process.wait_exit(Duration::from_secs(10)).await;
    }

    /// Ends it as a crash would.
    pub fn kill(&mut self) {
        self.process.kill();
    }

    /// Starts it after `stop` or `kill`, on the same port, with what it had stored.
    pub async fn start_again(&mut self) {
        self.process = launch(&self.folder, &self.config).await.unwrap_or_else(|failure| panic!("{failure:#}"));
    }

    pub async fn restart(&mut self) {
        self.stop().await;
        self.start_again().await;
    }

    /// Forgets everything, as a lost volume would: `start_again` finds an empty store. Only after `stop` or `kill`.
    pub fn lose_store(&mut self) {
        assert!(self.process.exited().is_some(), "stop or kill the server before it loses its store");
        std::fs::remove_dir_all(self.folder.join("store")).expect("remove the store");
    }

    /// Adds lines to its configuration; they hold after `restart`, or after `reload` where nats-server can reload them.
    pub fn configure(&self, lines: &str) {
        let mut text = std::fs::read_to_string(&self.config).expect("read nats.conf");
        writeln!(text, "{lines}").expect("write to a string");
        std::fs::write(&self.config, text).expect("write nats.conf");
    }

    pub fn reload(&self) {
        self.process.signal("HUP");
    }

    /// Freezes it: its connections stay open and nothing answers, as in a network partition.
    pub fn pause(&self) {
        self.process.signal("STOP");
        // The signal is on its way when it is sent; a thread that still runs could answer once more.
        let deadline = Instant::now() + START;
        while !self.process.is_stopped() {
            assert!(Instant::now() < deadline, "the server does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    pub fn resume(&self) {
        self.process.signal("CONT");
    }

    /// A new connection, in the runtime of the calling test.
    pub async fn client(&self) -> async_nats::Client {
        let options = ConnectOptions::new().name("test");
        let options = match &self.login {
            Login::Open => options,
            Login::Password(user, password) => options.user_and_password(user.clone(), password.clone()),
            Login::Credentials(file) => options.credentials_file(file).await.expect("credentials that this file wrote"),
        };
        options.connect(self.url()).await.unwrap_or_else(|error| panic!("no connection to {}: {error}", self.url()))
    }

    pub async fn jetstream(&self) -> jetstream::Context {
        jetstream::new(self.client().await)
    }

    /// A file stream. For more than a name and subjects use `jetstream`.
    pub async fn create_stream(&self, name: &str, subjects: &[&str]) -> stream::Stream {
        let config = stream::Config {
            name: name.to_owned(),
            subjects: subjects.iter().map(|&subject| subject.to_owned()).collect(),
            ..stream::Config::default()
        };
        self.jetstream().await.create_stream(config).await.unwrap_or_else(|error| panic!("no stream {name}: {error}"))
    }

    /// Publishes and returns when the message is stored.
    pub async fn publish(&self, subject: &str, payload: &str) {
        // Kept until the acknowledgement is there: it arrives over this connection.
        let context = self.jetstream().await;
        let sent = context.publish(subject.to_owned(), payload.to_owned().into()).await;
        let stored = sent.unwrap_or_else(|error| panic!("cannot publish on {subject:?}: {error}")).await;
        stored.unwrap_or_else(|error| panic!("no acknowledgement on {subject:?}: {error}"));
    }

    /// The first `n` messages on `subject` (it may have wildcards) that its stream holds, in order. Panics when there are
    /// not that many within `timeout`. More than `n` go unseen: see `count`.
    pub async fn collect(&self, subject: &str, n: usize, timeout: Duration) -> Vec<StreamMessage> {
        let context = self.jetstream().await;
        let name = context
            .stream_by_subject(subject)
            .await
            .unwrap_or_else(|error| panic!("no stream takes {subject:?}: {error}"));
        let stream = context.get_stream(&name).await.unwrap_or_else(|error| panic!("no stream {name}: {error}"));
        let deadline = Instant::now() + timeout;
        let mut messages: Vec<StreamMessage> = Vec::new();
        while messages.len() < n {
            let next = messages.last().map_or(1, |message| message.sequence + 1);
            match stream.get_first_raw_message_by_subject(subject, next).await {
                Ok(message) => messages.push(message),
                Err(error) => {
                    assert!(
                        Instant::now() < deadline,
                        "{} of {n} messages on {subject:?} within {timeout:?} ({error})",
                        messages.len()
                    );
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
        messages
    }

    /// How many messages a stream holds.
    pub async fn count(&self, stream: &str) -> u64 {
        let context = self.jetstream().await;
        let stream = context.get_stream(stream).await.unwrap_or_else(|error| panic!("no stream {stream}: {error}"));
        stream.cached_info().state.messages
    }
}

async fn launch(folder: &Folder, config: &Path) -> anyhow::Result<Process> {
    let mut command = Command::new(program("nats-server"));
    let mut process = Process::start("nats-server", folder, command.arg("-c").arg(config));
    // After JetStream has recovered its streams, and only in the log of the process that has the port.
    process.ready(START, async |log| log.contains("Server is ready")).await?;
    Ok(process)
}
