//! The server's figures, as they move.

use crate::stage::{Stage, run};

#[test]
fn plots_move_with_what_the_server_does() {
    run(async {
        let stage = Stage::set();
        let watcher = stage.open("/dashboard").await;
        watcher.see("//section[h3='Connections'][.//b='0']").await;
        let ann = stage.enter("ann").await;
        watcher.see("//section[h3='Connections'][.//b='1']").await;
        watcher
            .see("//section[h3='Tasks in flight'][.//b='1']")
            .await;
        ann.say("one").await;
        watcher
            .see("//*[@id='facts'][.//div[dt='messages']/dd='1']")
            .await;

        for title in [
            "Connections",
            "Messages a second",
            "Deliveries a second",
            "Tasks in flight",
            "Memory",
        ] {
            let line =
                format!("//section[h3='{title}']//*[name()='path'][contains(@class, 'line')]");
            let drawn = watcher.see(&format!("{line}[contains(@d, 'L')]")).await;
            let course = drawn.attr("d").await.expect("a line").expect("a course");
            watcher.see(&format!("{line}[@d!='{course}']")).await;
        }
        // There was something to see.
        watcher
            .see("//section[h3='Messages a second']//*[name()='svg'][not(contains(@aria-label, 'at most 0 '))]")
            .await;
        ann.close().await;
        watcher.see("//section[h3='Connections'][.//b='0']").await;
        watcher.close().await;
    });
}

#[test]
fn the_views_are_pages_of_one_visit() {
    run(async {
        let stage = Stage::set();
        let ann = stage.enter("ann").await;
        ann.click("//a[.='Dashboard']").await;
        ann.see("//main[@id='dashboard'][not(@hidden)]").await;
        ann.see("//main[@id='chat'][@hidden]").await;
        ann.0.back().await.expect("there is a way back");
        ann.see("//main[@id='chat'][not(@hidden)]").await;
        // It was the same connection all the time.
        ann.is_connected().await;
        ann.say("still here").await;
        ann.close().await;
    });
}
