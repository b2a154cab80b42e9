//! The screen of `engine top`. Knows nothing of what is on it.

use std::time::Duration;

use ratatui::{
    Frame,
    crossterm::event::{self, Event, KeyCode, KeyModifiers},
    layout::{Constraint, Layout},
    style::Stylize,
    widgets::{Block, Row, Table},
};

use super::Part;
use crate::{exit::Failure, output::one_line};

/// How often it's looked again.
const LOOK: Duration = Duration::from_millis(500);
/// A table's heading and frame.
const AROUND: usize = 3;

/// Draws what `look` finds until q, Esc or Ctrl-C. What can't be read stays as it was, and is told below.
///
/// # Errors
/// The terminal can't be used.
pub(super) fn watch(look: impl Fn() -> Result<Vec<Part>, Failure>) -> Result<(), Failure> {
    let mut parts = look()?;
    let mut problem = None;
    let mut terminal = ratatui::try_init().map_err(Failure::could_not_go_on)?;
    let watched = loop {
        if let Err(error) = terminal.draw(|frame| draw(frame, &parts, problem.as_deref())) {
            break Err(error);
        }
        match is_over() {
            Ok(true) => break Ok(()),
            Ok(false) => {}
            Err(error) => break Err(error),
        }
        match look() {
            Ok(found) => (parts, problem) = (found, None),
            Err(failure) => problem = Some(one_line(&failure.to_string())),
        }
    };
    ratatui::restore();
    watched.map_err(Failure::could_not_go_on)
}

/// Waits for a key until it's time to look again.
fn is_over() -> std::io::Result<bool> {
    if !event::poll(LOOK)? {
        return Ok(false);
    }
    let Event::Key(key) = event::read()? else { return Ok(false) };
    let is_interrupt = key.code == KeyCode::Char('c') && key.modifiers.contains(KeyModifiers::CONTROL);
    Ok(is_interrupt || matches!(key.code, KeyCode::Char('q') | KeyCode::Esc))
}

fn draw(frame: &mut Frame<'_>, parts: &[Part], problem: Option<&str>) {
    let height = |part: &Part| u16::try_from(part.rows.len() + AROUND).unwrap_or(u16::MAX);
    let heights = parts.iter().map(|part| Constraint::Max(height(part)));
    let areas = Layout::vertical(heights.chain([Constraint::Min(1)])).split(frame.area());
    for (part, area) in parts.iter().zip(areas.iter()) {
        let columns = part.headings.iter().map(|_| Constraint::Fill(1));
        let rows = part.rows.iter().map(|row| Row::new(row.iter().map(|cell| one_line(cell))));
        let table = Table::new(rows, columns).header(Row::new(part.headings.clone()).bold());
        frame.render_widget(table.block(Block::bordered().title(part.name)), *area);
    }
    if let Some(area) = areas.last() {
        frame.render_widget(problem.unwrap_or("q ends"), *area);
    }
}
