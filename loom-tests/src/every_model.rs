//! Runs the tests of this package under loom, each in a process of its own and several at a time.
//! In one process, models wait for each other to map and unmap the stacks of loom's threads.

use std::error::Error;
use std::ffi::OsStr;
use std::num::NonZero;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::thread;

use crate::report::workspace;
use crate::{Outcome, cargo};

/// A test and the binary that has it.
struct Test {
    binary: PathBuf,
    name: String,
}

impl Test {
    /// Whether it belongs to `tests/models`, and not to this program.
    fn is_model(&self) -> bool {
        let file = self.binary.file_name().and_then(OsStr::to_str);
        file.is_some_and(|file| file.starts_with("models-"))
    }
}

pub(crate) fn run_all() -> Outcome {
    let mut tests = Vec::new();
    for binary in build()? {
        tests.append(&mut list(&binary)?);
    }
    if !tests.iter().any(Test::is_model) {
        return Err("the build has no models".into());
    }
    let (waiting, failed) = (Mutex::new(tests.iter()), Mutex::new(Vec::new()));
    let threads = thread::available_parallelism().map_or(1, NonZero::get);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let Some(test) = waiting.lock().expect("no thread panics").next() else {
                        return;
                    };
                    if let Err(report) = run(test) {
                        failed.lock().expect("no thread panics").push(report);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner()?;
    for report in &failed {
        println!("\n{report}");
    }
    let result = if failed.is_empty() { "ok" } else { "FAILED" };
    let passed = tests.len() - failed.len();
    println!(
        "\ntest result: {result}. {passed} passed; {} failed",
        failed.len()
    );
    Ok(failed.is_empty())
}

/// Builds the tests under loom. Returns their binaries.
fn build() -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let output = cargo::test("--cfg anthill_loom")?
        .args([
            "--tests",
            "--no-run",
            "--message-format=json-render-diagnostics",
        ])
        .output()?;
    if !output.status.success() {
        return Err("the models do not compile".into());
    }
    Ok(binaries(&String::from_utf8(output.stdout)?))
}

/// Reads the paths of test binaries from cargo's messages. Cargo builds this program for them, too.
fn binaries(messages: &str) -> Vec<PathBuf> {
    let path = |message: &str| {
        let (_, rest) = message.split_once("\"executable\":\"")?;
        let (path, _) = rest.split_once('"')?;
        Some(PathBuf::from(path))
    };
    let is_test = |message: &&str| {
        let profile = message.split_once("\"profile\":{");
        let profile = profile.and_then(|(_, rest)| rest.split_once('}'));
        profile.is_some_and(|(profile, _)| profile.contains("\"test\":true"))
    };
    let tests = messages.lines().filter(is_test);
    tests.filter_map(path).collect()
}

/// Returns the tests of a binary.
fn list(binary: &Path) -> Result<Vec<Test>, Box<dyn Error>> {
    let output = Command::new(binary)
        .args(["--list", "--format", "terse"])
        .output()?;
    if !output.status.success() {
        return Err(format!("{} lists no tests: {}", binary.display(), output.status).into());
    }
    let tests = String::from_utf8(output.stdout)?;
    let names = tests.lines().filter_map(|line| line.strip_suffix(": test"));
    let tests = names.map(|name| Test {
        binary: binary.to_owned(),
        name: name.to_owned(),
    });
    Ok(tests.collect())
}

/// Runs a test, and prints its line. Returns all its output if it fails.
fn run(test: &Test) -> Result<(), String> {
    let Test { binary, name } = test;
    let output = Command::new(binary)
        .current_dir(workspace().join("loom-tests"))
        .args(["--exact", name])
        .output()
        .map_err(|error| format!("{}: {error}", binary.display()))?;
    let text = String::from_utf8_lossy(&output.stdout);
    // A test that does not exist succeeds.
    if output.status.success() && text.contains("1 passed") {
        println!("test {name} ... ok");
        return Ok(());
    }
    println!("test {name} ... FAILED");
    Err(format!(
        "{name}: {}\n{text}{}",
        output.status,
        String::from_utf8_lossy(&output.stderr)
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn binaries_are_read_from_messages() {
        let messages = "{\"profile\":{\"test\":false},\"executable\":null}\n\
            {\"target\":{\"test\":true},\"profile\":{\"test\":false},\"executable\":\"/target/loom-tests\"}\n\
            {\"profile\":{\"test\":true},\"executable\":\"/target/models-1\",\"fresh\":true}\n\
            {\"reason\":\"build-finished\",\"success\":true}\n";
        assert_eq!(binaries(messages), [PathBuf::from("/target/models-1")]);
    }

    #[test]
    fn tests_of_this_program_are_no_models() {
        let own = list(&std::env::current_exe().unwrap()).unwrap();
        assert!(!own.is_empty() && !own.iter().any(Test::is_model));
        let model = Test {
            binary: "/target/models-1".into(),
            name: "waiting::line".into(),
        };
        assert!(model.is_model());
    }

    #[test]
    fn test_that_does_not_exist_fails() {
        let binary = std::env::current_exe().unwrap();
        let test = |name: &str| Test {
            binary: binary.clone(),
            name: name.to_owned(),
        };
        let exists = "every_model::tests::binaries_are_read_from_messages";
        assert_eq!(run(&test(exists)), Ok(()));
        let error = run(&test("no_such_test")).unwrap_err();
        assert!(error.starts_with("no_such_test: exit status: 0"), "{error}");
    }
}
