//! The files of the page.

use std::collections::BTreeSet;

use crate::harness::{Server, run};

/// Returns the paths of this server that a file names.
fn paths(text: &str) -> impl Iterator<Item = &str> {
    let strings = text.split('"').skip(1).step_by(2);
    strings.filter(|string| string.starts_with('/') && string.contains('.'))
}

#[test]
fn every_file_that_the_page_needs_is_served_as_what_it_is() {
    run(async {
        let server = Server::start();
        let mut served = BTreeSet::new();
        let mut wanted = vec!["/".to_owned()];
        while let Some(path) = wanted.pop() {
            if !served.insert(path.clone()) {
                continue;
            }
            let file = server.http(&format!("GET {path} HTTP/1.1")).await;
            assert_eq!(file.status, 200, "{path}");
            let kind = match path.rsplit_once('.') {
                Some((_, "js")) => "text/javascript",
                Some((_, "css")) => "text/css",
                Some((_, "svg")) => "image/svg+xml",
                _ => "text/html",
            };
            let kind = format!("content-type: {kind}");
            assert!(file.head.contains(&kind), "{path}: {}", file.head);
            let policy =
                "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self';";
            assert!(file.head.contains(policy), "{path}: {}", file.head);
            assert!(!file.head.contains("unsafe"), "{path}: {}", file.head);
            wanted.extend(paths(&file.body).map(str::to_owned));
        }
        for file in ["/style.css", "/chat.js", "/client.js", "/icon.svg"] {
            assert!(served.contains(file), "{file} is not among {served:?}");
        }
    });
}

#[test]
fn pages_of_other_origins_may_import_the_client_only() {
    run(async {
        let server = Server::start();
        for (path, is_open) in [
            ("/client.js", true),
            ("/frames.js", true),
            ("/chat.js", false),
            ("/", false),
        ] {
            let file = server.http(&format!("GET {path} HTTP/1.1")).await;
            let header = "access-control-allow-origin: *";
            assert_eq!(file.head.contains(header), is_open, "{path}: {}", file.head);
        }
    });
}

#[test]
fn both_views_are_one_document() {
    run(async {
        let server = Server::start();
        let chat = server.http("GET / HTTP/1.1").await;
        let dashboard = server.http("GET /dashboard HTTP/1.1").await;
        assert_eq!((dashboard.status, dashboard.body), (200, chat.body));
        let post = server.http("POST /chat.js HTTP/1.1").await;
        assert_eq!(post.status, 405);
        assert!(post.head.contains("allow: get, head"), "{}", post.head);
    });
}
