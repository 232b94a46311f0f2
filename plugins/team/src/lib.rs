//! Plugin `team`: small agents that divide work, work it out, review, vote, and keep a ledger.
//!
//! Their subject is arithmetic, where everybody can see who is right. What they do is a function of their arguments,
//! but for the ledger, which writes to a granted folder.

mod answers;
mod arithmetic;
mod bindings;
mod ledger;

use arithmetic::{Binding, Problem};
use bindings::exports::flowhost::team::{junior, ledger as ledger_api, planner, reviewer, senior, voter, writer};
use bindings::flowhost::plugin::failure::{Failure, FailureKind};

struct Plugin;

impl junior::Guest for Plugin {
    fn work(task: String) -> Result<String, Failure> {
        if task.contains(['*', '/', '(']) {
            return Err(failure(FailureKind::Logic, format!("`{task}` is more than a sum")));
        }
        solve(&task, Binding::Usual)
    }
}

impl senior::Guest for Plugin {
    fn work(task: String) -> Result<String, Failure> {
        solve(&task, Binding::Usual)
    }
}

impl reviewer::Guest for Plugin {
    fn review(task: String, answer: String) -> reviewer::Verdict {
        let notes = answers::notes(&task, &answer);
        reviewer::Verdict { approved: notes.is_empty(), notes }
    }
}

impl planner::Guest for Plugin {
    fn divide(task: String) -> Vec<String> {
        task.split(';').map(str::trim).filter(|part| !part.is_empty()).map(str::to_owned).collect()
    }

    fn combine(a: String, b: String) -> String {
        let number = |text: &str| text.trim().parse::<i64>().unwrap_or(0);
        number(&a).saturating_add(number(&b)).to_string()
    }
}

impl voter::Guest for Plugin {
    fn vote(task: String, seat: u32) -> Result<String, Failure> {
        solve(&task, if seat % 3 == 2 { Binding::Flat } else { Binding::Usual })
    }
}

impl writer::Guest for Plugin {
    fn draft(task: String) -> String {
        arithmetic::numbers(&task).fold(0_i64, i64::saturating_add).to_string()
    }

    fn revise(answer: String, notes: String) -> String {
        answers::revise(&answer, &notes)
    }
}

impl ledger_api::Guest for Plugin {
    fn reserve(folder: String, item: String) -> Result<String, Failure> {
        if item.starts_with("rare") {
            return Err(failure(FailureKind::Resource, format!("there is no `{item}` left")));
        }
        ledger::write(&folder, '+', &item).map_err(|reason| failure(FailureKind::Permission, reason))?;
        Ok(format!("receipt for {item}"))
    }

    fn release(folder: String, receipt: String) -> Result<String, Failure> {
        let Some(item) = receipt.strip_prefix("receipt for ") else {
            return Err(failure(FailureKind::InvalidInput, format!("`{receipt}` is no receipt")));
        };
        ledger::write(&folder, '-', item).map_err(|reason| failure(FailureKind::Permission, reason))?;
        Ok(item.to_owned())
    }
}

fn solve(task: &str, binding: Binding) -> Result<String, Failure> {
    arithmetic::value(task, binding).map(|value| value.to_string()).map_err(|problem| {
        let kind = match problem {
            Problem::Unreadable(_) | Problem::TooDeep => FailureKind::InvalidInput,
            Problem::ByZero | Problem::Remainder(..) | Problem::Overflow => FailureKind::Calculation,
        };
        failure(kind, format!("`{task}`: {problem}"))
    })
}

const fn failure(kind: FailureKind, message: String) -> Failure {
    Failure { kind, message, details: None, retry_after: None }
}

#[cfg(test)]
mod tests {
    use super::bindings::exports::flowhost::team::{junior, ledger, planner, reviewer, senior, voter, writer};
    use super::{FailureKind, Plugin};

    #[test]
    fn a_junior_leaves_what_is_hard_to_the_senior() {
        assert_eq!(<Plugin as junior::Guest>::work("1 + 2".into()), Ok("3".into()));
        let refused = <Plugin as junior::Guest>::work("1 + 2 * 3".into()).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Logic);
        assert_eq!(<Plugin as senior::Guest>::work("1 + 2 * 3".into()), Ok("7".into()));
        assert_eq!(<Plugin as senior::Guest>::work("1 / 0".into()).unwrap_err().kind, FailureKind::Calculation);
        assert_eq!(<Plugin as senior::Guest>::work("one".into()).unwrap_err().kind, FailureKind::InvalidInput);
    }

    #[test]
    fn a_draft_is_revised_until_it_is_approved() {
        let task = "12 * 34";
        let mut answer = <Plugin as writer::Guest>::draft(task.into());
        assert_eq!(answer, "46");
        for _ in 0..20 {
            let review = <Plugin as reviewer::Guest>::review(task.into(), answer.clone());
            if review.approved {
                break;
            }
            answer = <Plugin as writer::Guest>::revise(answer, review.notes);
        }
        assert_eq!(answer, "408");
    }

    #[test]
    fn voters_and_planners() {
        let votes: Vec<String> = (0..4).map(|seat| <Plugin as voter::Guest>::vote("1 + 2 * 3".into(), seat).unwrap()).collect();
        assert_eq!(votes, ["7", "7", "9", "7"]);
        assert_eq!(<Plugin as planner::Guest>::divide("1 + 1; ; 2".into()), ["1 + 1", "2"]);
        assert_eq!(<Plugin as planner::Guest>::combine("3".into(), "-5".into()), "-2");
    }

    #[test]
    fn the_ledger_says_what_cannot_be_had() {
        let refused = <Plugin as ledger::Guest>::reserve("/".into(), "rare stone".into()).unwrap_err();
        assert_eq!(refused.kind, FailureKind::Resource);
        let refused = <Plugin as ledger::Guest>::release("/".into(), "paper".into()).unwrap_err();
        assert_eq!(refused.kind, FailureKind::InvalidInput);
    }
}
