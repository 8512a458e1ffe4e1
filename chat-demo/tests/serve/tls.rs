//! TLS on all paths; other clients are refused.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chat_demo_client::frame::Kind;
use chat_demo_server::config::Config;
use chat_demo_server::error::ServeError;
use chat_demo_server::server;
use chat_demo_server::tls::{TlsArgs, TlsError};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::version::{TLS12, TLS13};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, frame::coding::CloseCode};

use crate::harness::{Client, Response, Server, exchange, run, until};

/// The name in the certificate.
const HOST: &str = "localhost";
/// The first bytes of a TLS handshake.
pub(crate) const HALF_A_HELLO: &[u8] = b"\x16\x03\x01\x02\x00\x01\x00\x01\xFC\x03\x03";

/// A certificate and its key, in files, and a client that trusts it.
pub(crate) struct Identity {
    folder: TempDir,
    trusted: RootCertStore,
}

impl Identity {
    pub(crate) fn new() -> Self {
        let made = rcgen::generate_simple_self_signed([HOST.to_owned()]).expect("a certificate");
        let folder = tempfile::tempdir().expect("a folder");
        let mut trusted = RootCertStore::empty();
        trusted
            .add(made.cert.der().clone())
            .expect("a certificate that can be trusted");
        let identity = Self { folder, trusted };
        identity.write("cert.pem", &made.cert.pem());
        identity.write("key.pem", &made.signing_key.serialize_pem());
        identity
    }

    pub(crate) fn args(&self) -> TlsArgs {
        TlsArgs {
            tls_cert: self.path("cert.pem"),
            tls_key: self.path("key.pem"),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path(name);
        fs::write(&path, text).expect("a writable folder");
        path
    }
}

/// A server, and the certificates that its clients trust.
pub(crate) struct Secured {
    server: Server,
    client: Arc<ClientConfig>,
}

impl Secured {
    fn start() -> Self {
        Self::with(|_| ())
    }

    pub(crate) fn with(change: impl FnOnce(&mut Config)) -> Self {
        let identity = Identity::new();
        let server = Server::with(|config| {
            config.tls = Some(identity.args());
            change(config);
        });
        let mut client = trusting(identity.trusted, &TLS13);
        client.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Self {
            server,
            client: Arc::new(client),
        }
    }

    pub(crate) async fn reach(&self) -> TcpStream {
        TcpStream::connect(self.server.address)
            .await
            .expect("it listens")
    }

    async fn shake(&self, socket: TcpStream) -> TlsStream<TcpStream> {
        shake(&self.client, socket).await.expect("it is trusted")
    }

    /// Returns a client that has joined a room over a socket.
    async fn enter_by(&self, socket: TcpStream, name: &str) -> Client<TlsStream<TcpStream>> {
        let stream = self.shake(socket).await;
        let mut client = Client::over(stream, self.server.request())
            .await
            .expect("an upgrade");
        client.say(Kind::HELLO, json!({ "name": name })).await;
        client.expect(Kind::WELCOME).await;
        client.join("tea").await;
        client
    }

    async fn enter(&self, name: &str) -> Client<TlsStream<TcpStream>> {
        self.enter_by(self.reach().await, name).await
    }

    pub(crate) async fn http(&self, request: &str) -> Response {
        exchange(self.shake(self.reach().await).await, HOST, request).await
    }

    async fn stats(&self) -> Value {
        let stats = self.http("GET /api/stats HTTP/1.1").await;
        serde_json::from_str(&stats.body).expect("JSON")
    }

    /// Polls until the figures are as expected.
    async fn until(&self, wanted: impl Fn(&Value) -> bool) {
        until(async || wanted(&self.stats().await)).await;
    }

    /// Polls until this many clients have been refused. Returns the number for a reason.
    async fn refused(&self, all: u64, reason: &str) -> u64 {
        self.until(|stats| stats["refused"] == all).await;
        let metrics = self.http("GET /metrics HTTP/1.1").await.body;
        let series = format!("chat_handshakes_refused_total{{reason=\"{reason}\"}} ");
        let count = metrics.lines().find_map(|line| line.strip_prefix(&series));
        count.expect("a reason").parse().expect("a number")
    }
}

fn trusting(
    trusted: RootCertStore,
    version: &'static rustls::SupportedProtocolVersion,
) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[version])
        .expect("a version of ours")
        .with_root_certificates(trusted)
        .with_no_client_auth()
}

async fn shake(
    client: &Arc<ClientConfig>,
    socket: TcpStream,
) -> std::io::Result<TlsStream<TcpStream>> {
    let host = ServerName::try_from(HOST).expect("a name");
    TlsConnector::from(client.clone())
        .connect(host, socket)
        .await
}

#[test]
fn two_clients_chat_and_a_long_text_passes() {
    run(async {
        let server = Secured::start();
        let mut ann = server.enter("ann").await;
        let mut bob = server.enter("bob").await;
        let long = "x".repeat(60_000);
        for text in ["hi", long.as_str(), "bye"] {
            ann.publish("tea", text).await;
            for client in [&mut ann, &mut bob] {
                assert_eq!(client.expect(Kind::MESSAGE).await["text"], text);
            }
        }
        bob.publish("tea", &long).await;
        assert_eq!(ann.expect(Kind::MESSAGE).await["user"], "bob");
    });
}

#[test]
fn https_requests_are_answered() {
    run(async {
        let server = Secured::start();
        let ready = server.http("GET /readyz HTTP/1.1").await;
        assert_eq!((ready.status, ready.body.as_str()), (200, "ready\n"));
        let page = server.http("GET / HTTP/1.1").await;
        assert!(page.body.contains("</html>"), "{}", page.head);
        let stream = server.shake(server.reach().await).await;
        let (_, session) = stream.get_ref();
        assert_eq!(session.alpn_protocol(), Some(&b"http/1.1"[..]));
    });
}

#[test]
fn room_is_streamed_to_its_last_event() {
    run(async {
        let secured = Secured::start();
        let mut stream = secured.shake(secured.reach().await).await;
        let get = b"GET /api/rooms/tea/events HTTP/1.1\r\nHost: localhost\r\n\r\n";
        stream.write_all(get).await.expect("it reads");
        secured.until(|stats| stats["rooms"] == 1).await;
        let _stopped = secured.server.stop();
        let mut all = String::new();
        stream.read_to_string(&mut all).await.expect("text");
        assert!(all.contains("event: joined") && all.contains("event: bye"));
    });
}

#[test]
fn both_versions_of_tls_are_spoken() {
    run(async {
        let identity = Identity::new();
        let server = Server::with(|config| config.tls = Some(identity.args()));
        for version in [&TLS12, &TLS13] {
            let client = Arc::new(trusting(identity.trusted.clone(), version));
            let socket = TcpStream::connect(server.address).await;
            let stream = shake(&client, socket.expect("it listens")).await;
            let stream = stream.expect("it is trusted");
            let spoken = stream.get_ref().1.protocol_version();
            assert_eq!(spoken, Some(version.version));
            let ready = exchange(stream, HOST, "GET /readyz HTTP/1.1").await;
            assert_eq!(ready.status, 200);
        }
    });
}

#[test]
fn a_burst_reaches_a_slow_reader_to_its_last_byte() {
    run(async {
        let server = Secured::with(|config| {
            config.outbox_frames = 100_000;
            config.outbox_bytes = 64 << 20;
        });
        let mut ann = server.enter("ann").await;
        let mut bob = server
            .enter_by(server.server.reach_with_small_buffer(), "bob")
            .await;
        let mut next = 0;
        // The last byte waits in a random place, so try several sizes.
        for round in 0..8 {
            let text = |number: usize| format!("{number} {}", "x".repeat(3000 + round * 777));
            let first = next;
            // Until the buffers towards bob are full.
            while server.stats().await["outbox_bytes"].as_u64() < Some(1 << 16) {
                for _ in 0..16 {
                    ann.publish("tea", &text(next)).await;
                    assert_eq!(ann.expect(Kind::MESSAGE).await["text"], text(next));
                    next += 1;
                }
            }
            for number in first..next {
                assert_eq!(bob.expect(Kind::MESSAGE).await["text"], text(number));
            }
        }
    });
}

#[test]
fn a_conversation_ends_with_the_goodbye_of_tls() {
    run(async {
        let server = Secured::start();
        let mut ann = server.enter("ann").await;
        let goodbye = CloseFrame {
            code: CloseCode::Normal,
            reason: "".into(),
        };
        ann.0.close(Some(goodbye)).await.expect("it reads");
        ann.expect_close_at_last(1000).await;
        let rest = ann.0.get_mut().read(&mut [0; 64]).await;
        assert_eq!(rest.expect("no end without a goodbye"), 0);
    });
}

#[test]
fn only_connections_that_fail_tls_count_as_refused() {
    run(async {
        let server = Secured::start();
        drop(server.reach().await);
        let left = |stats: &Value| {
            let front = &stats["pools"]["front"];
            front["accepted"].as_u64() >= Some(2) && front["in_flight"] == 1
        };
        server.until(left).await;
        assert_eq!(server.stats().await["refused"], 0);

        let mut plain = server.reach().await;
        let request = "GET /readyz HTTP/1.1\r\nHost: any\r\n\r\n";
        plain.write_all(request.as_bytes()).await.expect("it reads");
        let mut answer = Vec::new();
        // The connection ends, with or without a reset.
        let _ = plain.read_to_end(&mut answer).await;
        assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
        assert_eq!(server.refused(1, "tls").await, 1);

        let distrustful = Arc::new(trusting(RootCertStore::empty(), &TLS13));
        let error = shake(&distrustful, server.reach().await).await;
        assert!(error.is_err(), "no authority has signed it");
        assert_eq!(server.refused(2, "tls").await, 2);
    });
}

#[test]
fn half_a_handshake_is_cut_when_its_time_is_over() {
    run(async {
        let server = Secured::with(|config| config.handshake_timeout = Duration::from_secs(1));
        for begun in [&b""[..], HALF_A_HELLO] {
            let mut half = server.reach().await;
            half.write_all(begun).await.expect("it reads");
            let mut answer = Vec::new();
            let _ = half.read_to_end(&mut answer).await;
            assert!(answer.is_empty(), "{answer:?}");
        }
        assert_eq!(server.refused(2, "timeout").await, 2);
    });
}

#[test]
fn a_drain_does_not_wait_for_half_a_handshake() {
    run(async {
        let server = Secured::with(|config| {
            config.handshake_timeout = Duration::from_secs(600);
        });
        let mut half = server.reach().await;
        half.write_all(HALF_A_HELLO).await.expect("it reads");
        server
            .until(|stats| stats["pools"]["front"]["in_flight"] == 2)
            .await;
        let drained = server.server.stop().await.expect("no panic");
        drained.expect("nothing to wait for");
    });
}

/// Returns why a server does not start with these files.
fn error(tls_cert: &Path, tls_key: &Path) -> TlsError {
    let config = Config {
        listen: "127.0.0.1:0".parse().expect("an address"),
        tls: Some(TlsArgs {
            tls_cert: tls_cert.to_owned(),
            tls_key: tls_key.to_owned(),
        }),
        // Disables limits that other programs could reach.
        max_cpu: 0,
        max_memory: 0,
        ..Config::default()
    };
    match server::Server::start(config).map(drop) {
        Err(ServeError::Tls(error)) => error,
        other => panic!("not an error of TLS: {other:?}"),
    }
}

#[test]
fn errors_of_certificates_and_keys_are_reported() {
    let (ours, other) = (Identity::new(), Identity::new());
    let TlsArgs { tls_cert, tls_key } = ours.args();
    let nowhere = ours.path("nowhere.pem");
    let empty = ours.write("empty.pem", "");
    let pem = fs::read_to_string(&tls_cert).expect("it was written");
    let cut = ours.write("cut.pem", &pem[..pem.len() / 2]);
    let garbage = ours.write(
        "garbage.pem",
        "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    );
    let locked = ours.write(
        "locked.pem",
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    );
    let foreign = other.args().tls_key;

    let refuses = |cert: &Path, key: &Path, words: &[&str]| {
        let error = error(cert, key).to_string();
        for word in words {
            assert!(error.contains(word), "no {word} in: {error}");
        }
    };
    refuses(
        &nowhere,
        &tls_key,
        &["--tls-cert", "nowhere.pem", "No such file"],
    );
    refuses(
        &tls_cert,
        &nowhere,
        &["--tls-key", "nowhere.pem", "No such file"],
    );
    refuses(&cut, &tls_key, &["--tls-cert", "cut.pem", "section end"]);
    for no_certificate in [&empty, &tls_key] {
        refuses(no_certificate, &tls_key, &["no certificate", "--tls-cert"]);
    }
    for no_key in [&empty, &tls_cert, &locked] {
        refuses(&tls_cert, no_key, &["no private key", "--tls-key"]);
    }
    refuses(&tls_cert, &locked, &["no password"]);
    refuses(&tls_cert, &foreign, &["is not that of the certificate"]);
    refuses(&garbage, &tls_key, &["cannot serve", "garbage.pem"]);
}
