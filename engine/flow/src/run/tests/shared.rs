//! Two agents and one run: the one that lists is taken over in the middle of its listing, before or after its page
//! was offered. Each object is moved once, and what the other one ends is whole.

use std::collections::{BTreeSet, HashMap, VecDeque};

use async_trait::async_trait;
use tempfile::TempDir;

use super::*;
use crate::{
    journal::Identity,
    share::{Lead, Span, Taken},
};

/// What the agents share, and what happens to the first.
#[derive(Default)]
struct Board {
    waiting: VecDeque<(u64, Vec<u8>)>,
    taken: HashMap<u64, Vec<u8>>,
    offered: BTreeSet<u64>,
    results: Vec<Vec<u8>>,
    lister: Option<usize>,
    last: Option<Span>,
    page: u64,
    listed: bool,
    ended: Option<String>,
    /// Lists no more once this page is to be offered.
    lost: Option<Lost>,
}

/// When the first agent is taken over.
#[derive(Debug, Clone, Copy)]
struct Lost {
    page: u64,
    /// Its page is offered all the same.
    is_offered: bool,
}

struct Agent {
    number: usize,
    board: Arc<Mutex<Board>>,
    next: Mutex<u64>,
}

fn taken_over() -> Error {
    Error::new(Code::IN_USE, "share", "another agent lists")
}

impl Agent {
    fn check(&self) -> Result<(), Error> {
        if lock(&self.board).lister == Some(self.number) { Ok(()) } else { Err(taken_over()) }
    }
}

#[async_trait]
impl Share for Agent {
    async fn take(&self) -> Result<Taken, Error> {
        {
            let mut board = lock(&self.board);
            if let Some(ending) = &board.ended {
                return Ok(Taken::Over(ending.clone()));
            }
            if let Some((number, page)) = board.waiting.pop_front() {
                board.taken.insert(number, page.clone());
                return Ok(Taken::Page { number, again: false, page });
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
        Ok(Taken::Nothing)
    }

    async fn done(&self, page: u64, results: Vec<u8>) -> Result<(), Error> {
        let mut board = lock(&self.board);
        board.results.push(results);
        board.taken.remove(&page);
        Ok(())
    }

    async fn give_back(&self, page: u64, results: Vec<u8>) -> Result<(), Error> {
        let mut board = lock(&self.board);
        board.results.push(results);
        let bytes = board.taken.remove(&page).expect("it was taken");
        board.waiting.push_back((page, bytes));
        Ok(())
    }

    async fn lead(&self) -> Result<Option<Lead>, Error> {
        loop {
            {
                let mut board = lock(&self.board);
                if board.ended.is_some() {
                    return Ok(None);
                }
                // The first one lists first, and once.
                let is_turn = (self.number == 0) == (board.page == 0 && board.lost.is_some());
                if board.lister.is_none() && is_turn {
                    board.lister = Some(self.number);
                    let again = if board.listed { board.page + 1 } else { board.page };
                    *lock(&self.next) = again.max(1);
                    return Ok(Some(Lead { last: board.last.clone(), listed: board.listed }));
                }
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    async fn offer(&self, page: Vec<u8>, span: &Span) -> Result<(), Error> {
        self.check()?;
        let number = *lock(&self.next);
        let mut board = lock(&self.board);
        (board.page, board.last) = (number, Some(span.clone()));
        let lost = board.lost.filter(|lost| lost.page == number);
        if lost.is_none_or(|lost| lost.is_offered) && board.offered.insert(number) {
            board.waiting.push_back((number, page));
        }
        if lost.is_some() {
            (board.lister, board.lost) = (None, None);
            return Err(taken_over());
        }
        drop(board);
        *lock(&self.next) = number + 1;
        Ok(())
    }

    async fn skip_last(&self) {
        *lock(&self.next) = lock(&self.board).page + 1;
    }

    async fn listed(&self) -> Result<(), Error> {
        self.check()?;
        lock(&self.board).listed = true;
        Ok(())
    }

    async fn result(&self, number: u64) -> Result<Option<Vec<u8>>, Error> {
        let index = usize::try_from(number - 1).expect("few");
        Ok(lock(&self.board).results.get(index).cloned())
    }

    async fn outstanding(&self) -> Result<u64, Error> {
        let board = lock(&self.board);
        Ok((board.waiting.len() + board.taken.len()) as u64)
    }

    async fn end(&self, ending: String) -> Result<(), Error> {
        self.check()?;
        lock(&self.board).ended = Some(ending);
        Ok(())
    }
}

/// Runs both to their end: what each told, and what the second found that all did.
async fn both(source: MemorySource, sink: MemorySink, lost: Lost) -> (Vec<String>, Summary, Arc<Mutex<Board>>) {
    let (source, sink) = (Arc::new(source), Arc::new(sink));
    let board = Arc::new(Mutex::new(Board { lost: Some(lost), ..Board::default() }));
    let folders = [TempDir::new().expect("a folder"), TempDir::new().expect("a folder")];
    let stages: Vec<Stage> = folders
        .iter()
        .map(|folder| {
            let mut stage = Stage::new(MemorySource::new(&SOURCE), MemorySink::new(&SINK));
            (stage.source, stage.sink) = (Arc::clone(&source), Arc::clone(&sink));
            let identity = Identity { source: "a".into(), sink: "b".into(), selection: "all".into() };
            let journal = Journal::open(&folder.path().join("journal.sqlite"), &identity).expect("it opens");
            stage.job.journal = Some(Arc::new(journal));
            stage
        })
        .collect();
    let run = |number: usize| {
        let agent = Agent { number, board: Arc::clone(&board), next: Mutex::new(1) };
        let (source, sink) = (Arc::new(Arc::clone(&source)), Arc::new(Arc::clone(&sink)));
        run_shared(stages[number].job.clone(), Arc::new(agent), source, sink, &Here)
    };
    let ends = LocalSet::new().run_until(async { tokio::join!(run(0), run(1)) }).await;
    let ((first, none), (second, totals)) = ends;
    assert_eq!((&first.state, &second.state), (&State::Finished, &State::Finished));
    assert!(none.is_none(), "it was taken over");
    let totals = totals.expect("the second one ends the run");
    assert_eq!(first.moved + second.moved, totals.moved);
    let mut told: Vec<String> = stages.iter().flat_map(Stage::told).filter(|line| line.starts_with("moved")).collect();
    told.sort();
    stages[0].assert_identical();
    let run = stages[1].job.journal.as_ref().expect("a journal").reader().expect("it reads").last_run();
    let run = run.expect("it reads").expect("a run");
    assert_eq!((run.listed, run.moved, run.bytes_moved), (totals.listed, totals.moved, totals.bytes_moved));
    (told, totals, board)
}

fn assert_each_once(told: &[String], totals: &Summary, objects: u64) {
    let keys: BTreeSet<_> = told.iter().collect();
    assert_eq!((told.len() as u64, keys.len() as u64), (objects, objects), "each is moved once");
    assert_eq!((totals.listed, totals.moved, totals.skipped, totals.failed), (objects, objects, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_flat_listing_goes_on_behind_the_last_page() {
    for is_offered in [false, true] {
        let source = MemorySource::new(&["range-read", "ordered-listing"]);
        (0..1000).for_each(|number| source.file(&format!("f{number:04}"), 10));
        let lost = Lost { page: 2, is_offered };
        let (told, totals, board) = both(source, MemorySink::new(&SINK), lost).await;
        assert_each_once(&told, &totals, 1000);
        let board = lock(&board);
        assert_eq!(board.offered, BTreeSet::from([1, 2, 3, 4]), "nothing was listed twice");
    }
}

#[tokio::test(start_paused = true)]
async fn a_tree_is_listed_anew_once_everything_offered_is_done() {
    for is_offered in [false, true] {
        let source = MemorySource::new(&SOURCE);
        for folder in ["a", "b", "b/c"] {
            source.folder(folder);
            (0..250).for_each(|number| source.file(&format!("{folder}/f{number:04}"), 10));
        }
        source.folder("empty");
        let lost = Lost { page: 2, is_offered };
        let (told, totals, _) = both(source, MemorySink::new(&SINK), lost).await;
        assert_each_once(&told, &totals, 751);
    }
}
