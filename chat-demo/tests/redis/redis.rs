//! A Redis for a test, which can be killed and restarted with its data.

use std::net::{SocketAddr, TcpListener};
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;
use tokio::net::TcpStream;

/// A process of Redis. Dropping this kills it.
pub(crate) struct Redis {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    running: Child,
    options: Vec<String>,
}

/// Returns an address where nothing listens.
pub(crate) fn free_address() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    listener.local_addr().expect("it is bound")
}

impl Redis {
    pub(crate) async fn start() -> Self {
        Self::with(free_address(), &[]).await
    }

    pub(crate) async fn with(address: SocketAddr, options: &[&str]) -> Self {
        // Acknowledged data must survive a kill.
        let mut all = vec![
            "--save",
            "",
            "--appendonly",
            "yes",
            "--appendfsync",
            "always",
        ];
        all.extend(options);
        Self::run(address, &all).await
    }

    pub(crate) async fn sentinel(address: SocketAddr, settings: &str) -> Self {
        Self::run(address, &[settings, "--sentinel"]).await
    }

    async fn run(address: SocketAddr, options: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let options: Vec<_> = options.iter().map(|option| (*option).to_owned()).collect();
        let mut redis = Self {
            running: spawn(address, &folder, &options),
            address,
            folder,
            options,
        };
        redis.answers().await;
        redis
    }

    pub(crate) fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    /// Kills it, like a failed machine.
    pub(crate) fn kill(&mut self) {
        self.running.kill().expect("it runs");
        self.running.wait().expect("it ran");
    }

    pub(crate) async fn start_again(&mut self) {
        self.running = spawn(self.address, &self.folder, &self.options);
        self.answers().await;
    }

    /// Waits until it listens.
    async fn answers(&mut self) {
        while TcpStream::connect(self.address).await.is_err() {
            let ended = self.running.try_wait().expect("a child");
            assert!(ended.is_none(), "redis-server ended: {ended:?}");
            tokio::task::yield_now().await;
        }
    }

    /// Runs a command, and returns the answer as `redis-cli` prints it.
    pub(crate) fn ask(&self, command: &[&str]) -> String {
        let port = self.address.port().to_string();
        let asked = Command::new("redis-cli")
            .args(["-p", &port])
            .args(command)
            .output()
            .expect("redis-cli, of the package redis-tools");
        String::from_utf8(asked.stdout)
            .expect("text")
            .trim()
            .to_owned()
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        let _ = self.running.kill();
        let _ = self.running.wait();
    }
}

fn spawn(address: SocketAddr, folder: &TempDir, options: &[String]) -> Child {
    Command::new("redis-server")
        // A configuration file must precede all options.
        .args(options)
        .args(["--bind", "127.0.0.1", "--port", &address.port().to_string()])
        .arg("--dir")
        .arg(folder.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("redis-server, of the package redis-server")
}
