//! Whoever may do nothing is told so with the code that says what to do.

use culvert_flow::error::Code;

use super::case;
use crate::{
    bench::Bench,
    case::{Case, Fault, Need, Outcome, ensure, passed},
    subject::Subject,
};

pub(super) fn cases<S: Subject>() -> Vec<Case<S>> {
    vec![case!(
        "denied",
        "with wrong credentials, the check of each end fails with unauthenticated or permission-denied",
        [Need::Denied],
        denied
    )]
}

async fn denied<S: Subject>(bench: &Bench<'_, S>) -> Outcome {
    let answers = bench.subject.check_denied().await;
    ensure!(!answers.is_empty(), "expected an end in the file of --denied, got none");
    for answer in answers {
        match answer {
            Err(error) if [Code::UNAUTHENTICATED, Code::PERMISSION_DENIED].contains(&error.code) => {
                ensure!(!error.message.is_empty(), "expected a message that says what to do, got none");
            }
            Err(error) => {
                let message = format!("expected unauthenticated or permission-denied, got: {error}");
                return Err(Fault::Failed(message));
            }
            Ok(()) => {
                return Err(Fault::Failed("expected unauthenticated or permission-denied, got success".to_owned()));
            }
        }
    }
    passed()
}
