//! Visitors who chat.

use crate::stage::{Stage, run};
use crate::window::{ALT, DOWN, ENTER, ESCAPE, TAB, UP};

#[test]
fn two_windows_get_all_messages_once_in_one_order() {
    run(async {
        let stage = Stage::set();
        let (ann, bob) = (stage.enter("ann").await, stage.enter("bob").await);
        for number in 0..3 {
            let (of_ann, of_bob) = (format!("ann {number}"), format!("bob {number}"));
            tokio::join!(ann.say(&of_ann), bob.say(&of_bob));
        }
        for window in [&ann, &bob] {
            window.receives("ann 2").await;
            window.receives("bob 2").await;
        }
        let texts = ann.texts().await;
        assert_eq!(texts, bob.texts().await);
        for name in ["ann", "bob"] {
            let own: Vec<_> = texts.iter().filter(|text| text.starts_with(name)).collect();
            assert_eq!(
                own,
                [0, 1, 2]
                    .map(|number| format!("{name} {number}"))
                    .each_ref()
            );
        }
        assert_eq!(texts.len(), 6);
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn late_comer_sees_the_newest_and_loads_earlier_messages() {
    run(async {
        let stage = Stage::with(|config| config.history = 200);
        let ann = stage.enter("ann").await;
        ann.script(
            "const text = document.getElementById('text');
             for (let number = 1; number <= 120; number++) {
               text.value = `no. ${number}`;
               text.form.requestSubmit();
             }",
        )
        .await;
        ann.see("//li[.//*[@class='text'][.='no. 120']]//*[@class='tick']")
            .await;

        let bob = stage.enter("bob").await;
        bob.receives("no. 120").await;
        let all: Vec<_> = (1..=120).map(|number| format!("no. {number}")).collect();
        bob.see("//*[@id='log'][not(@aria-busy)]").await;
        assert_eq!(bob.texts().await, all[20..]);
        bob.click("//button[.='Earlier messages']").await;
        bob.receives("no. 1").await;
        bob.see("//ol[not(@hidden)]/li[@class='older'][@hidden]")
            .await;
        assert_eq!(bob.texts().await, all);
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn members_come_and_go_and_are_away() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        let bob = stage.enter("bob").await;
        ann.see("//*[@id='people']/li[.//*[.='bob']]").await;
        bob.see("//*[@id='people']/li[.//*[.='ann']]").await;
        bob.click("//*[@id='state']/option[.='Away']").await;
        ann.see("//*[@id='people']/li[.//*[.='bob']]/*[.='away']")
            .await;
        bob.close().await;
        ann.see("//*[@id='people'][count(li)=1]").await;
        ann.notices("bob left").await;
        ann.close().await;
    });
}

#[test]
fn order_updates_are_shown_in_their_room() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        // A second client, unknown to the page.
        let script = "
            import('/client.js').then(({ Client }) => {
              const shop = new Client({ name: 'shop' });
              shop.addEventListener('joined', () => {
                shop.send('order_update', { room: 'general', order: 'A-17', status: 'shipped' });
              });
              shop.addEventListener('order_update', () => shop.close());
              shop.join('general');
              shop.connect();
            });";
        ann.script(script).await;
        ann.notices("Order A-17: shipped").await;
        ann.close().await;
    });
}

#[test]
fn a_token_is_taken_out_of_the_address_and_said_to_the_server() {
    run(async {
        let stage = Stage::set();
        let ann = stage.open("/#token=abc.def&room=tea").await;
        ann.see("//h1[.='# tea']").await;
        // Joined or refused: the server has handled the frame.
        ann.see("//*[@id='status'][contains(@class, 'up') or contains(@class, 'down')]")
            .await;
        assert_eq!(ann.script("return location.hash").await, "#tea");
        let kept = "return sessionStorage.getItem('token')";
        assert_eq!(ann.script(kept).await, "abc.def");
        ann.close().await;
    });
}

#[test]
fn names_and_texts_are_never_markup() {
    run(async {
        let stage = Stage::set();
        let (name, text) = ("<b id=x>ann</b>", "<img src=x onerror=boom()>");
        let ann = stage.enter(name).await;
        let bob = stage.enter("bob").await;
        ann.say(text).await;
        for window in [ann, bob] {
            window.receives(text).await;
            window
                .see(&format!("//*[@class='head']/b[.='{name}']"))
                .await;
            let made = window
                .script("return document.querySelectorAll('#x, img').length")
                .await;
            assert_eq!(made, 0);
            window.close().await;
        }
    });
}

#[test]
fn a_keyboard_is_enough() {
    run(async {
        let stage = Stage::set();
        let ann = stage.open("/").await;
        ann.see("//dialog[@open]").await;
        ann.press([ESCAPE]).await;
        ann.see("//dialog[not(@open)]").await;
        ann.see("//*[@id='status'][contains(., 'Not connected')]")
            .await;
        // From the text field to the first control.
        for _ in 0..40 {
            let focused = ann
                .script("return document.activeElement.textContent")
                .await;
            if focused == "Join the chat" {
                break;
            }
            ann.press([TAB]).await;
        }
        ann.press([ENTER]).await;
        ann.sign_in("ann").await;

        ann.press("with enter".chars().chain([ENTER])).await;
        ann.receives("with enter").await;
        ann.press("with the button".chars().chain([TAB, ENTER]))
            .await;
        ann.receives("with the button").await;

        ann.script("document.getElementById('join-name').focus()")
            .await;
        ann.press("tea".chars().chain([ENTER])).await;
        ann.see("//h1[.='# tea']").await;
        ann.press_with(ALT, UP).await;
        ann.see("//h1[.='# general']").await;
        ann.press_with(ALT, DOWN).await;
        ann.see("//h1[.='# tea']").await;
        ann.press("in tea".chars().chain([ENTER])).await;
        ann.receives("in tea").await;
        ann.close().await;
    });
}

#[test]
fn a_phone_of_360_pixels_shows_all_of_its_width() {
    run(async {
        let stage = Stage::set();
        let ann = stage.open_phone(360).await;
        assert_eq!(ann.script("return innerWidth").await, 360);
        ann.sign_in("ann of the long and winding name").await;
        ann.say(&"word".repeat(60)).await;
        let (_, _, width, _) = ann
            .see("//*[@class='text']")
            .await
            .rectangle()
            .await
            .expect("it is shown");
        assert!(width > 240.0, "a text takes {width} pixels");
        ann.script("document.getElementById('join-name').focus()")
            .await;
        let room = "a room that has a name which is rather long";
        ann.press(room.chars().chain([ENTER])).await;
        ann.see(&format!("//h1[.='# {room}']")).await;
        assert_eq!(ann.overflow().await, 0);
        ann.click("//*[@id='show-people']").await;
        ann.see("//*[@id='people-side'][contains(@class, 'open')]")
            .await;
        assert_eq!(ann.overflow().await, 0);
        ann.press([ESCAPE]).await;
        ann.click("//a[.='Dashboard']").await;
        ann.see("//section[h3='Connections']//*[name()='path'][contains(@class, 'line')][contains(@d, 'L')]").await;
        assert_eq!(ann.overflow().await, 0);
        ann.close().await;
    });
}
