//! The agent that lists for all, writes down what they did, and ends the run. It may be taken over at any moment:
//! what it knows and others need is in the pages, in the results and in how far the listing is.

use std::{sync::Arc, time::Duration};

use tokio::time::{Instant, sleep};

use super::{
    Shared,
    folders::Folders,
    merge::{Figures, merge, totals},
    page::{Draft, Results},
    patiently,
};
use crate::{
    error::{Code, Error},
    run::{Context, Event, State, Summary, lister::Lister},
    share::{Lead, Span},
    sink::{OpenSink, Sink},
    source::OpenSource,
    sync::lock,
};

/// How often is looked whether all pages are done.
const LOOK: Duration = Duration::from_millis(200);
/// Results that are written down shared: one look at the file for some thousand objects.
const MERGED: usize = 16;

pub(in crate::run) struct Leader<So: OpenSource, Si: OpenSink> {
    context: Arc<Context>,
    shared: Arc<Shared>,
    sources: Arc<So>,
    sinks: Arc<Si>,
    begin: Instant,
    /// So many results are written down.
    merged: u64,
    figures: Figures,
}

/// Why this agent lists no longer: it's over, or another one does. None: the run is stopped.
type Left = Option<Error>;

// === impl Leader ===

impl<So: OpenSource, Si: OpenSink> Leader<So, Si> {
    pub(in crate::run) fn new(context: Arc<Context>, shared: Arc<Shared>, sources: Arc<So>, sinks: Arc<Si>) -> Self {
        Self { context, shared, sources, sinks, begin: Instant::now(), merged: 0, figures: Figures::default() }
    }

    pub(in crate::run) async fn run(mut self) {
        let stop = self.context.terms.stop.clone();
        let _ = stop.or(self.lead()).await;
    }

    async fn lead(&mut self) {
        loop {
            let share = Arc::clone(&self.shared.share);
            let lead = match patiently(&self.context, || share.lead()).await {
                None | Some(Ok(None)) => return,
                Some(Ok(Some(lead))) => lead,
                Some(Err(error)) => return self.context.stop_for(error),
            };
            match self.whole(lead).await {
                Ok(()) | Err(None) => return,
                Err(Some(error)) if error.code == Code::IN_USE => {
                    tracing::warn!("another agent lists by now; this one goes on moving");
                }
                Err(Some(error)) => return self.context.stop_for(error),
            }
        }
    }

    /// The run from where it is to its end.
    async fn whole(&mut self, lead: Lead) -> Result<(), Left> {
        let puts_directories = self.context.terms.sink.has("directories");
        let place = self.context.book.as_ref().map(|book| book.place().to_owned()).unwrap_or_default();
        let folders = puts_directories.then(|| Arc::new(Folders::new(&place)));
        self.merge().await?;
        let resumes = lead.last.as_ref().filter(|last| last.until.is_some()).cloned();
        if lead.last.is_some() && resumes.is_none() && (!lead.listed || puts_directories) {
            // Of a tree nobody knows how far it was listed: that's found out from what is done.
            self.drain().await?;
            self.shared.share.skip_last().await;
        }
        if !lead.listed || resumes.is_none() && puts_directories || lead.last.is_none() {
            self.list(resumes.as_ref(), folders.as_ref()).await?;
        }
        let share = Arc::clone(&self.shared.share);
        self.ask(|| share.listed()).await?;
        self.drain().await?;
        self.put_folders(folders.as_deref()).await?;
        self.sweep().await;
        let failure = lock(&self.context.fatal).clone();
        let state = failure.map_or(State::Finished, State::Failed);
        let Some(book) = &self.context.book else { return Ok(()) };
        let mut summary = totals(book, &self.figures, state).map_err(Some)?;
        summary.seconds = self.begin.elapsed().as_secs_f64();
        let ending = summary.to_ending();
        self.ask(|| share.end(ending.clone())).await?;
        *lock(&self.shared.totals) = Some(summary);
        Ok(())
    }

    async fn ask<T, F>(&self, ask: impl FnMut() -> F) -> Result<T, Left>
    where
        F: Future<Output = Result<T, Error>>,
    {
        patiently(&self.context, ask).await.ok_or(None)?.map_err(Some)
    }

    async fn list(&self, from: Option<&Span>, folders: Option<&Arc<Folders>>) -> Result<(), Left> {
        // What others did has to be found when it's listed again.
        self.context.book.as_ref().map_or(Ok(()), |book| book.flush()).map_err(Some)?;
        let ordered = self.context.source.has("ordered-listing");
        let draft = Draft::new(ordered, from);
        let lister = Lister::new(Arc::clone(&self.context), Arc::clone(&self.sources), Arc::clone(&self.sinks));
        let listed = lister.into_pages(Arc::clone(&self.shared), draft, folders.cloned()).await;
        if self.context.is_stopped() { Err(None) } else { listed.map_err(Some) }
    }

    /// Waits until everybody is done with everything that was offered, and has told so.
    async fn drain(&mut self) -> Result<(), Left> {
        let share = Arc::clone(&self.shared.share);
        loop {
            let outstanding = self.ask(|| share.outstanding()).await?;
            // Results are told before a page is done.
            self.merge().await?;
            if outstanding == 0 {
                return Ok(());
            }
            sleep(LOOK).await;
        }
    }

    async fn merge(&mut self) -> Result<(), Left> {
        let context = Arc::clone(&self.context);
        let share = Arc::clone(&self.shared.share);
        let Some(book) = &context.book else { return Ok(()) };
        loop {
            let mut told = Vec::new();
            while told.len() < MERGED {
                let number = self.merged + 1;
                let Some(bytes) = self.ask(|| share.result(number)).await? else { break };
                self.merged = number;
                told.push(Results::parse(&bytes).map_err(Some)?);
            }
            if told.is_empty() {
                return Ok(());
            }
            merge(book, told, &mut self.figures).map_err(Some)?;
        }
    }

    /// Directories' own attributes, the deepest first, each depth when those below are done.
    async fn put_folders(&mut self, folders: Option<&Folders>) -> Result<(), Left> {
        let Some(folders) = folders else { return Ok(()) };
        let moved = self.context.book.as_ref().map(|book| book.has_moved()).transpose().map_err(Some)?;
        let share = Arc::clone(&self.shared.share);
        while let Some(mut depth) = folders.take_deepest().map_err(Some)? {
            while let Some(page) = depth.next_page(moved.unwrap_or(true)).map_err(Some)? {
                let (bytes, span) = (page.to_bytes().map_err(Some)?, Span::default());
                self.ask(|| share.offer(bytes.clone(), &span)).await?;
            }
            self.drain().await?;
        }
        Ok(())
    }

    /// Removes what agents that died left at the sink, now that nobody writes there.
    async fn sweep(&self) {
        if !self.figures.again {
            return;
        }
        let keep = self.context.book.as_ref().map(|book| book.open_tokens()).unwrap_or_default();
        let swept = async { self.sinks.open_sink().await?.sweep(&keep).await };
        match swept.await {
            Ok(removed) => self.context.tell(Event::Swept { removed }),
            Err(error) => tracing::warn!(%error, "what another agent left at the sink can't be removed"),
        }
    }
}

// === impl Summary ===

impl Summary {
    /// How a run ended, for the agents that didn't end it.
    fn to_ending(&self) -> String {
        let Self { listed, moved, skipped, failed, repaired, bytes_moved, retries, .. } = self;
        let failure = match &self.state {
            State::Failed(error) => Some(error.message.as_str()),
            State::Finished | State::Interrupted => None,
        };
        serde_json::json!({
            "objects": {"listed": listed, "moved": moved, "skipped": skipped, "failed": failed, "repaired": repaired},
            "bytes": {"moved": bytes_moved},
            "retries": retries,
            "failure": failure,
        })
        .to_string()
    }

    /// Why the run couldn't be whole, if that's how it ended.
    pub(super) fn failure_of(ending: &str) -> Option<Error> {
        let ending: serde_json::Value = serde_json::from_str(ending).ok()?;
        let message = ending["failure"].as_str()?;
        Some(Error::new(Code::INTERNAL, "list", format!("the agent that listed couldn't: {message}")))
    }
}
