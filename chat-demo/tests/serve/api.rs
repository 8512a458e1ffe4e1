//! The HTTP API: publishing, connections and users.

use chat_demo_client::frame::Kind;
use serde_json::{Value, json};

use crate::harness::{Response, Server, run};
use crate::tokens::{enter, from_now, start, token, token_of, with_secret};

fn admin() -> String {
    token(&json!({ "sub": "root", "exp": from_now(3600), "admin": true }))
}

impl Server {
    /// Sends a request of an admin, with a body.
    async fn api(&self, request: &str, body: &str) -> Response {
        self.api_as(&admin(), request, body).await
    }

    async fn api_as(&self, token: &str, request: &str, body: &str) -> Response {
        let head = format!(
            "{request} HTTP/1.1\r\nAuthorization: Bearer {token}\r\nContent-Length: {}",
            body.len()
        );
        self.http_with_body(&head, body).await
    }
}

fn json_of(response: &Response) -> Value {
    let kind = "content-type: application/json";
    assert!(response.head.contains(kind), "{}", response.head);
    serde_json::from_str(&response.body).expect("JSON")
}

fn expect_error(response: &Response, status: u16, code: &str) {
    assert_eq!(response.status, status, "{}", response.body);
    assert_eq!(json_of(response)["code"], code);
}

#[test]
fn admin_publishes_by_http_once_a_key() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        ann.join("a room/ü").await;
        let request = "POST /api/rooms/a%20room%2F%C3%BC/messages";
        for _ in 0..2 {
            let body = r#"{"text":"hi","key":"1"}"#;
            let answer = server.api(request, body).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            assert_eq!(json_of(&answer), json!({ "room": "a room/ü", "seq": 1 }));
        }
        server.api(request, r#"{"text":"more"}"#).await;
        for text in ["hi", "more"] {
            let message = ann.expect(Kind::MESSAGE).await;
            assert_eq!(
                (&message["user"], &message["text"]),
                (&json!("root"), &json!(text))
            );
        }
        // A room without members keeps the message as well.
        let answer = server
            .api("POST /api/rooms/empty/messages", r#"{"text":"x"}"#)
            .await;
        assert_eq!(json_of(&answer)["seq"], 1);
        ann.join("empty").await;
        ann.say(Kind::HISTORY, json!({ "room": "empty", "limit": 9 }))
            .await;
        assert_eq!(ann.expect(Kind::MESSAGE).await["text"], "x");
    });
}

#[test]
fn admin_searches_by_http() {
    run(async {
        let server = start();
        for text in ["Green tea", "a+b", "TEAPOT & cup", "tea 4"] {
            let body = json!({ "text": text }).to_string();
            server.api("POST /api/rooms/tea/messages", &body).await;
        }
        let find = async |query: &str| {
            let request = format!("GET /api/rooms/tea/messages?{query}");
            let answer = json_of(&server.api(&request, "").await);
            let messages = answer["messages"].as_array().expect("messages").clone();
            let numbers = messages.iter().map(|it| it["seq"].as_u64());
            numbers.collect::<Option<Vec<_>>>().expect("numbers")
        };
        assert_eq!(find("text=tea").await, [1, 3, 4]);
        assert_eq!(find("limit=1&text=tea&before=4").await, [3]);
        assert_eq!(find("text=teapot+%26").await, [3]);
        assert_eq!(find("text=a%2Bb").await, [2]);
        for query in ["", "?text=", "?text=tea&limit=x", "?text=%FF"] {
            let request = format!("GET /api/rooms/tea/messages{query}");
            expect_error(&server.api(&request, "").await, 400, "bad_payload");
        }
    });
}

#[test]
fn connections_are_listed() {
    run(async {
        let server = start();
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        ann.join("tea").await;
        ann.join("milk").await;
        let _silent = server.connect().await;
        server.until(|stats| stats["connections"] == 2).await;
        let list = json_of(&server.api("GET /api/connections", "").await);
        let connections = list["connections"].as_array().expect("a list");
        assert_eq!(connections.len(), 2);
        let of_ann = connections
            .iter()
            .find(|it| it["user"] == "ann")
            .expect("she is there");
        let mut rooms: Vec<_> = of_ann["rooms"].as_array().expect("rooms").clone();
        rooms.sort_by_key(ToString::to_string);
        assert_eq!(rooms, [json!("milk"), json!("tea")]);
        assert!(of_ann["age_seconds"].as_f64() >= Some(0.0));
        assert_eq!(
            (&of_ann["outbox_frames"], &of_ann["outbox_bytes"]),
            (&json!(0), &json!(0))
        );
        let session = of_ann["session"].as_str().expect("a session");
        assert!(session.starts_with(list["node"].as_str().expect("a node")));
    });
}

#[test]
fn user_is_disconnected_from_all_its_connections() {
    run(async {
        let server = start();
        let mut phone = enter(&server, "ann", &token_of("ann")).await;
        let mut desk = enter(&server, "ann", &token_of("ann")).await;
        let mut bob = enter(&server, "bob", &token_of("bob")).await;
        let answer = server.api("DELETE /api/users/ann", "").await;
        assert_eq!(json_of(&answer), json!({ "disconnected": 2 }));
        for client in [&mut phone, &mut desk] {
            let bye = client.expect(Kind::BYE).await;
            assert_eq!(bye["reason"], "disconnected by an admin");
            client.expect_close(1008).await;
        }
        bob.join("tea").await;
        assert_eq!(server.stats().await["drops"]["disconnected"], 2);
        // Connections before their hello have no name, so no name matches them.
        let mut silent = server.connect().await;
        server.until(|stats| stats["connections"] == 2).await;
        for name in ["", "%20", "%00"] {
            let answer = server.api(&format!("DELETE /api/users/{name}"), "").await;
            expect_error(&answer, 400, "bad_payload");
        }
        silent.show(&token_of("cid")).await;
        silent.expect_welcome("cid").await;
        silent.close().await;
        server.until(|stats| stats["connections"] == 1).await;
        let answer = server.api("DELETE /api/users/cid", "").await;
        assert_eq!(json_of(&answer), json!({ "disconnected": 0 }));
    });
}

#[test]
fn api_is_for_admins_within_their_rooms() {
    run(async {
        let server = start();
        let paths = [
            "POST /api/rooms/tea/messages",
            "GET /api/connections",
            "DELETE /api/users/ann",
        ];
        for path in paths {
            let answer = server.http(&format!("{path} HTTP/1.1")).await;
            expect_error(&answer, 401, "not_authenticated");
            assert!(
                answer.head.contains("www-authenticate: bearer"),
                "{}",
                answer.head
            );
            let answer = server.api_as("a.b.c", path, "").await;
            expect_error(&answer, 401, "not_authenticated");
            let answer = server.api_as(&token_of("ann"), path, "").await;
            expect_error(&answer, 403, "forbidden");
        }
        let claims = json!({
            "sub": "root", "exp": from_now(3600), "admin": true, "rooms": ["team-*"]
        });
        let body = r#"{"text":"hi"}"#;
        let mut ann = enter(&server, "ann", &token_of("ann")).await;
        for room in ["tea", "team-red"] {
            ann.join(room).await;
        }
        let limited = token(&claims);
        let list = server.api_as(&limited, "GET /api/connections", "");
        let list = json_of(&list.await);
        assert_eq!(list["connections"][0]["rooms"], json!(["team-red"]));
        for (room, status) in [("tea", 403), ("team-red", 200)] {
            let path = format!("POST /api/rooms/{room}/messages");
            let answer = server.api_as(&token(&claims), &path, body).await;
            assert_eq!(answer.status, status, "{room}: {}", answer.body);
        }
    });
}

#[test]
fn api_reports_bad_requests() {
    run(async {
        let server = Server::with(|config| {
            with_secret(config);
            config.max_payload = 1000;
        });
        let path = "POST /api/rooms/tea/messages";
        let long = json!({ "text": "x".repeat(1001) }).to_string();
        let longer = json!({ "text": "x".repeat(5000) }).to_string();
        let key = json!({ "text": "hi", "key": "" }).to_string();
        for body in ["", "{}", r#"{"text":7}"#, &key, &long, &longer] {
            let answer = server.api(path, body).await;
            expect_error(&answer, 400, "bad_payload");
        }
        let name = "x".repeat(65);
        let path = format!("POST /api/rooms/{name}/messages");
        let answer = server.api(&path, r#"{"text":"hi"}"#).await;
        expect_error(&answer, 400, "bad_payload");
        for request in ["PUT /api/rooms/tea/messages", "POST /api/connections"] {
            assert_eq!(server.api(request, "").await.status, 405, "{request}");
        }
    });
}

#[test]
fn without_a_secret_the_api_is_off() {
    run(async {
        let server = Server::start();
        let answer = server.api("GET /api/connections", "").await;
        assert_eq!(answer.status, 404);
        assert!(answer.body.starts_with("the API is off"), "{}", answer.body);
    });
}

#[test]
fn api_refuses_requests_over_its_bound() {
    run(async {
        let server = Server::with(|config| {
            with_secret(config);
            config.user_rate = 2;
        });
        let path = "POST /api/rooms/tea/messages";
        let refused = loop {
            let answer = server.api(path, r#"{"text":"hi"}"#).await;
            if answer.status != 200 {
                break answer;
            }
        };
        expect_error(&refused, 429, "rate_limited");
        assert!(refused.head.contains("retry-after: "), "{}", refused.head);
    });
}
