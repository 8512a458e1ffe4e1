//! Search and typing notices in the page.

use crate::stage::{Stage, run};
use crate::window::ENTER;

#[test]
fn results_come_while_a_visitor_types_and_lead_to_the_message() {
    run(async {
        let stage = Stage::with(|config| config.history = 200);
        let ann = stage.enter("ann").await;
        ann.say("Green tea").await;
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
        bob.see("//*[@id='log'][not(@aria-busy)]").await;
        let field = bob.see("//input[@id='search']").await;
        field.send_keys("xyz").await.expect("it takes a text");
        bob.see("//*[@id='found']/li[.='Nothing found']").await;
        field.clear().await.expect("it can be cleared");
        field.send_keys("TEA").await.expect("it takes a text");
        let found = "//*[@id='found']//button[bdi='ann'][*[@class='said'][.='Green tea']]";
        bob.click(found).await;
        // The message precedes the loaded ones, and has the focus.
        bob.see("//li[.//*[@class='text'][.='Green tea']][@tabindex='-1']")
            .await;
        let focused = "return document.activeElement.querySelector('.text').textContent";
        assert_eq!(bob.script(focused).await, "Green tea");
        bob.see("//*[@id='found'][@hidden]").await;
        ann.close().await;
        bob.close().await;
    });
}

#[test]
fn a_visitor_sees_that_others_write() {
    run(async {
        let stage = Stage::set();
        let (ann, bob) = (stage.enter("ann").await, stage.enter("bob").await);
        bob.see("//*[@id='people']//bdi[.='ann']").await;
        ann.see("//*[@id='people']//bdi[.='bob']").await;
        let field = ann.see("//textarea").await;
        field.send_keys("<b>h").await.expect("it takes a text");
        bob.see("//*[@id='typing'][.='ann is typing…']").await;
        field
            .send_keys(&ENTER.to_string())
            .await
            .expect("it takes a key");
        bob.receives("<b>h").await;
        bob.see("//*[@id='typing'][.='']").await;
        ann.close().await;
        bob.close().await;
    });
}
