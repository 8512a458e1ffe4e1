//! Links with a token, and servers that refuse guests.

use std::time::Duration;

use chat_demo_server::issue;
use chat_demo_server::secret::SecretArgs;

use crate::stage::{Stage, run};
use crate::window::{ESCAPE, Window};

const SECRET: &str = "0123456789abcdef0123456789abcdef";

fn secret() -> SecretArgs {
    SecretArgs {
        token_secret: Some(SECRET.as_bytes().to_vec().into()),
        token_secret_file: None,
    }
}

fn token(user: &str) -> String {
    token_for(user, &[])
}

fn token_for(user: &str, rooms: &[&str]) -> String {
    let args = issue::Args {
        secret: secret(),
        user: user.to_owned(),
        admin: false,
        rooms: rooms.iter().map(ToString::to_string).collect(),
        time: Duration::from_secs(3600),
    };
    issue::run(&args).expect("there is a secret")
}

/// Starts a server with tokens that admits guests.
fn stage() -> Stage {
    Stage::with(|config| {
        config.secret = secret();
        config.allow_guests = true;
    })
}

impl Window {
    async fn is(&self, user: &str) {
        self.see(&format!("//*[@id='me'][.='{user}']")).await;
        self.is_connected().await;
    }

    /// Follows a link in the open window.
    async fn follow(&self, link: &str) {
        self.script(&format!("location.hash = '{link}'")).await;
    }

    async fn token(&self) -> serde_json::Value {
        self.script("return sessionStorage.getItem('token')").await
    }
}

#[test]
fn link_replaces_the_user_only_after_consent() {
    run(async {
        let stage = stage();
        let link = format!("#token={}&room=tea", token("bob"));
        let ann = stage.enter("ann").await;
        ann.is("guest-ann").await;
        // In the same window, and from a page of another origin.
        for again in [false, true] {
            if again {
                ann.go("about:blank").await;
                ann.go(&format!("http://{}/{link}", stage.address)).await;
            } else {
                ann.follow(&link).await;
            }
            ann.see("//dialog[@id='link-token'][@open][.//b='bob'][.//b='guest-ann']")
                .await;
            ann.see("//h1[.='# tea']").await;
            assert_eq!(ann.script("return location.hash").await, "#tea");
            if again {
                ann.press([ESCAPE]).await;
            } else {
                ann.click("//button[.='Stay']").await;
            }
            ann.see("//dialog[@id='link-token'][not(@open)]").await;
            ann.is("guest-ann").await;
            assert!(ann.token().await.is_null());
        }
        ann.close().await;
    });
}

#[test]
fn consent_to_a_link_makes_its_user_current() {
    run(async {
        let stage = stage();
        let ann = stage.enter("ann").await;
        ann.is("guest-ann").await;
        let bob = token("bob");
        ann.follow(&format!("#token={bob}")).await;
        ann.click("//button[.='Use the token']").await;
        ann.is("bob").await;
        assert_eq!(ann.token().await, bob.as_str());
        // The same link again changes nothing.
        ann.follow(&format!("#token={bob}&room=tea")).await;
        ann.see("//h1[.='# tea']").await;
        ann.see("//dialog[@id='link-token'][not(@open)]").await;
        ann.is("bob").await;
        ann.close().await;
    });
}

#[test]
fn link_logs_a_new_visitor_in() {
    run(async {
        let stage = stage();
        let bob = stage.open(&format!("/#token={}", token("bob"))).await;
        bob.is("bob").await;
        bob.close().await;
    });
}

#[test]
fn token_link_asks_a_visitor_known_in_another_tab() {
    run(async {
        let stage = stage();
        let ann = stage.open(&format!("/#token={}", token("ann"))).await;
        ann.is("ann").await;
        // A new tab has no token.
        ann.script("sessionStorage.clear()").await;
        ann.go("about:blank").await;
        let bob = format!("http://{}/#token={}", stage.address, token("bob"));
        ann.go(&bob).await;
        ann.see("//dialog[@id='link-token'][@open][.//b='bob'][.//b='ann']")
            .await;
        ann.click("//button[.='Stay']").await;
        ann.see("//dialog[@id='sign-in'][@open]").await;
        assert!(ann.token().await.is_null());
        ann.close().await;
    });
}

#[test]
fn text_for_a_room_that_the_token_forbids_is_refused() {
    run(async {
        let stage = Stage::with(|config| config.secret = secret());
        let link = format!("/#token={}&room=staff", token_for("ann", &["tea"]));
        let ann = stage.open(&link).await;
        ann.is("ann").await;
        ann.see("//*[@id='log'][contains(., 'The server refused: ')]")
            .await;
        // A later text joins again, and gets the answer.
        for _ in 0..2 {
            let field = ann.see("//textarea").await;
            field.send_keys("hi\u{E007}").await.expect("it takes keys");
            let item = "//li[.//*[@class='text'][.='hi']]";
            let why = "[contains(., 'Not sent: ')][not(contains(., 'no connection'))]";
            ann.see(&format!("{item}{why}")).await;
            ann.click("//button[.='Discard']").await;
            ann.see("//*[@id='log'][not(.//*[@class='text'][.='hi'])]")
                .await;
        }
        ann.close().await;
    });
}

#[test]
fn refused_visitor_sees_the_reason() {
    run(async {
        let stage = Stage::with(|config| config.max_connections = 1);
        let ann = stage.enter("ann").await;
        let bob = stage.open("/").await;
        bob.see("//dialog[@open]").await;
        bob.press("bob\u{E007}".chars()).await;
        bob.see("//*[@id='status'][contains(., 'The server refuses new connections: all connections are taken')]")
            .await;
        ann.close().await;
        bob.is_connected().await;
        bob.close_after(|line| line.contains("/ws") || line.contains("503"))
            .await;
    });
}
