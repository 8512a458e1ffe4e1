//! A browser's window, and the actions of a visitor.

use std::time::Duration;

use fantoccini::actions::{InputSource, KeyAction, KeyActions};
use fantoccini::elements::Element;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, Locator};
use hyper::Method;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// The time limit of each wait, long enough for a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// The interval of polls.
const LOOK: Duration = Duration::from_millis(50);

/// Keys without a character, as `WebDriver` names them.
pub(crate) const TAB: char = '\u{E004}';
pub(crate) const ENTER: char = '\u{E007}';
pub(crate) const ALT: char = '\u{E00A}';
pub(crate) const ESCAPE: char = '\u{E00C}';
pub(crate) const UP: char = '\u{E013}';
pub(crate) const DOWN: char = '\u{E015}';

pub(crate) struct Window(pub(crate) Client);

impl Window {
    pub(crate) async fn go(&self, url: &str) {
        self.0.goto(url).await.expect("the page is there");
    }

    /// Waits for an element, by `XPath`.
    pub(crate) async fn see(&self, path: &str) -> Element {
        let wait = self.0.wait().at_most(PATIENCE).every(LOOK);
        match wait.for_element(Locator::XPath(path)).await {
            Ok(element) => element,
            Err(error) => {
                let page = self.script("return document.body.innerText").await;
                panic!("{path} does not come ({error}) in\n{page:#}")
            }
        }
    }

    pub(crate) async fn click(&self, path: &str) {
        self.see(path)
            .await
            .click()
            .await
            .expect("it can be clicked");
    }

    /// Runs the body of a function, and returns its result.
    pub(crate) async fn script(&self, body: &str) -> Value {
        self.0.execute(body, Vec::new()).await.expect("it runs")
    }

    /// Presses keys in order.
    pub(crate) async fn press(&self, keys: impl IntoIterator<Item = char>) {
        let mut actions = KeyActions::new("keyboard".to_owned());
        for value in keys {
            actions = actions
                .then(KeyAction::Down { value })
                .then(KeyAction::Up { value });
        }
        self.0
            .perform_actions(actions)
            .await
            .expect("there are keys");
    }

    /// Presses a key while another key is held.
    pub(crate) async fn press_with(&self, held: char, key: char) {
        let actions = KeyActions::new("keyboard".to_owned())
            .then(KeyAction::Down { value: held })
            .then(KeyAction::Down { value: key })
            .then(KeyAction::Up { value: key })
            .then(KeyAction::Up { value: held });
        self.0
            .perform_actions(actions)
            .await
            .expect("there are keys");
    }

    /// Enters a name in the dialog.
    pub(crate) async fn sign_in(&self, name: &str) {
        self.see("//dialog[@open]").await;
        self.press(name.chars().chain([ENTER])).await;
        self.is_connected().await;
    }

    pub(crate) async fn is_connected(&self) {
        self.see("//*[@id='status'][normalize-space()='Connected']")
            .await;
    }

    /// Publishes a text, and waits until the server has it.
    pub(crate) async fn say(&self, text: &str) {
        let field = self.see("//textarea").await;
        field.send_keys(text).await.expect("it takes a text");
        field
            .send_keys(&ENTER.to_string())
            .await
            .expect("it takes a key");
        self.see(&format!(
            "//li[contains(@class, 'mine')][.//*[@class='text'][.='{text}']][.//*[@class='tick']]"
        ))
        .await;
    }

    /// Waits for a message.
    pub(crate) async fn receives(&self, text: &str) {
        self.see(&format!("//*[@class='text'][.='{text}']")).await;
    }

    /// Waits for a line between the messages.
    pub(crate) async fn notices(&self, text: &str) {
        self.see(&format!("//li[starts-with(@class, 'notice')][.='{text}']"))
            .await;
    }

    /// Returns the texts of the open room, from the top.
    pub(crate) async fn texts(&self) -> Vec<String> {
        let texts = "return [...document.querySelectorAll('#log ol:not([hidden]) .text')].map(text => text.textContent)";
        serde_json::from_value(self.script(texts).await).expect("texts")
    }

    /// Returns how far an element can scroll sideways; only the list of rooms may.
    pub(crate) async fn overflow(&self) -> i64 {
        let body = "
            const scrolls = part => ['auto', 'scroll'].includes(getComputedStyle(part).overflowX);
            const parts = [...document.body.querySelectorAll(':not(#rooms)')].filter(scrolls);
            const over = [document.documentElement, ...parts].map(part => part.scrollWidth - part.clientWidth);
            return Math.max(...over);";
        self.script(body).await.as_i64().expect("a number")
    }

    /// Closes the window, and checks that its console is empty.
    pub(crate) async fn close(self) {
        self.close_after(|_| false).await;
    }

    /// Closes the window, and checks that its console has only the expected lines.
    pub(crate) async fn close_after(self, known: impl Fn(&str) -> bool) {
        let console = self.0.issue_cmd(Console).await.expect("a console");
        let lines = console.as_array().expect("lines");
        for line in lines {
            let message = line["message"].as_str().expect("a message");
            assert!(known(message), "in the console: {line}");
        }
        self.0.close().await.expect("it closes");
    }
}

/// Requests the console's lines, an extension of Chromium's driver.
#[derive(Debug)]
struct Console;

impl WebDriverCompatibleCommand for Console {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/se/log", session.unwrap_or_default()))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(json!({ "type": "browser" }).to_string()))
    }
}
