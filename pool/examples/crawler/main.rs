//! A crawler that makes at most eight requests at once. It visits each page of a site once, follows
//! the links, abandons slow pages and counts errors. The site is a small server in `site.rs`, which
//! this program starts.
//!
//! ```console
//! cargo run -p anthill --example crawler
//! ```
//!
//! The task that finds a link does not submit the next task. Otherwise every slot could belong to a
//! task that waits for another slot; the pool refuses such a wait with `WouldDeadlock`. Instead,
//! tasks send their links to a coordinator, which is not a worker and so may wait. The coordinator
//! alone knows which pages were seen and when the crawl is complete, so it needs no lock.
//!
//! A task could also call `try_submit` and run a refused task in place. That avoids the deadlock
//! too, but the recursion would be as deep as the longest chain of links.

mod site;

use std::collections::HashSet;
use std::error::Error;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use anthill::Pool;
use site::Site;

const AT_ONCE: usize = 8;
const PATIENCE: Duration = Duration::from_secs(1);

/// The result that each task sends to the coordinator, once.
type Report = Result<Vec<String>, Failure>;

enum Failure {
    Status,
    TooSlow,
    Broken(String),
}

fn main() -> Result<(), Box<dyn Error>> {
    let site = Site::start()?;
    let (report, reports) = mpsc::channel();
    let pool = {
        let report = report.clone();
        Pool::builder()
            .name("crawler")
            .capacity(AT_ONCE)
            .threads(0..=AT_ONCE) // a request blocks its thread
            // A task that panics sends no report. Send one here, or the coordinator waits for ever.
            .panic_handler(move |panic| _ = report.send(Err(Failure::Broken(panic.to_string()))))
            .build()?
    };
    let visit = |path: String| {
        let (address, report) = (site.address, report.clone());
        // The send fails if the coordinator returned early with an error.
        pool.submit(move || _ = report.send(links_of(address, &path)))
    };

    let start = Instant::now();
    let mut seen = HashSet::from(["/0".to_owned()]);
    visit("/0".to_owned())?;
    let mut expected = 1;
    let (mut pages, mut failed, mut slow) = (0, 0, 0);
    while expected > 0 {
        match reports.recv()? {
            Ok(links) => {
                pages += 1;
                for link in links {
                    if seen.insert(link.clone()) {
                        // Blocks while eight requests run. They never wait for this thread, because
                        // the channel of reports is unbounded.
                        visit(link)?;
                        expected += 1;
                    }
                }
            }
            Err(Failure::TooSlow) => slow += 1,
            Err(Failure::Status) => failed += 1,
            Err(Failure::Broken(why)) => return Err(why.into()),
        }
        expected -= 1;
    }
    let time = start.elapsed();
    pool.shutdown().wait()?;

    let most = site.most_in_flight();
    println!("{pages:4} pages in {time:.1?}\n{failed:4} errors\n{slow:4} too slow");
    println!("{most:4} requests at once at most, counted by the server; the limit is {AT_ONCE}");
    if most > AT_ONCE {
        return Err("more requests at once than the limit".into());
    }
    if !site.each_page_was_asked_for_once() {
        return Err("a page was requested twice, or never".into());
    }
    Ok(())
}

/// Fetches a page and returns the links on it.
fn links_of(address: SocketAddr, path: &str) -> Report {
    let answer = get(address, path).map_err(|error| match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Failure::TooSlow,
        _ => Failure::Broken(format!("{path}: {error}")),
    })?;
    if !answer.starts_with("HTTP/1.0 200 ") {
        return Err(Failure::Status);
    }
    let links = answer.split("href=\"").skip(1);
    Ok(links
        .filter_map(|rest| rest.split_once('"'))
        .map(|(link, _)| link.to_owned())
        .collect())
}

fn get(address: SocketAddr, path: &str) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    // The timeout applies to each read. Against a server that sends slowly, also set a deadline for
    // the whole response.
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer)
}
