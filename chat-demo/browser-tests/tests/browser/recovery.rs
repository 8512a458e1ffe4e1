//! Visitors who lose their connection.

use crate::relay::Relay;
use crate::stage::{Stage, run};
use crate::window::{ENTER, Window};

/// A browser's own message about an unreachable server.
fn is_about_the_cut(line: &str) -> bool {
    line.contains("WebSocket connection to") || line.contains("/readyz - Failed to load resource")
}

impl Window {
    /// Cuts the connection, and waits until the page shows it.
    async fn loses(&self, relay: &Relay) {
        relay.cut();
        self.see("//*[@id='status'][contains(@class, 'down')]")
            .await;
    }

    async fn says_numbers(&self, numbers: std::ops::RangeInclusive<u64>) {
        for number in numbers {
            self.say(&number.to_string()).await;
        }
    }
}

#[test]
fn returning_visitor_gets_missed_messages_and_a_notice() {
    run(async {
        let stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let ann = stage.enter("ann").await;
        let bob = stage.enter_at(relay.address, "bob").await;
        ann.says_numbers(1..=1).await;
        bob.receives("1").await;

        bob.loses(&relay).await;
        ann.says_numbers(2..=4).await;
        relay.mend();
        bob.notices("Recovered 3 messages").await;
        bob.receives("4").await;
        bob.is_connected().await;
        ann.says_numbers(5..=5).await;
        bob.receives("5").await;
        assert_eq!(bob.texts().await, ["1", "2", "3", "4", "5"]);
        ann.close().await;
        bob.close_after(is_about_the_cut).await;
    });
}

#[test]
fn late_visitor_sees_how_much_is_lost() {
    run(async {
        let stage = Stage::with(|config| config.history = 2);
        let relay = Relay::to(stage.address).await;
        let ann = stage.enter("ann").await;
        let bob = stage.enter_at(relay.address, "bob").await;
        ann.says_numbers(1..=1).await;
        bob.receives("1").await;

        bob.loses(&relay).await;
        ann.says_numbers(2..=6).await;
        relay.mend();
        bob.notices("Too late: 3 messages are lost").await;
        assert_eq!(bob.texts().await, ["1", "5", "6"]);
        ann.close().await;
        bob.close_after(is_about_the_cut).await;
    });
}

#[test]
fn visitor_with_too_many_connections_gets_in_later() {
    run(async {
        let stage = Stage::with(|config| config.user_connections = 1);
        let desk = stage.enter("ann").await;
        let phone = stage.open("/").await;
        phone.see("//dialog[@open]").await;
        phone.press("ann".chars().chain([ENTER])).await;
        phone
            .see("//*[@id='status'][contains(., 'a user may have 1 connections')]")
            .await;
        desk.close().await;
        phone.is_connected().await;
        phone.close().await;
    });
}

#[test]
fn a_text_that_could_not_be_sent_is_sent_by_hand() {
    run(async {
        let stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let bob = stage.enter_at(relay.address, "bob").await;
        bob.loses(&relay).await;
        let field = bob.see("//textarea").await;
        field
            .send_keys("hello?\u{E007}")
            .await
            .expect("it takes a text");
        bob.see("//li[contains(., 'Not sent: no connection.')]")
            .await;
        relay.mend();
        bob.is_connected().await;
        bob.click("//button[.='Send again']").await;
        bob.see("//li[.//*[@class='text'][.='hello?']]//*[@class='tick']")
            .await;
        assert_eq!(bob.texts().await, ["hello?"]);
        bob.close_after(is_about_the_cut).await;
    });
}

#[test]
fn text_sent_before_the_answer_to_a_join_arrives() {
    run(async {
        let stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let bob = stage.enter_at(relay.address, "bob").await;
        bob.loses(&relay).await;
        // The observer runs after the frame that connects, and before the frame that joins.
        let script = "
            const status = document.getElementById('status'), text = document.getElementById('text');
            const observer = new MutationObserver(() => {
              if (!status.classList.contains('up')) return;
              observer.disconnect();
              text.value = 'early';
              text.form.requestSubmit();
            });
            observer.observe(status, { attributes: true });";
        bob.script(script).await;
        relay.mend();
        bob.see("//li[.//*[@class='text'][.='early']]//*[@class='tick']")
            .await;
        assert_eq!(bob.texts().await, ["early"]);
        bob.close_after(is_about_the_cut).await;
    });
}

#[test]
fn server_that_forgot_and_overtook_is_found_out() {
    run(async {
        let mut stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let ann = stage.enter("ann").await;
        let bob = stage.enter_at(relay.address, "bob").await;
        ann.says_numbers(1..=2).await;
        bob.receives("2").await;
        bob.loses(&relay).await;
        ann.close().await;
        stage.restart().await;
        let ann = stage.enter("ann").await;
        ann.says_numbers(11..=14).await;
        relay.mend();
        bob.notices("The room began anew: the server may have lost what is above")
            .await;
        bob.receives("14").await;
        ann.says_numbers(15..=15).await;
        bob.receives("15").await;
        let expected = ["1", "2", "11", "12", "13", "14", "15"];
        assert_eq!(bob.texts().await, expected);
        ann.close().await;
        bob.close_after(is_about_the_cut).await;
    });
}

#[test]
fn text_whose_ack_was_lost_is_delivered_once() {
    run(async {
        let stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let ann = stage.enter("ann").await;
        let bob = stage.enter_at(relay.address, "bob").await;
        relay.mute();
        let field = bob.see("//textarea").await;
        field
            .send_keys("hello?\u{E007}")
            .await
            .expect("it takes a text");
        ann.receives("hello?").await;
        bob.loses(&relay).await;
        relay.mend();
        bob.is_connected().await;
        bob.see("//li[.//*[@class='text'][.='hello?']]//*[@class='tick']")
            .await;
        ann.says_numbers(2..=2).await;
        bob.receives("2").await;
        for window in [&ann, &bob] {
            assert_eq!(window.texts().await, ["hello?", "2"]);
        }
        ann.close().await;
        bob.close_after(is_about_the_cut).await;
    });
}
