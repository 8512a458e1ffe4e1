//! The plots that are drawn from recorded figures.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::records;

/// The files with the recorded figures.
const RESULTS: [&str; 4] = ["closures", "growth", "mixed", "chat"];
/// The plots of the README and the documents.
const PLOTS: [&str; 4] = ["noop", "growth", "mixed", "chat-plot"];

#[test]
fn kept_plots_show_the_recorded_figures() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = tempfile::tempdir().expect("a folder");
    let from = |file| ["--from".to_owned(), format!("results/{file}.json")];
    let drawn = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(RESULTS.map(from).concat())
        .arg("--plots")
        .arg(folder.path())
        .current_dir(root)
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&drawn.stderr);
    assert!(drawn.status.success(), "{errors}");
    for name in PLOTS
        .map(|plot| [format!("{plot}.svg"), format!("{plot}-dark.svg")])
        .concat()
    {
        let drawn = fs::read_to_string(folder.path().join(&name)).expect("the plot was drawn");
        let kept = fs::read_to_string(root.join("../docs/images").join(&name));
        let kept = kept.expect("the plot is in the repository");
        assert!(
            drawn == kept,
            "{name} is out of date; benches/README.md says how to draw it"
        );
    }
}

#[test]
fn figures_of_a_run_are_plotted_later() {
    let folder = tempfile::tempdir().expect("a folder");
    records(
        folder.path(),
        &[
            "noop",
            "growth",
            "mixed",
            "--only",
            "anthill,kanal,tokio-rayon",
        ],
    );
    let json = folder.path().join("figures.json");
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--from".as_ref(), json.as_os_str(), "--plots".as_ref()])
        .arg(folder.path())
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    let plot = fs::read_to_string(folder.path().join("mixed-dark.svg")).expect("a plot");
    assert!(plot.contains("tokio + rayon"), "{plot}");
    let plot = fs::read_to_string(folder.path().join("growth.svg")).expect("a plot");
    for shown in ["ns against workers", "kanal + threads", "10M"] {
        assert!(plot.contains(shown), "{shown}: {plot}");
    }
}

#[test]
fn file_without_figures_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("list.json");
    fs::write(&file, "[]").expect("the file is written");
    let output = Command::new(env!("CARGO_BIN_EXE_compare"))
        .args(["--from".as_ref(), file.as_os_str(), "--plots".as_ref()])
        .arg(folder.path())
        .output()
        .expect("the program runs");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success());
    assert!(
        errors.contains("list.json` is not a file of --json"),
        "{errors}"
    );
}
