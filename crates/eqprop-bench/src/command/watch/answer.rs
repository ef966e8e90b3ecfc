//! Answers the questions of the page.

use anyhow::Result;
use serde_json::Value;

use super::question::{Asked, Question};
use super::watched::Watched;
use super::{course, live};

/// Answers a question. The page may no longer be there.
pub fn answer(question: Question, watched: &mut Watched) {
    let answer = find(question.asked, watched);
    let answer = answer.map_err(|error| format!("{error:#}"));
    let _ = question.reply.send(answer);
}

fn find(asked: Asked, watched: &mut Watched) -> Result<Value> {
    watched.refresh();
    match asked {
        Asked::Network => Ok(watched.describe()),
        Asked::Examples { from } => watched.examples(from),
        Asked::Drawing { png } => watched.drawing(&png),
        Asked::Relaxation(relax) => course::follow(watched, &relax),
        Asked::Training => live::training(watched),
    }
}
