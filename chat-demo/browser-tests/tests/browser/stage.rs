//! The setting of a test: a server, and browsers that show its page.

use std::future::Future;
use std::net::SocketAddr;
use std::time::Duration;

use chat_demo_server::config::Config;
use chat_demo_server::server::Server;

use crate::driver::Driver;
use crate::window::Window;

/// Runs a test with a time limit.
pub(crate) fn run<F: Future<Output = ()>>(test: F) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .expect("a runtime");
    let patience = Duration::from_secs(180);
    runtime
        .block_on(async { tokio::time::timeout(patience, test).await })
        .expect("the test hangs");
    runtime.shutdown_background();
}

/// Disables limits that other programs could reach.
fn settings() -> Config {
    Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        max_cpu: 0,
        max_memory: 0,
        ..Config::default()
    }
}

/// A server and its browsers. Dropping this ends both.
pub(crate) struct Stage {
    pub(crate) address: SocketAddr,
    driver: Driver,
    server: Option<Server>,
}

impl Stage {
    pub(crate) fn set() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let mut config = settings();
        change(&mut config);
        let server = Server::start(config).expect("a free port");
        Self {
            address: server.address(),
            driver: Driver::start(),
            server: Some(server),
        }
    }

    /// Replaces the server with an empty server at the same address.
    pub(crate) async fn restart(&mut self) {
        let server = self.server.take().expect("it runs");
        let drained = tokio::task::spawn_blocking(|| server.drain()).await;
        drained.expect("no panic").expect("all have gone");
        let config = Config {
            listen: self.address.into(),
            ..settings()
        };
        self.server = Some(Server::start(config).expect("the port is free again"));
    }

    /// Starts a browser with the server's page.
    pub(crate) async fn open(&self, path: &str) -> Window {
        self.open_at(self.address, path).await
    }

    /// Starts a browser that reaches the page by another address.
    pub(crate) async fn open_at(&self, address: SocketAddr, path: &str) -> Window {
        let window = Window(self.driver.open(None).await);
        window.go(&format!("http://{address}{path}")).await;
        window
    }

    /// Starts a browser with a phone's screen of this width.
    pub(crate) async fn open_phone(&self, width: u32) -> Window {
        let window = Window(self.driver.open(Some(width)).await);
        window.go(&format!("http://{}/", self.address)).await;
        window
    }

    /// Starts a browser whose visitor has a name and is connected.
    pub(crate) async fn enter(&self, name: &str) -> Window {
        self.enter_at(self.address, name).await
    }

    /// The same by another address of the page.
    pub(crate) async fn enter_at(&self, address: SocketAddr, name: &str) -> Window {
        let window = self.open_at(address, "/").await;
        window.sign_in(name).await;
        window
    }
}
