//! The client module in pages of other origins.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{Stage, run};
use crate::window::ENTER;

const README: &str = include_str!("../../README.md");

/// The example in the README.
fn example() -> &'static str {
    let (_, behind) = README.split_once("```html\n").expect("an example");
    behind.split_once("```").expect("its end").0
}

/// Serves one document to all requests, as long as the runtime lives.
async fn serve(listener: TcpListener, document: String) {
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{document}",
        document.len()
    );
    while let Ok((mut browser, _)) = listener.accept().await {
        let answer = answer.clone();
        tokio::spawn(async move {
            // A browser may open a connection and send no request.
            let asked = browser.read(&mut [0; 16 * 1024]).await;
            if asked.is_ok_and(|len| len > 0) {
                let _ = browser.write_all(answer.as_bytes()).await;
            }
        });
    }
}

#[test]
fn example_of_the_readme_works_on_an_allowed_origin() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let elsewhere: SocketAddr = listener.local_addr().expect("it is bound");
        let stage = Stage::with(|config| {
            config.allow_origin = vec![format!("http://{elsewhere}")];
        });
        let document = example().replace("127.0.0.1:8080", &stage.address.to_string());
        assert!(document.contains(&stage.address.to_string()));
        tokio::spawn(serve(listener, document));

        let bob = stage.enter("bob").await;
        bob.script("location.hash = '#lobby'").await;
        bob.see("//h1[.='# lobby']").await;
        let guest = stage.open_at(elsewhere, "/").await;
        bob.see("//*[@id='people'][count(li)=2]").await;
        bob.say("hi from the page").await;
        guest.see("//li[.='bob: hi from the page']").await;
        guest.click("//input").await;
        guest
            .press("hi from the example".chars().chain([ENTER]))
            .await;
        bob.receives("hi from the example").await;
        guest.see("//li[.='ann: hi from the example']").await;
        // The page has no icon.
        guest.close_after(|line| line.contains("favicon")).await;
        bob.close().await;
    });
}
