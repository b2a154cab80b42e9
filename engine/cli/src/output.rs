//! What a command shows: plain lines, JSON lines or a live display. Decides nothing, and a closed
//! pipe at the other end stops no run.

mod json;
mod live;
mod text;

pub(crate) use self::text::one_line;

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal, Stdout, Write},
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use culvert_flow::{
    meter::Meter,
    rules::Limits,
    run::{Event, Plan, Summary},
    tunnel::Tunnel,
};

use serde_json::Value;

use crate::exit::Failure;

/// How often a pipe gets a line about progress.
const PLAIN_PROGRESS: Duration = Duration::from_secs(10);

/// What is known of a run before it begins.
pub(crate) struct Run {
    pub(crate) id: String,
    pub(crate) pipeline: String,
    /// From 1.
    pub(crate) round: u32,
    pub(crate) limits: Limits,
}

/// Shows one run, from any thread.
pub(crate) struct Output {
    run: Run,
    meter: Arc<Meter>,
    tunnel: Tunnel,
    /// Whether every object gets a line.
    objects: bool,
    form: Form,
    standard: Mutex<BufWriter<Stdout>>,
    spoken: Mutex<Instant>,
}

enum Form {
    Json,
    Plain,
    Live(live::Display),
}

// === impl Output ===

impl Output {
    pub(crate) fn new(run: Run, meter: Arc<Meter>, tunnel: Tunnel, json: bool, objects: bool) -> Self {
        let form = if json {
            Form::Json
        } else if io::stderr().is_terminal() && io::stdout().is_terminal() {
            Form::Live(live::Display::new())
        } else {
            Form::Plain
        };
        let standard = Mutex::new(BufWriter::new(io::stdout()));
        Self { run, meter, tunnel, objects, form, standard, spoken: Mutex::new(Instant::now()) }
    }

    pub(crate) fn meter(&self) -> &Arc<Meter> {
        &self.meter
    }

    pub(crate) fn run_id(&self) -> &str {
        &self.run.id
    }

    pub(crate) fn tunnel(&self) -> &Tunnel {
        &self.tunnel
    }

    /// Called from the workers' threads.
    pub(crate) fn event(&self, event: &Event) {
        match &self.form {
            Form::Json => {
                if let Some(event) = json::event(&self.run, event) {
                    self.write(&event.to_string());
                }
            }
            Form::Plain => {
                if let Some(line) = text::event(&self.run, event, self.objects) {
                    self.write(&line);
                }
            }
            Form::Live(display) => {
                if let Some(line) = text::event(&self.run, event, self.objects) {
                    display.print(&printable(&line));
                }
            }
        }
    }

    /// Called ten times a second by the thread that waits for the run.
    pub(crate) fn tick(&self) {
        match &self.form {
            Form::Json => {}
            Form::Live(display) => return display.draw(&self.meter, &self.tunnel, self.run.limits),
            Form::Plain => {
                let mut spoken = self.spoken.lock().unwrap_or_else(PoisonError::into_inner);
                if spoken.elapsed() >= PLAIN_PROGRESS {
                    *spoken = Instant::now();
                    self.write(&text::progress(&self.meter));
                }
            }
        }
        self.flush();
    }

    /// `fleet`: what all machines did, of a run that several share.
    pub(crate) fn summary(&self, summary: &Summary, fleet: Option<&Value>) {
        if let Form::Live(display) = &self.form {
            display.clear();
        }
        match self.form {
            Form::Json => {
                let mut line = json::summary(&self.run, summary);
                if let Some(fleet) = fleet {
                    line["fleet"] = fleet.clone();
                }
                self.write(&line.to_string());
            }
            Form::Plain | Form::Live(_) => {
                self.write(&text::summary(&self.run, summary));
                if let Some(fleet) = fleet {
                    self.write(&text::fleet(fleet));
                }
            }
        }
        self.flush();
    }

    pub(crate) fn plan(&self, plan: &Plan) {
        match self.form {
            Form::Json => self.write(&json::plan(&self.run, plan).to_string()),
            Form::Plain | Form::Live(_) => self.write(&text::plan(plan)),
        }
        self.flush();
    }

    fn write(&self, line: &str) {
        let mut standard = self.standard.lock().unwrap_or_else(PoisonError::into_inner);
        // Whoever closed the pipe doesn't want to know.
        let _ = writeln!(standard, "{}", printable(line));
    }

    fn flush(&self) {
        let _ = self.standard.lock().unwrap_or_else(PoisonError::into_inner).flush();
    }
}

/// One line on standard output.
pub(crate) fn line(line: &str) {
    let _ = writeln!(io::stdout(), "{}", printable(line));
}

/// Why a command ended, on standard error.
pub(crate) fn error(failure: &Failure) {
    let _ = writeln!(io::stderr(), "error: {}", printable(&failure.to_string()));
}

/// Names and messages come from stores and guests: none of them may steer the terminal.
fn printable(text: &str) -> Cow<'_, str> {
    let steers = |character: char| character.is_control() && !matches!(character, '\n' | '\t');
    if !text.contains(steers) {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        // In JSON's own way, so that a line of JSON stays one.
        if steers(character) {
            plain.push_str(&format!("\\u{:04x}", u32::from(character)));
        } else {
            plain.push(character);
        }
    }
    Cow::Owned(plain)
}
