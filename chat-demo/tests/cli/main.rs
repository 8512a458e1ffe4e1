//! The command line: what the program accepts, and how it refuses the rest.

mod load;
mod serve;

use std::process::{Command, Output, Stdio};

/// The result of a run.
struct Run {
    /// The exit code; `None` after a signal.
    code: Option<i32>,
    /// Standard output and standard error.
    text: String,
}

/// Returns the program with these arguments and variables, without others of the environment.
fn program(words: &str, variables: &[(&str, &str)]) -> Command {
    let mut program = Command::new(env!("CARGO_BIN_EXE_chat-demo"));
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CHAT_") {
            program.env_remove(name);
        }
    }
    program
        .args(words.split_whitespace())
        .env_remove("RUST_LOG")
        .envs(variables.iter().copied())
        .stdin(Stdio::null());
    program
}

/// Runs the program to its end.
fn run(words: &str, variables: &[(&str, &str)]) -> Run {
    ended(program(words, variables).output().expect("it is built"))
}

fn ended(output: Output) -> Run {
    let text = [output.stdout, output.stderr].concat();
    Run {
        code: output.status.code(),
        text: String::from_utf8(text).expect("text"),
    }
}

/// Runs the program, checks that it refuses, and returns its error.
fn refusal(words: &str, variables: &[(&str, &str)]) -> String {
    let run = run(words, variables);
    let code = run.code.expect("no signal");
    assert_ne!(code, 0, "{words} {variables:?}: {}", run.text);
    run.text
}
