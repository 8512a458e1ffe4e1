//! Runs every model further than the tests do: more preemptions, more schedules, and both model deques.

use std::collections::BTreeMap;
use std::error::Error;

use crate::report;
use crate::{Outcome, cargo};

/// How many seconds more than in the tests a model may take with one preemption more.
const PATIENCE: f64 = 4.0;

/// A way to run the models.
struct Run {
    title: &'static str,
    flags: &'static str,
    how: How,
}

enum How {
    AsTests,
    /// With one preemption more than in the tests.
    Further,
    /// With this number of schedules for each model.
    Schedules(&'static str),
}

const RUNS: [Run; 4] = [
    Run {
        title: "as the tests",
        flags: "--cfg anthill_loom",
        how: How::AsTests,
    },
    Run {
        title: "one preemption more",
        flags: "--cfg anthill_loom",
        how: How::Further,
    },
    Run {
        title: "plain deque",
        flags: "--cfg anthill_loom --cfg anthill_plain_deque",
        how: How::Further,
    },
    Run {
        title: "crowds",
        flags: "--cfg anthill_shuttle",
        how: How::Schedules("100000"),
    },
];

/// What one model did in one run.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Explored {
    executions: u64,
    seconds: f64,
    /// `None` for random schedules.
    bound: Option<u64>,
    /// False if the time was over first.
    all: bool,
}

/// By the name of the model.
type Results = BTreeMap<String, Explored>;

/// Runs the models whose names contain one of `names`; all models if there are no names.
pub(crate) fn run(names: &[String], write: bool) -> Outcome {
    let mut models: BTreeMap<String, Vec<(usize, Explored)>> = BTreeMap::new();
    let mut as_tests = Results::new();
    let mut passed = true;
    for (column, run) in RUNS.iter().enumerate() {
        eprintln!("== {}", run.title);
        let (results, ok) = run.results(names, &as_tests)?;
        passed &= ok;
        for (model, explored) in &results {
            println!("{}: {model}: {}", run.title, explored.cell());
            let cells = models.entry(model.clone()).or_default();
            cells.push((column, *explored));
        }
        if let How::AsTests = run.how {
            as_tests = results;
        }
    }
    if models.is_empty() {
        return Err(format!("no model is named {}", names.join(" ")).into());
    }
    if write && passed {
        report::write("explored", |old| {
            table(if names.is_empty() { "" } else { old }, &models)
        })?;
    }
    Ok(passed)
}

impl Run {
    /// Runs the models. Returns their results and whether all of them passed.
    fn results(
        &self,
        names: &[String],
        as_tests: &Results,
    ) -> Result<(Results, bool), Box<dyn Error>> {
        let names: Vec<_> = names.iter().map(String::as_str).collect();
        match self.how {
            How::AsTests => self.output(&names, &[]),
            How::Schedules(count) => self.output(&names, &[("ANTHILL_SCHEDULES", count)]),
            How::Further => {
                let (mut results, mut passed) = (Results::new(), true);
                for (model, explored) in as_tests {
                    let preemptions = explored.bound.map_or(0, |bound| bound + 1).to_string();
                    let seconds = format!("{:.0}", (explored.seconds + PATIENCE).ceil());
                    let settings = [
                        ("LOOM_MAX_PREEMPTIONS", preemptions.as_str()),
                        ("LOOM_MAX_DURATION", seconds.as_str()),
                    ];
                    let (result, ok) = self.output(&["--exact", model], &settings)?;
                    results.extend(result);
                    passed &= ok;
                }
                Ok((results, passed))
            }
        }
    }

    fn binary(&self) -> &'static str {
        match self.how {
            How::AsTests | How::Further => "models",
            How::Schedules(_) => "crowds",
        }
    }

    /// Runs the models that the words select.
    fn output(
        &self,
        words: &[&str],
        settings: &[(&str, &str)],
    ) -> Result<(Results, bool), Box<dyn Error>> {
        let output = cargo::test(self.flags)?
            .args(["--quiet", "--test", self.binary(), "--"])
            .args(["--nocapture", "--test-threads=1", "--format=pretty"])
            .args(words)
            .envs(settings.iter().copied())
            .output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        Ok((parse(&text), output.status.success()))
    }
}

/// Reads the results that the models print: `test NAME ... N executions, all there are, within B preemptions in T s`,
/// and for crowds `N schedules explored HOW in T s, seed S`. Several results of a model are added up.
fn parse(text: &str) -> Results {
    let mut models = Results::new();
    let mut model = "";
    for line in text.lines() {
        let mut result = line;
        if let Some((name, rest)) = line
            .strip_prefix("test ")
            .and_then(|rest| rest.split_once(" ... "))
        {
            (model, result) = (name, rest);
        }
        let Some(explored) = Explored::parse(result) else {
            continue;
        };
        let sum = models.entry(model.to_owned()).or_insert(Explored {
            executions: 0,
            seconds: 0.0,
            ..explored
        });
        sum.executions += explored.executions;
        sum.seconds += explored.seconds;
        sum.all &= explored.all;
    }
    models
}

impl Explored {
    fn parse(line: &str) -> Option<Self> {
        let words: Vec<_> = line.split([' ', ',']).collect();
        let after = |word: &str| {
            let place = words.iter().rposition(|other| *other == word)?;
            words.get(place + 1)
        };
        let executions = words.first()?.parse().ok()?;
        words
            .iter()
            .any(|word| ["executions", "schedules"].contains(word))
            .then_some(())?;
        Some(Self {
            executions,
            seconds: after("in")?.parse().ok()?,
            bound: after("within").and_then(|bound| bound.parse().ok()),
            all: !line.contains("and then stopped"),
        })
    }

    fn cell(self) -> String {
        let Self {
            executions,
            seconds,
            bound,
            all,
        } = self;
        let more = if all { "" } else { ", not all" };
        let bound = bound.map_or(String::new(), |bound| format!(" at {bound}"));
        format!("{executions}{bound}, {seconds:.1} s{more}")
    }
}

/// The table of all models. Rows without new results are those of the old table.
fn table(old: &str, models: &BTreeMap<String, Vec<(usize, Explored)>>) -> String {
    let mut rows: BTreeMap<String, Vec<String>> = old.lines().filter_map(parse_row).collect();
    for (model, cells) in models {
        let mut row = vec![String::new(); RUNS.len()];
        for (column, explored) in cells {
            row[*column] = explored.cell();
        }
        rows.insert(model.clone(), row);
    }
    let line = |head: &str, cells: &[String]| format!("| {head} | {} |\n", cells.join(" | "));
    let titles = RUNS.map(|run| run.title.to_owned());
    let mut table = line("model", &titles) + &format!("|---|{}\n", "---|".repeat(RUNS.len()));
    for (model, row) in &rows {
        table += &line(&format!("`{model}`"), row);
    }
    let sums: Vec<_> = (0..RUNS.len())
        .map(|column| sum(rows.values().map(|row| row[column].as_str())))
        .collect();
    table + &line(&format!("all {}", rows.len()), &sums)
}

/// Reads a model's name and cells.
fn parse_row(line: &str) -> Option<(String, Vec<String>)> {
    let (model, cells) = line.strip_prefix("| `")?.split_once("` |")?;
    let cells: Vec<_> = cells.split('|').take(RUNS.len()).collect();
    let cells = cells.iter().map(|cell| cell.trim().to_owned());
    Some((model.to_owned(), cells.collect()))
}

/// The cell with the executions and the seconds of a column.
fn sum<'a>(cells: impl Iterator<Item = &'a str>) -> String {
    let (mut executions, mut seconds) = (0, 0.0);
    for cell in cells {
        let mut words = cell.split([' ', ',']).filter(|word| !word.is_empty());
        let first = words.next().and_then(|word| word.parse::<u64>().ok());
        let number = words.take_while(|word| *word != "s").last();
        executions += first.unwrap_or(0);
        seconds += number.and_then(|word| word.parse().ok()).unwrap_or(0.0);
    }
    format!("{executions}, {seconds:.0} s")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_the_models_is_parsed() {
        let text = "running 2 tests\n\
            test a ... 570 executions, all there are, within 2 preemptions in 0.1 s\n\
            30 executions, and then stopped, within 2 preemptions in 40.1 s\n\
            ok\n\
            test b ... 20 schedules explored by PCT in 0.5 s, seed 7\n\
            ok\n\
            test c ... ok\n";
        let models = parse(text);
        assert_eq!(models.len(), 2);
        assert_eq!(models["a"].cell(), "600 at 2, 40.2 s, not all");
        assert_eq!(models["b"].cell(), "20, 0.5 s");
    }

    #[test]
    fn rows_without_new_results_stay() {
        let explored = |executions| Explored {
            executions,
            seconds: 1.5,
            bound: Some(2),
            all: true,
        };
        let row = |model: &str, executions| (model.to_owned(), vec![(0, explored(executions))]);
        let old = table("", &[row("a", 10), row("b", 20)].into());
        let new = table(&old, &[row("b", 300), row("c", 4000)].into());
        let rows: Vec<_> = new.lines().skip(2).collect();
        assert_eq!(
            rows,
            [
                "| `a` | 10 at 2, 1.5 s |  |  |  |",
                "| `b` | 300 at 2, 1.5 s |  |  |  |",
                "| `c` | 4000 at 2, 1.5 s |  |  |  |",
                "| all 3 | 4310, 4 s | 0, 0 s | 0, 0 s | 0, 0 s |",
            ]
        );
    }
}
