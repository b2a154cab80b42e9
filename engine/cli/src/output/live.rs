//! The display on a terminal: the whole run on one line, below it the objects in flight. Reads the
//! meter, never the run.

use std::sync::{Mutex, PoisonError, atomic::Ordering};

use culvert_flow::{meter::Meter, rules::Limits, tunnel::Tunnel};
use indicatif::{HumanBytes, MultiProgress, ProgressBar, ProgressStyle};

/// Objects in flight that are shown; more would scroll.
const MAX_SHOWN: usize = 8;

/// Bars on standard error.
pub(super) struct Display {
    bars: MultiProgress,
    whole: ProgressBar,
    objects: Mutex<Vec<ProgressBar>>,
}

// === impl Display ===

impl Display {
    pub(super) fn new() -> Self {
        let bars = MultiProgress::new();
        let whole = bars.add(ProgressBar::new(0));
        whole.set_style(style("{bar:30} {bytes}/{total_bytes} {binary_bytes_per_sec} eta {eta}  {msg}"));
        Self { bars, whole, objects: Mutex::default() }
    }

    /// A line above the bars.
    pub(super) fn print(&self, line: &str) {
        // Nothing to be done where the terminal is gone.
        let _ = self.bars.println(line);
    }

    pub(super) fn draw(&self, meter: &Meter, tunnel: &Tunnel, limits: Limits) {
        self.whole.set_length(meter.bytes_expected.get());
        self.whole.set_position(meter.bytes_moved.get() + meter.in_flight().map(|it| it.bytes_done).sum::<u64>());
        let more = if meter.listing_done.load(Ordering::Relaxed) { "" } else { "+" };
        let failed = match meter.failed.get() {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        let done = meter.moved.get() + meter.skipped.get();
        let usage = match limits.max_bandwidth {
            Some(limit) => format!("tunnel {}/s, {} waiting", HumanBytes(limit.0.get()), tunnel.usage().waiting),
            None => "tunnel without limit".to_owned(),
        };
        self.whole.set_message(format!("{done}/{}{more} objects{failed}; {usage}", meter.listed.get()));
        self.draw_objects(meter);
    }

    fn draw_objects(&self, meter: &Meter) {
        let mut bars = self.objects.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shown = 0;
        for object in meter.in_flight().take(MAX_SHOWN) {
            if bars.len() == shown {
                let bar = self.bars.add(ProgressBar::new(0));
                bar.set_style(style("  {bar:20} {bytes:>12}/{total_bytes:<12} {msg}"));
                bars.push(bar);
            }
            bars[shown].set_length(object.bytes_size);
            bars[shown].set_position(object.bytes_done);
            bars[shown].set_message(object.key.to_string());
            shown += 1;
        }
        for bar in bars.drain(shown..) {
            bar.finish_and_clear();
            self.bars.remove(&bar);
        }
    }

    /// Takes the bars off the screen for good: one that's dropped unfinished draws itself once more.
    pub(super) fn clear(&self) {
        for bar in self.objects.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            bar.finish_and_clear();
        }
        self.whole.finish_and_clear();
        let _ = self.bars.clear();
    }
}

/// The templates are ours; a broken one falls back to the plain bar.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
