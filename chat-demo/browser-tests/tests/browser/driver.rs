//! Runs chromedriver for a test.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{self, Child, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};

/// Options of the browsers. They may connect to no host but the server.
const ARGUMENTS: [&str; 8] = [
    "--headless=new",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--window-size=1200,800",
];

/// A process whose browsers end with it.
pub(crate) struct Driver {
    process: Child,
    /// Held open, because chromedriver keeps writing.
    _speech: BufReader<ChildStdout>,
    address: String,
    /// The folder of the browsers' profiles.
    folder: PathBuf,
}

impl Driver {
    pub(crate) fn start() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("browser-{}-{count}", process::id()));
        fs::create_dir_all(&folder).expect("a folder for browsers");
        let start = || {
            let mut process = Command::new(program())
                .arg("--port=0")
                .env("TMPDIR", &folder)
                .stdin(Stdio::null())
                .stdout(Stdio::piped())
                .stderr(Stdio::null())
                .spawn()
                .unwrap_or_else(|error| panic!("{}", cannot_start(&error)));
            let mut speech = BufReader::new(process.stdout.take().expect("it is piped"));
            let port = port(&mut speech).inspect_err(|_| _ = process.wait())?;
            Ok((process, speech, port))
        };
        // Another process may take the port that chromedriver chose.
        let mut attempts = (0..10).map(|_| start());
        let started = attempts.find_map(|started: Result<_, String>| started.ok());
        let (process, speech, port) = started.expect("chromedriver finds a port");
        Self {
            process,
            _speech: speech,
            address: format!("http://127.0.0.1:{port}"),
            folder,
        }
    }

    /// Starts a browser with one window; `phone` is the width of a phone's screen.
    pub(crate) async fn open(&self, phone: Option<u32>) -> Client {
        let mut arguments = ARGUMENTS.to_vec();
        if is_root() {
            arguments.push("--no-sandbox");
        }
        let mut options = json!({ "args": arguments });
        if let Some(width) = phone {
            let metrics =
                json!({ "width": width, "height": 740, "pixelRatio": 2.0, "touch": true });
            options["mobileEmulation"] = json!({ "deviceMetrics": metrics });
        }
        let Value::Object(capabilities) = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
        }) else {
            unreachable!("braces make an object")
        };
        ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&self.address)
            .await
            .expect("Chromium starts: apt-get install chromium")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Ignore errors: the process may be gone, and files may stay.
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// `CHROMEWEBDRIVER` names the folder if chromedriver is not in the `PATH`.
fn program() -> PathBuf {
    let folder = env::var_os("CHROMEWEBDRIVER").unwrap_or_default();
    Path::new(&folder).join("chromedriver")
}

fn cannot_start(error: &std::io::Error) -> String {
    let how = if error.kind() == ErrorKind::NotFound {
        "; install it with `apt-get install chromium chromium-driver`, or name its folder in CHROMEWEBDRIVER"
    } else {
        ""
    };
    format!("cannot start {}: {error}{how}", program().display())
}

/// Returns the port that chromedriver names, or its output if it ends.
fn port(speech: &mut impl BufRead) -> Result<u16, String> {
    let mut said = String::new();
    loop {
        let start = said.len();
        let read = speech.read_line(&mut said).expect("text");
        if read == 0 {
            return Err(said);
        }
        let port = said[start..]
            .trim_end()
            .strip_prefix("ChromeDriver was started successfully on port ");
        if let Some(port) = port {
            return Ok(port.trim_end_matches('.').parse().expect("a port"));
        }
    }
}

/// Root cannot use Chromium's sandbox.
fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}
