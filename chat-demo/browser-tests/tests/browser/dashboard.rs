//! The dashboard shows live figures.

use std::time::Duration;

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
            .see("//*[@id='slots']/li[span='connections'][span='1 of 16,384']")
            .await;
        ann.say("one").await;
        watcher
            .see("//*[@id='facts'][.//div[dt='messages']/dd='1']")
            .await;

        for title in [
            "Connections",
            "Messages a second",
            "Deliveries a second",
            "Queue age",
            "Memory",
        ] {
            let line =
                format!("//section[h3='{title}']//*[name()='path'][contains(@class, 'line')]");
            let drawn = watcher.see(&format!("{line}[contains(@d, 'L')]")).await;
            let course = drawn.attr("d").await.expect("a line").expect("a course");
            watcher.see(&format!("{line}[@d!='{course}']")).await;
        }
        // The plots have points.
        watcher
            .see("//section[h3='Messages a second']//*[name()='svg'][not(contains(@aria-label, 'at most 0 '))]")
            .await;
        ann.close().await;
        watcher.see("//section[h3='Connections'][.//b='0']").await;
        watcher.close().await;
    });
}

#[test]
fn plots_show_slots_workers_lanes_and_latencies() {
    run(async {
        let stage = Stage::with(|config| {
            config.threads = Some(2);
            config.debug_closures = Some(Duration::from_millis(20));
        });
        let watcher = stage.open("/dashboard").await;
        watcher
            .see("//*[@id='slots']/li[span='debug closures'][span[starts-with(., '64 of 64')]]")
            .await;
        let full = "const rows = [...document.querySelectorAll('#slots li')];
                    return rows.find(row => row.textContent.includes('debug')).querySelector('.bar div').style.width";
        assert_eq!(watcher.script(full).await, "100%");
        let shown = |title: &str, label: &str, value: &str| {
            format!("//section[h3='{title}']//span[span='{label}'][b{value}]")
        };
        // One worker remains for the rooms.
        let workers = "Workers, mean of 5 s";
        watcher.see(&shown(workers, "closures", ">0.8")).await;
        watcher.see(&shown(workers, "futures", ">0.2")).await;
        watcher
            .see("//section[h3='Workers, mean of 5 s']//*[name()='path'][contains(@class, 'area')][contains(@d, 'L')]")
            .await;
        for label in ["futures", "high", "normal", "low"] {
            let plot = shown("Ready tasks by lane", label, ">=0");
            watcher.see(&plot).await;
        }
        for label in ["futures", "normal", "low"] {
            watcher
                .see(&shown("Queue age", label, "[contains(., ' ms')]"))
                .await;
        }
        let ann = stage.enter("ann").await;
        ann.say("hi").await;
        for label in ["p50", "p99", "p99.9"] {
            let plot = shown("Fan-out latency", label, "[contains(., ' ms')][.!='0 ms']");
            watcher.see(&plot).await;
        }
        ann.close().await;
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
        // The connection did not change.
        ann.is_connected().await;
        ann.say("still here").await;
        ann.close().await;
    });
}
