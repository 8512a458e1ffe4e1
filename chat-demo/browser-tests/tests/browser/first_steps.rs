//! What visitors try first: second windows, long texts, links, and names that are taken.

use fantoccini::wd::WindowHandle;

use crate::relay::Relay;
use crate::stage::{Stage, run};
use crate::window::{ENTER, ESCAPE, Window};

impl Window {
    async fn handle(&self) -> WindowHandle {
        self.0.window().await.expect("it has a handle")
    }

    async fn switch_to(&self, handle: &WindowHandle) {
        let switched = self.0.switch_to_window(handle.clone()).await;
        switched.expect("the window is open");
    }

    /// Opens a window of the same browser with a script, and switches to it.
    async fn open_by_script(&self) -> WindowHandle {
        self.script("window.open(location.href)").await;
        let handles = self.0.windows().await.expect("it has handles");
        let opened = handles.last().expect("one was opened").clone();
        self.switch_to(&opened).await;
        opened
    }

    async fn reload(&self) {
        self.0.refresh().await.expect("it loads again");
        self.is_connected().await;
    }

    /// Publishes a text that is too long to type.
    async fn paste(&self, text: &str) {
        let text = serde_json::to_string(text).expect("a string");
        let script = format!(
            "const field = document.getElementById('text');
             field.value = {text};
             field.form.requestSubmit();"
        );
        self.script(&script).await;
    }

    /// Returns whether the message with this text is marked as the visitor's own.
    async fn owns(&self, text: &str) -> bool {
        let item = format!("//li[.//*[@class='text'][.='{text}']][not(@aria-hidden)]");
        let item = self.see(&item).await;
        let class = item.attr("class").await.expect("it is shown");
        class.expect("a class").contains("mine")
    }

    async fn sees_members(&self, title: &str, names: usize) {
        self.see(&format!("//*[@id='people-title'][.='{title}']"))
            .await;
        self.see(&format!("//*[@id='people'][count(li)={names}]"))
            .await;
    }
}

#[test]
fn two_windows_of_one_browser_are_two_people() {
    run(async {
        let stage = Stage::set();
        let window = stage.enter("ann").await;
        let first = window.handle().await;
        let second = window.0.new_window(false).await.expect("it opens").handle;
        window.switch_to(&second).await;
        window.go(&format!("http://{}/", stage.address)).await;
        window.sign_in("bob").await;
        window.say("I am bob").await;
        window.sees_members("2 members", 2).await;
        window.reload().await;
        window.see("//*[@id='me'][.='bob']").await;
        assert!(window.owns("I am bob").await);

        window.switch_to(&first).await;
        assert!(!window.owns("I am bob").await);
        window.sees_members("2 members", 2).await;
        window.reload().await;
        window.see("//*[@id='me'][.='ann']").await;
        window.close().await;
    });
}

#[test]
fn duplicated_window_gets_a_session_of_its_own() {
    run(async {
        let stage = Stage::set();
        let window = stage.enter("ann").await;
        let first = window.handle().await;
        // The browser copies the session storage into a window that a script opens.
        window.open_by_script().await;
        window.see("//dialog[@id='sign-in'][@open]").await;
        window.sign_in("bob").await;
        window.switch_to(&first).await;
        window.reload().await;
        window.see("//*[@id='me'][.='ann']").await;
        window.sees_members("2 members", 2).await;
        window.close().await;
    });
}

#[test]
fn stranger_with_the_same_name_is_not_you() {
    run(async {
        let stage = Stage::set();
        let (ann, stranger) = (stage.enter("ann").await, stage.enter("ann").await);
        ann.say("one").await;
        stranger.say("two").await;
        ann.receives("two").await;
        for _ in 0..2 {
            assert!(ann.owns("one").await);
            assert!(!ann.owns("two").await);
            // Nor under the visitor's name.
            ann.see("//li[.//*[@class='text'][.='two']][not(contains(@class, 'follows'))]")
                .await;
            ann.reload().await;
        }
        assert!(!stranger.owns("one").await);
        for window in [ann, stranger] {
            window.say("three").await;
            window.sees_members("1 member", 1).await;
            window.close().await;
        }
    });
}

#[test]
fn draft_stays_with_its_room() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        ann.press("half a thought".chars()).await;
        ann.script("document.getElementById('join-name').focus()")
            .await;
        ann.press("tea".chars().chain([ENTER])).await;
        ann.see("//h1[.='# tea']").await;
        let draft = "return document.getElementById('text').value";
        assert_eq!(ann.script(draft).await, "");
        ann.press("tea is".chars()).await;
        ann.click("//*[@id='rooms']//button[.='general']").await;
        assert_eq!(ann.script(draft).await, "half a thought");
        ann.click("//*[@id='rooms']//button[.='tea']").await;
        assert_eq!(ann.script(draft).await, "tea is");
        ann.close().await;
    });
}

#[test]
fn text_that_is_too_long_is_edited_not_repeated() {
    run(async {
        let stage = Stage::with(|config| config.max_payload = 1024);
        let ann = stage.enter("ann").await;
        let long = "word ".repeat(300);
        ann.paste(&long).await;
        let failed = "//li[contains(@class, 'failed')][contains(., 'Not sent: too long.')]";
        ann.see(failed).await;
        ann.see(&format!("{failed}[not(.//button[.='Send again'])]"))
            .await;
        ann.click(&format!("{failed}//button[.='Edit']")).await;
        let draft = "return document.getElementById('text').value";
        assert_eq!(ann.script(draft).await, long.trim());
        assert!(ann.texts().await.is_empty());
        ann.close().await;
    });
}

#[test]
fn first_row_of_a_cut_list_has_author_and_date() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        for _ in 0..6 {
            ann.script(
                "const text = document.getElementById('text');
                 for (let number = 1; number <= 100; number++) {
                   text.value = `no. ${number}`;
                   text.form.requestSubmit();
                 }",
            )
            .await;
            ann.see("//*[@id='log'][not(.//li[contains(@class, 'pending')])]")
                .await;
        }
        let first = "const first = document.querySelector('#log .msg');
                     return first.checkVisibility() && first.querySelector('.head').checkVisibility()
                       && Boolean(first.dataset.day) && document.querySelectorAll('#log .msg').length";
        let rows = ann.script(first).await.as_u64();
        // Rows of texts under way count as well.
        assert!(
            rows.is_some_and(|rows| (400..=500).contains(&rows)),
            "{rows:?}"
        );
        ann.close().await;
    });
}

#[test]
fn earlier_messages_are_offered_only_if_some_are_kept() {
    run(async {
        let stage = Stage::with(|config| config.history = 2);
        let ann = stage.enter("ann").await;
        for text in ["1", "2", "3", "4"] {
            ann.say(text).await;
        }
        let bob = stage.enter("bob").await;
        bob.receives("4").await;
        // The server answers in order, so it has answered all earlier requests.
        bob.say("5").await;
        assert_eq!(bob.texts().await, ["3", "4", "5"]);
        bob.see("//ol[not(@hidden)]/li[@class='older'][@hidden]")
            .await;
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn addresses_in_texts_become_links() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        let text = "see https://example.org/a?b=1&c=(d), (HTTP://x.test/). not javascript:alert(1) \
                    or http:// or ftp://x.test";
        ann.say(text).await;
        let links = "return [...document.querySelectorAll('.text a')].map(link => [link.href, link.rel, link.target])";
        let expected = serde_json::json!([
            [
                "https://example.org/a?b=1&c=(d)",
                "noopener noreferrer",
                "_blank"
            ],
            ["http://x.test/", "noopener noreferrer", "_blank"],
        ]);
        assert_eq!(ann.script(links).await, expected);
        ann.close().await;
    });
}

#[test]
fn blank_name_is_refused_with_a_reason() {
    run(async {
        let stage = Stage::set();
        let ann = stage.open("/").await;
        for blank in ["   ", "\u{200B}"] {
            ann.see("//dialog[@id='sign-in'][@open]").await;
            ann.press(blank.chars().chain([ENTER])).await;
            ann.see("//dialog[@open]//*[@class='why'][contains(., 'This name is blank')]")
                .await;
        }
        ann.sign_in("ann").await;
        ann.see("//*[@id='me'][.='ann']").await;
        ann.close().await;
    });
}

#[test]
fn long_text_is_folded_until_it_is_opened() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        for long in ["word ".repeat(2000), "line\n".repeat(100)] {
            ann.paste(&long).await;
            ann.see("//*[@id='log'][not(.//li[contains(@class, 'pending')])]")
                .await;
            let height = "return [...document.querySelectorAll('.text')].at(-1).offsetHeight";
            let folded = ann.script(height).await.as_i64().expect("a height");
            assert!(folded < 400, "it takes {folded} pixels");
            ann.click("//li[last()]//button[.='Show more'][@aria-expanded='false']")
                .await;
            ann.see("//li[last()]//button[.='Show less'][@aria-expanded='true']")
                .await;
            let open = ann.script(height).await.as_i64().expect("a height");
            assert!(open > 2 * folded, "it takes {open} pixels after {folded}");
        }
        ann.close().await;
    });
}

#[test]
fn right_to_left_text_runs_from_the_right() {
    run(async {
        let stage = Stage::set();
        let name = "רות";
        let ann = stage.enter(name).await;
        ann.say("שלום עולם").await;
        ann.say("hello").await;
        let directions = "return [...document.querySelectorAll('.text')].map(text => getComputedStyle(text).direction)";
        assert_eq!(
            ann.script(directions).await,
            serde_json::json!(["rtl", "ltr"])
        );
        ann.press("שלום".chars()).await;
        let of_field = "return getComputedStyle(document.getElementById('text')).direction";
        assert_eq!(ann.script(of_field).await, "rtl");
        ann.close().await;
    });
}

#[test]
fn member_sheet_of_a_phone_closes_by_button_and_key() {
    run(async {
        let stage = Stage::set();
        let ann = stage.open_phone(390).await;
        ann.sign_in("ann").await;
        for by_key in [false, true] {
            ann.click("//*[@id='show-people']").await;
            ann.see("//*[@id='people-side'][contains(@class, 'open')]")
                .await;
            if by_key {
                ann.press([ESCAPE]).await;
            } else {
                ann.click(
                    "//*[@id='people-side']//button[@aria-label='Close the list of members']",
                )
                .await;
            }
            ann.see("//*[@id='people-side'][not(contains(@class, 'open'))]")
                .await;
            let focused = ann.script("return document.activeElement.id").await;
            assert_eq!(focused, "show-people");
        }
        ann.close().await;
    });
}

#[test]
fn dashboard_without_server_shows_a_message() {
    run(async {
        let stage = Stage::set();
        let relay = Relay::to(stage.address).await;
        let ann = stage.open_at(relay.address, "/").await;
        ann.see("//dialog[@open]").await;
        ann.press([ESCAPE]).await;
        relay.cut();
        ann.click("//a[.='Dashboard']").await;
        ann.see("//*[@id='no-figures'][not(@hidden)][contains(., 'The server does not answer')]")
            .await;
        let headings = "return [...document.querySelectorAll('#dashboard h2')].filter(title => title.checkVisibility()).length";
        assert_eq!(ann.script(headings).await, 0);
        relay.mend();
        ann.see("//section[h3='Connections'][.//b]").await;
        ann.see("//*[@id='no-figures'][@hidden]").await;
        assert_eq!(ann.script(headings).await, 3);
        ann.close_after(|line| line.contains("/api/stats - Failed to load resource"))
            .await;
    });
}
