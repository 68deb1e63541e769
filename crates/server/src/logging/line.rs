//! One line of the log, as text or as JSON. Whatever stands in it, it stays one line, and nothing in a
//! value passes for another member: control characters are escaped, and values are quoted.

use std::{
    error::Error,
    fmt::{self, Debug, Display, Write as _},
};

use castellan_issuer::audit::origin;
use tracing::{
    Event, Level,
    field::{Field, Visit},
};
use tracing_subscriber::fmt::{
    format::Writer,
    time::{FormatTime as _, SystemTime},
};

/// Bytes of one value at most.
const VALUE: usize = 16 * 1_024;
/// Causes of an error at most.
const CAUSES: usize = 8;
/// What a line begins with, in JSON. A field of one of these names gets an underscore.
const OWN: [&str; 4] = ["timestamp", "level", "target", "message"];

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Style {
    Plain,
    Coloured,
    Json,
}

/// A line that is being written.
pub(super) struct Line {
    style: Style,
    message: String,
    /// Everything behind the message.
    fields: String,
    names: Vec<&'static str>,
    /// Where the crate `log` says that it comes from.
    logged_by: Option<String>,
}

impl Line {
    /// The whole line about `event`, with its end.
    pub(super) fn of(event: &Event<'_>, style: Style) -> String {
        let mut line = Self {
            style,
            message: String::new(),
            fields: String::new(),
            names: Vec::new(),
            logged_by: None,
        };
        event.record(&mut line);
        origin::describe(|name, value| {
            if !line.names.contains(&name) {
                line.add(name, &value.to_string());
            }
        });
        line.close(*event.metadata().level(), event.metadata().target())
    }

    /// The whole line of a warning in JSON, whether warnings are logged or not.
    pub(super) fn warning(message: &str) -> String {
        let line = Self {
            style: Style::Json,
            message: message.to_owned(),
            fields: String::new(),
            names: Vec::new(),
            logged_by: None,
        };
        line.close(Level::WARN, env!("CARGO_CRATE_NAME"))
    }

    fn close(self, level: Level, target: &str) -> String {
        let mut time = String::with_capacity(32);
        // It writes to memory.
        let _ = SystemTime.format_time(&mut Writer::new(&mut time));
        let target = self.logged_by.as_deref().unwrap_or(target);
        let Self { message, fields, style, .. } = self;
        match style {
            Style::Json => {
                let (target, message) = (quoted(target), quoted(&message));
                format!(
                    "{{\"timestamp\":\"{time}\",\"level\":\"{level}\",\"target\":{target},\
                     \"message\":{message}{fields}}}\n"
                )
            }
            Style::Plain => {
                format!("{time} {level:>5} {}: {}{fields}\n", plain(target), plain(&message))
            }
            Style::Coloured => {
                let colour = match level {
                    Level::ERROR => 31,
                    Level::WARN => 33,
                    Level::INFO => 32,
                    Level::DEBUG => 34,
                    Level::TRACE => 35,
                };
                let (target, message) = (plain(target), plain(&message));
                format!(
                    "\u{1b}[2m{time}\u{1b}[0m \u{1b}[{colour}m{level:>5}\u{1b}[0m \
                     \u{1b}[2m{target}:\u{1b}[0m {message}{fields}\n"
                )
            }
        }
    }

    /// Adds a text.
    fn add(&mut self, name: &'static str, value: &str) {
        let value = cut(value);
        if self.style == Style::Json || !is_bare(value) {
            let value = quoted(value);
            self.add_written(name, &value);
        } else {
            self.add_written(name, value);
        }
    }

    /// Adds a value that is what it is in both forms.
    fn add_written(&mut self, name: &'static str, value: &str) {
        self.names.push(name);
        // They write to memory.
        let _ = match self.style {
            Style::Json => {
                let mark = if OWN.contains(&name) { "_" } else { "" };
                write!(self.fields, ",{}:{value}", quoted(&format!("{name}{mark}")))
            }
            Style::Plain => write!(self.fields, " {name}={value}"),
            Style::Coloured => write!(self.fields, " \u{1b}[2m{name}=\u{1b}[0m{value}"),
        };
    }

    fn take(&mut self, field: &Field, value: &str) {
        match field.name() {
            "message" => cut(value).clone_into(&mut self.message),
            "log.target" => self.logged_by = Some(value.to_owned()),
            name if name.starts_with("log.") => {}
            name => self.add(name, value),
        }
    }

    fn take_written(&mut self, field: &Field, value: &impl Display) {
        if !field.name().starts_with("log.") {
            self.add_written(field.name(), &value.to_string());
        }
    }
}

impl Visit for Line {
    fn record_f64(&mut self, field: &Field, value: f64) {
        if value.is_finite() {
            // More digits than that are of no use in a log.
            self.take_written(field, &((value * 1_000.0).round() / 1_000.0));
        } else {
            self.take(field, &value.to_string());
        }
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.take_written(field, &value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.take_written(field, &value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.take_written(field, &value);
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.take(field, value);
    }

    fn record_error(&mut self, field: &Field, value: &(dyn Error + 'static)) {
        let mut text = value.to_string();
        let mut source = value.source();
        for _ in 0..CAUSES {
            let Some(cause) = source else { break };
            let said = cause.to_string();
            // Many errors say their cause themselves.
            if !text.contains(&said) {
                let _ = write!(text, ": {said}");
            }
            source = cause.source();
        }
        self.take(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.take(field, &format!("{value:?}"));
    }
}

/// The beginning of `text`, if it is too long.
fn cut(text: &str) -> &str {
    &text[..text.floor_char_boundary(VALUE)]
}

/// Whether a value needs no quotes: nothing in it ends it, or begins another.
fn is_bare(value: &str) -> bool {
    let is_plain = |one: u8| one.is_ascii_alphanumeric() || b"-_.:/+*@%,".contains(&one);
    !value.is_empty() && value.bytes().all(is_plain)
}

/// Whether a terminal, or whoever reads line by line, takes `one` for more than a character: controls
/// (ECMA-48), ends of lines, and those that change the direction of what follows.
fn is_control(one: char) -> bool {
    one.is_control()
        || matches!(one, '\u{2028}' | '\u{2029}' | '\u{200e}' | '\u{200f}')
        || matches!(one, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// `text` as a string of JSON.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for one in text.chars() {
        match one {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            // All of them are below U+10000.
            one if is_control(one) => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(one));
            }
            one => quoted.push(one),
        }
    }
    quoted.push('"');
    quoted
}

/// `text` without anything that is more than a character.
fn plain(text: &str) -> Plain<'_> {
    Plain(text)
}

struct Plain<'a>(&'a str);

impl Display for Plain<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|one| match one {
            '\n' => f.write_str("\\n"),
            one if is_control(one) => write!(f, "\\u{:04x}", u32::from(one)),
            one => f.write_char(one),
        })
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use serde_json::Value;
    use tracing::Subscriber;
    use tracing_subscriber::{Layer, layer::Context, layer::SubscriberExt as _};

    use super::*;

    struct Collected(Style, Arc<Mutex<Vec<String>>>);

    impl<S: Subscriber> Layer<S> for Collected {
        fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
            self.1.lock().unwrap().push(Line::of(event, self.0));
        }
    }

    fn lines(style: Style, log: impl FnOnce()) -> Vec<String> {
        let lines = Arc::default();
        let subscriber = tracing_subscriber::registry().with(Collected(style, Arc::clone(&lines)));
        tracing::subscriber::with_default(subscriber, log);
        std::mem::take(&mut *lines.lock().unwrap())
    }

    const HOSTILE: &str =
        "a\r\n2026-01-01T00:00:00Z  INFO x: ok user=root\u{1b}[2J\u{9b}1m\u{202e}\u{2028}\"\\";

    fn hostile() {
        tracing::info!(user = HOSTILE, level = 3, millis = 1.234_567, on = true, "{HOSTILE}");
    }

    #[test]
    fn case_48_no_value_ends_its_line_or_passes_for_another_member() {
        let plain = lines(Style::Plain, hostile);
        assert_eq!(plain.len(), 1);
        let line = plain[0].strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_control), "{line:?}");
        assert!(
            line.contains(r#" user="a\u000d\n2026-01-01T00:00:00Z  INFO x: ok user=root\u001b"#)
        );
        assert!(line.ends_with(" level=3 millis=1.235 on=true"), "{line}");
        let json = lines(Style::Json, hostile);
        let line = json[0].strip_suffix('\n').unwrap();
        assert!(!line.chars().any(is_control), "{line:?}");
        let read: Value = serde_json::from_str(line).unwrap();
        assert_eq!(read["user"], HOSTILE);
        assert_eq!(read["message"], HOSTILE);
        assert_eq!((&read["level"], &read["level_"]), (&"INFO".into(), &3.into()));
    }

    #[test]
    fn a_value_without_anything_special_is_bare() {
        let log =
            || tracing::warn!(decision = "df5d3c8f", source = "::1", detail = "a b", "denied");
        let line = &lines(Style::Plain, log)[0];
        assert!(line.contains("  WARN castellan_server::"), "{line}");
        assert!(line.ends_with(": denied decision=df5d3c8f source=::1 detail=\"a b\"\n"), "{line}");
        let coloured = &lines(Style::Coloured, log)[0];
        assert!(coloured.contains("\u{1b}[33m WARN\u{1b}[0m"), "{coloured:?}");
    }

    #[test]
    fn an_error_says_its_causes() {
        let cause = std::io::Error::other("no route");
        let error = crate::config::ConfigError::Unreadable { path: "a".to_owned(), cause };
        let log = || tracing::error!(error = &error as &dyn Error, "failed");
        let line = &lines(Style::Plain, log)[0];
        assert!(line.ends_with("failed error=\"a: cannot be read: no route\"\n"), "{line}");
    }
}
