//! The differences between arms, as far as the seeds and the examples support them.

use anyhow::{Context, Result};
use eqprop_bench::comparison::{Difference, FEWEST_SEEDS, Verdict};
use eqprop_bench::statistics::PairedDifference;

use super::results::{Results, columns_of};
use crate::output::{Measure, quantity};

/// With more arms than this, each arm is compared with the best instead of all pairs being shown.
const ALL_PAIRS: usize = 4;

/// A difference as displayed, with its sides in the displayed order.
struct Line {
    pair: String,
    difference: String,
    interval: String,
    examples: String,
    verdict: String,
}

/// Returns the pairs to show: all pairs of a few arms; with many arms, each against the arm with the lowest
/// mean error.
fn shown(results: &Results) -> (Vec<Difference>, Option<String>) {
    let all = results.comparison().differences();
    if results.comparison().arms().len() <= ALL_PAIRS {
        return (all, None);
    }
    let summaries = results.comparison().summaries();
    let errors = summaries
        .iter()
        .filter_map(|summary| Some((results.judged(summary)?.mean, &summary.arm)));
    let Some((_, best)) = errors.min_by(|a, b| a.0.total_cmp(&b.0)) else {
        return (Vec::new(), None);
    };
    let with_best = all
        .into_iter()
        .filter(|found| found.first == *best || found.second == *best);
    let best_first = with_best.map(|found| {
        if found.first == *best {
            found
        } else {
            turned(found)
        }
    });
    (best_first.collect(), Some(best.clone()))
}

/// Returns the same difference with its sides exchanged.
fn turned(found: Difference) -> Difference {
    let error = found.error.map(|error| PairedDifference {
        mean: -error.mean,
        low: -error.high,
        high: -error.low,
        ..error
    });
    let mut examples = found.examples;
    if let Some(test) = &mut examples {
        std::mem::swap(&mut test.only_first, &mut test.only_second);
    }
    let verdict = match found.verdict {
        Verdict::FirstIsBetter => Verdict::SecondIsBetter,
        Verdict::SecondIsBetter => Verdict::FirstIsBetter,
        verdict => verdict,
    };
    Difference {
        first: found.second,
        second: found.first,
        error,
        examples,
        verdict,
        ..found
    }
}

impl Line {
    fn of(measure: Measure, found: &Difference) -> Self {
        let nothing = || "–".to_string();
        let points = |error: f64| measure.difference(error);
        let examples = found.examples.map(|test| {
            let p = probability(test.p);
            format!("{} : {}, {p}", test.only_first, test.only_second)
        });
        Self {
            pair: format!("{} − {}", found.first, found.second),
            difference: found.error.map_or_else(nothing, |error| points(error.mean)),
            interval: found.error.map_or_else(nothing, |error| {
                format!("{} to {}", points(error.low), points(error.high))
            }),
            examples: examples.unwrap_or_else(nothing),
            verdict: measure.verdict(found),
        }
    }

    fn cells(self) -> Vec<String> {
        vec![
            self.pair,
            self.difference,
            self.interval,
            self.examples,
            self.verdict,
        ]
    }
}

fn probability(p: f64) -> String {
    match p {
        ..0.001 => "p < 0.001".to_string(),
        p => format!("p = {p:.3}"),
    }
}

/// Returns the head and the rows of the table of differences; `None` if there is nothing to show.
pub fn rows(results: &Results) -> Option<(Vec<String>, Vec<Vec<String>>)> {
    let (found, _) = shown(results);
    let lines = found.iter().filter(|found| !found.seeds.is_empty());
    let measure = results.measure();
    let lines = lines.map(|found| Line::of(measure, found).cells());
    let lines: Vec<Vec<String>> = lines.collect();
    let (name, unit) = match measure {
        Measure::Share => ("errors", "points"),
        Measure::Labels => ("label errors", "points"),
        Measure::Distance => ("mean errors", "difference"),
    };
    let head = [
        format!("difference of the {} {name}", results.judge()),
        unit.to_string(),
        "95 %".to_string(),
        "right only in one".to_string(),
        "verdict".to_string(),
    ];
    (!lines.is_empty()).then(|| (head.to_vec(), lines))
}

/// Returns the table as text, or the reason why there is none.
pub fn text(results: &Results) -> String {
    let n_arms = results.comparison().arms().len();
    if n_arms < 2 {
        return String::new();
    }
    let (found, best) = shown(results);
    let most = found
        .iter()
        .map(|found| found.seeds.len())
        .max()
        .unwrap_or(0);
    if most < FEWEST_SEEDS {
        return format!(
            "\n\nno verdict: that takes {FEWEST_SEEDS} finished seeds at least; --resume with --seeds {FEWEST_SEEDS} trains what is missing"
        );
    }
    let table = rows(results).map_or(String::new(), |(head, lines)| columns_of(&head, &lines));
    let n_pairs = n_arms * (n_arms - 1) / 2;
    let note = best.map_or(String::new(), |best| {
        format!("\n{best} has the lowest mean; differences.csv has all {n_pairs} pairs, and the verdicts allow for so many")
    });
    format!("\n\n{table}{note}")
}

/// Writes every pair as a line of CSV.
///
/// # Errors
/// Never in practice: the text is written to memory.
pub fn csv(results: &Results) -> Result<Vec<u8>> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    writer.write_record([
        "first",
        "second",
        "judged_by",
        "seeds",
        "difference",
        "low",
        "high",
        "p_seeds",
        "right_only_first",
        "right_only_second",
        "p_examples",
        "p",
        "p_all_pairs",
        "verdict",
        "better",
    ])?;
    for found in results.comparison().differences() {
        let number = |value: Option<f64>| value.map_or(String::new(), |value| value.to_string());
        let count = |value: Option<usize>| value.map_or(String::new(), |value| value.to_string());
        let better = found.better().map_or("", |[better, _]| better).to_string();
        let verdict = serde_json::to_value(found.verdict).context("a word")?;
        let (error, examples) = (found.error, found.examples);
        writer.write_record([
            found.first.clone(),
            found.second.clone(),
            results.judge().to_string(),
            found.seeds.len().to_string(),
            number(error.map(|error| error.mean)),
            number(error.map(|error| error.low)),
            number(error.map(|error| error.high)),
            number(error.map(|error| error.p)),
            count(examples.map(|test| test.only_first)),
            count(examples.map(|test| test.only_second)),
            number(examples.map(|test| test.p)),
            number(found.p.map(|[alone, _]| alone)),
            number(found.p.map(|[_, together]| together)),
            verdict.as_str().unwrap_or_default().to_string(),
            better,
        ])?;
    }
    writer
        .into_inner()
        .context("a table in memory can always be written")
}

/// Returns sentences for the head of the report: the verdicts that name a better arm.
pub fn sentences(results: &Results) -> Vec<String> {
    let (found, _) = shown(results);
    let measure = results.measure();
    let error = |found: &Difference| {
        found.error.map_or(String::new(), |error| {
            let [low, high] = [error.low.abs(), error.high.abs()];
            let (least, most) = (low.min(high), low.max(high));
            let number = |error: f64| match measure {
                Measure::Share | Measure::Labels => format!("{:.2}", 100.0 * error),
                Measure::Distance => quantity(error),
            };
            let points = match measure {
                Measure::Share | Measure::Labels => " points",
                Measure::Distance => "",
            };
            let (mean, n) = (number(error.mean.abs()), error.n);
            let (least, most) = (number(least), number(most));
            format!(" by {mean}{points} ({least} to {most}, {n} seeds)")
        })
    };
    let claims = found.iter().filter(|found| found.better().is_some());
    claims
        .map(|found| format!("{}{}.", measure.verdict(found), error(found)))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_that_is_turned_around_says_the_same() {
        let found = Difference {
            first: "one".into(),
            second: "other".into(),
            seeds: vec![0, 1, 2],
            error: PairedDifference::of(&[-0.2, -0.18, -0.19], 0.0, 0.95),
            examples: None,
            p: None,
            verdict: Verdict::FirstIsBetter,
            seeds_needed: None,
        };
        let other = turned(found.clone());
        assert_eq!([&other.first, &other.second], [&found.second, &found.first]);
        assert_eq!(other.better(), found.better());
        let [error, turned_error] =
            [found, other.clone()].map(|found| found.error.expect("of three"));
        assert!(error.mean < 0.0 && turned_error.mean == -error.mean);
        assert_eq!(
            [turned_error.low, turned_error.high],
            [-error.high, -error.low]
        );
        assert!(turned_error.low < turned_error.high);
    }
}
