//! The client module in pages of other origins.

use std::net::SocketAddr;

use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::stage::{Stage, run};
use crate::window::ENTER;

const README: &str = include_str!("../../../README.md");

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

/// Returns a script in which `server` is the other end of the connection of `client`, which joins the room "tea".
fn scripted(test: &str) -> String {
    r#"return (async () => {
            const { Client } = await import("/client.js"), { decode, encode } = await import("/frames.js");
            let server;
            globalThis.WebSocket = class {
              static OPEN = 1;
              readyState = 1;
              heard = [];
              constructor() { server = this; }
              send(frame) { this.heard.push(decode(frame.buffer)); this.onheard?.(); }
              close() {}
              say(name, payload) { this.onmessage({ data: encode(name, payload).buffer }); }
            };
            const client = new Client({ name: "ann" });
            client.join("tea");
            client.connect();
            server.say("welcome", { user: "ann", heartbeat_ms: 60000, max_payload: 1000 });
            const joined = (seq = 2) => server.say("joined", { room: "tea", seq, epoch: "e", members: 1, recovered: false });"#
        .to_owned()
        + test
        + "})()"
}

#[test]
fn messages_that_the_server_missed_are_reported() {
    run(async {
        let stage = Stage::set();
        let window = stage.open("/").await;
        // A server behind Redis may miss messages of an epoch. This one says so between a question and its answer.
        let script = scripted(
            r#"
            const seen = [];
            client.addEventListener("joined", ({ detail }) => seen.push([detail.seq, detail.missed, detail.anew]));
            client.addEventListener("message", ({ detail }) => seen.push(detail.seq));
            const message = seq => server.say("message", { room: "tea", seq, user: "bob", text: "", ts: 0 });
            joined(2);
            message(3);
            const asked = client.history("tea");
            joined(7);
            message(8);
            message(1);
            joined(8);
            const answer = await asked;
            client.close();
            return [seen, answer.map(({ seq }) => seq)];
        "#,
        );
        let expected = json!([[[2, 0, false], 3, [7, 4, false], 8], [1]]);
        assert_eq!(window.script(&script).await, expected);
        window.close().await;
    });
}

#[test]
fn refused_join_is_repeated_and_fails_what_waits_for_it() {
    run(async {
        let stage = Stage::set();
        let window = stage.open("/").await;
        let script = scripted(
            r#"
            const joins = () => server.heard.filter(([name]) => name === "join").length;
            const refuse = room => server.say("error", { code: "overloaded", message: "", room });
            const codes = [], again = [];
            client.addEventListener("error", ({ detail }) => again.push(detail.again));
            const heard = () => new Promise(resolve => { server.onheard = resolve; });
            const failed = promise => promise.catch(({ code }) => codes.push(code));
            const text = failed(client.publish("tea", "hi"));
            refuse("coffee");
            await Promise.resolve();
            const early = codes.length;
            refuse("tea");
            await text;
            const before = joins();
            await heard();
            refuse("tea");
            await heard();
            joined();
            const asked = failed(client.history("tea"));
            refuse("tea");
            await asked;
            const answer = client.history("tea");
            joined();
            const messages = await answer;
            client.close();
            return [codes, early, before, joins(), again, messages];
        "#,
        );
        let expected = json!([
            ["overloaded", "overloaded"],
            0,
            1,
            5,
            [false, false, true, false],
            []
        ]);
        assert_eq!(window.script(&script).await, expected);
        window.close().await;
    });
}

#[test]
fn question_that_may_have_been_refused_is_not_answered() {
    run(async {
        let stage = Stage::set();
        let window = stage.open("/").await;
        // An error about a question names no room, and the mark behind the question follows.
        let script = scripted(
            r#"
            joined();
            const codes = [];
            for (const refused of [true, false]) {
              const asked = client.history("tea").then(() => codes.push("answered"), ({ code }) => codes.push(code));
              if (refused) server.say("error", { code: "overloaded", message: "" });
              joined();
              await asked;
            }
            client.close();
            return codes;
        "#,
        );
        let expected = json!(["overloaded", "answered"]);
        assert_eq!(window.script(&script).await, expected);
        window.close().await;
    });
}

#[test]
fn missed_messages_are_requested_again_from_an_overloaded_server() {
    run(async {
        let stage = Stage::set();
        let window = stage.open("/").await;
        let script = r#"return (async () => {
            const { Room } = await import("/room.js"), { ClientError } = await import("/client.js");
            let asked = 0;
            const client = {
              join: () => ({ joined: true, last: 0 }),
              send: () => true,
              history: async (_, { before, limit }) => {
                if (asked++ === 0) throw new ClientError("overloaded", "");
                return before > 1 && limit > 1 ? [1, 2, 3].map(seq => ({ seq, user: "bob", text: String(seq), ts: 0 })) : [];
              },
            };
            globalThis.setTimeout = later => queueMicrotask(later);
            const recovered = new Promise(resolve => {
              const mine = () => false, shown = () => {};
              const room = new Room("tea", client, { mine, shown });
              new MutationObserver(() => {
                const texts = [...room.list.querySelectorAll(".notice, .text")].map(item => item.textContent);
                if (texts.length > 3) resolve(texts);
              }).observe(room.list, { childList: true });
              room.onJoined({ seq: 3, epoch: "e", members: 1, recovered: false, missed: 3, anew: false });
            });
            return recovered;
        })()"#;
        let expected = json!(["Recovered 3 messages", "1", "2", "3"]);
        assert_eq!(window.script(script).await, expected);
        window.close().await;
    });
}
