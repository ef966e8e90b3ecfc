//! Chooses the trial that goes on.

use super::sampler;
use super::search::Tuning;
use super::trial::{Measured, Trial};

/// One in this many goes on to the next rung.
const ONE_OF: usize = 3;
/// Number of full trainings that are repeated with other seeds before one of them is chosen.
pub const FINALISTS: usize = 3;

/// A job: a trial to be trained up to a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Job {
    /// The number of the trial.
    pub trial: usize,
    /// The rung.
    pub rung: usize,
}

impl Tuning {
    /// Returns the next job, with at most `most` trials; adds a trial when one is due. `None` when nothing is
    /// left to do, or no new trial can be found.
    pub fn next(&mut self, most: Option<usize>) -> Option<Job> {
        if let Some(job) = promotion(self) {
            return Some(job);
        }
        if most.is_some_and(|most| self.trials.len() >= most) {
            return None;
        }
        let trial = sampler::propose(self)?;
        self.trials.push(trial);
        Some(Job {
            trial: self.trials.len() - 1,
            rung: 0,
        })
    }

    /// Returns the next job needed to decide which trial is best, once no more trials are added.
    pub fn closing(&self) -> Option<Job> {
        closing(self)
    }
}

/// Returns a trial that is to go on, the furthest first: the first trial in any case, so that there is
/// something to compare with, and whatever is among the best third of its rung.
fn promotion(tuning: &Tuning) -> Option<Job> {
    let whole = tuning.plan.last_rung() - 1;
    let begun = tuning
        .trials
        .first()
        .filter(|first| first.failure.is_none());
    let reached = begun.map(|first| first.last().map_or(0, |measured| measured.rung + 1));
    if let Some(rung) = reached.filter(|rung| *rung <= whole) {
        return Some(Job { trial: 0, rung });
    }
    let unfinished = tuning
        .trials
        .iter()
        .rfind(|trial| trial.last().is_none() && trial.failure.is_none());
    if let Some(Trial { number, .. }) = unfinished {
        // The process that began it was stopped.
        return Some(Job {
            trial: *number,
            rung: 0,
        });
    }
    // Full trainings are repeated at the end.
    (0..whole).rev().find_map(|rung| {
        let at_rung = at(tuning, rung);
        let n_best = at_rung.len() / ONE_OF;
        // Later trials tend to be better: each would be among the best of those before it.
        let gone_on = at_rung.iter().filter(|trial| trial.at(rung + 1).is_some());
        match gone_on.count() < n_best {
            true => first_to_go_on(at_rung.iter().take(n_best).copied(), rung),
            false => None,
        }
    })
}

/// Returns the job that helps decide between the best, once no more trials are added.
fn closing(tuning: &Tuning) -> Option<Job> {
    let whole = tuning.plan.last_rung() - 1;
    if at(tuning, whole).iter().all(|trial| trial.number == 0) {
        // None has reached the last rung on its own.
        let mut rest = tuning.ranked().into_iter();
        let best = rest.find(|trial| trial.number > 0 && trial.failure.is_none());
        if let Some(best) = best {
            let rung = best.last().map_or(0, |measured| measured.rung + 1);
            return (rung <= whole).then_some(Job {
                trial: best.number,
                rung,
            });
        }
    }
    let finalists = at(tuning, whole).into_iter().take(FINALISTS);
    first_to_go_on(finalists, whole)
}

/// Returns the trials that reached `rung`, the best first.
fn at(tuning: &Tuning, rung: usize) -> Vec<&Trial> {
    let mut found: Vec<(&Trial, &Measured)> = tuning
        .trials
        .iter()
        .filter(|trial| trial.failure.is_none())
        .filter_map(|trial| Some((trial, trial.at(rung)?)))
        .collect();
    found.sort_by(|(a, at_a), (b, at_b)| tuning.rank(a, at_a).total_cmp(&tuning.rank(b, at_b)));
    found.into_iter().map(|(trial, _)| trial).collect()
}

/// Returns a job for the first of `trials`, all of which reached `rung`, that has not gone beyond it.
fn first_to_go_on<'a>(mut trials: impl Iterator<Item = &'a Trial>, rung: usize) -> Option<Job> {
    let found = trials.find(|trial| trial.at(rung + 1).is_none());
    found.map(|trial| Job {
        trial: trial.number,
        rung: rung + 1,
    })
}
