//! The log on standard error (`docs/logs.md`): which lines are written, and in which form. Both are
//! known once the configuration is read; what is said before waits until then.

mod line;

use std::{
    io::{IsTerminal as _, Write as _},
    sync::{
        Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer, Registry,
    layer::{Context, SubscriberExt as _},
    registry::LookupSpan,
    reload,
    util::SubscriberInitExt as _,
};

use crate::config::{LogConfig, LogFormat, environment};
use line::{Line, Style};

/// The variable with what is logged, which overrides `log.level`.
const LEVEL: &str = "CASTELLAN_LOG";
/// The variable with the format: what is wrong with the configuration is said in it already.
const FORMAT: &str = "CASTELLAN__LOG__FORMAT";
/// Lines that wait at most.
const WAITING: usize = 100;

static LOG: OnceLock<Log> = OnceLock::new();

struct Log {
    filter: reload::Handle<EnvFilter, Registry>,
    /// Whether a variable says what is logged.
    is_filter_set: bool,
    has_colours: bool,
    is_settled: AtomicBool,
    form: Mutex<Form>,
}

enum Form {
    /// Not known yet: lines in both forms.
    Waiting(Vec<[String; 2]>),
    Known(LogFormat),
}

/// Begins to log. Until the configuration is known ([`begin`]), lines wait.
///
/// # Errors
/// What is wrong with the variable.
pub(crate) fn start() -> Result<(), String> {
    let set = level()?;
    let is_filter_set = set.is_some();
    let filter = set.unwrap_or_else(|| LogConfig::default().level.filter());
    let (filter, handle) = reload::Layer::new(filter);
    let is_json = std::env::var(FORMAT).is_ok_and(|format| format.trim() == "json");
    let form = if is_json { Form::Known(LogFormat::Json) } else { Form::Waiting(Vec::new()) };
    let log = Log {
        filter: handle,
        is_filter_set,
        has_colours: has_colours(),
        is_settled: AtomicBool::new(false),
        form: Mutex::new(form),
    };
    if LOG.set(log).is_ok() {
        let _ = tracing_subscriber::registry().with(filter).with(Lines).try_init();
    }
    if is_json {
        log_panics();
    }
    Ok(())
}

/// Logs as `config` says, what waits included. What is read later does not count before it is taken up.
pub(crate) fn begin(config: &LogConfig) {
    if LOG.get().is_some_and(|log| !log.is_settled.load(Ordering::Relaxed)) {
        settle(config);
    }
}

/// Logs as `config` says from now on.
pub(crate) fn settle(config: &LogConfig) {
    let Some(log) = LOG.get() else { return };
    log.is_settled.store(true, Ordering::Relaxed);
    if !log.is_filter_set {
        let _ = log.filter.reload(config.level.filter());
    }
    log.know(config.format);
    if config.format == LogFormat::Json {
        log_panics();
    }
}

/// Writes what waits: nothing will say in which form.
pub(crate) fn finish() {
    if let Some(log) = LOG.get()
        && matches!(*log.form(), Form::Waiting(_))
    {
        log.know(LogFormat::Text);
    }
}

/// Whether every line on standard error is JSON.
pub(crate) fn is_json() -> bool {
    LOG.get().is_some_and(|log| matches!(*log.form(), Form::Known(LogFormat::Json)))
}

/// Says `warning` to whoever starts a server, at every level.
pub(crate) fn warn(warning: &str) {
    if is_json() {
        write(&Line::warning(warning));
    } else {
        eprintln!("WARNING: {warning}");
    }
}

/// What the variable says is logged, if it is set.
fn level() -> Result<Option<EnvFilter>, String> {
    let value = match std::env::var(LEVEL) {
        Err(std::env::VarError::NotPresent) => return Ok(None),
        value => value.map_err(|_| format!("{LEVEL} is not valid UTF-8"))?,
    };
    let Some(filter) = environment::text(&value) else { return Ok(None) };
    let filter = filter.parse();
    filter.map(Some).map_err(|error| format!("{LEVEL}: {error}; use a filter such as \"info\""))
}

/// Colours are for terminals, unless somebody wants none (<https://no-color.org>).
fn has_colours() -> bool {
    let is_set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let is_dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    std::io::stderr().is_terminal() && !is_set("NO_COLOR") && !is_dumb
}

/// From now on a panic is a line like others, and not two of its own.
fn log_panics() {
    std::panic::set_hook(Box::new(|panic| {
        let text = panic.payload_as_str().unwrap_or("no text");
        let place = panic.location().map(ToString::to_string);
        tracing::error!(place, "a thread panicked: {text}");
    }));
}

impl Log {
    fn form(&self) -> MutexGuard<'_, Form> {
        self.form.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn know(&self, format: LogFormat) {
        let before = std::mem::replace(&mut *self.form(), Form::Known(format));
        if let Form::Waiting(lines) = before {
            for both in lines {
                write(chosen(&both, format));
            }
        }
    }

    /// The line about `event`, written or put with those that wait.
    fn take(&self, event: &Event<'_>) {
        let text = if self.has_colours { Style::Coloured } else { Style::Plain };
        let format = match &*self.form() {
            Form::Known(format) => Some(*format),
            Form::Waiting(_) => None,
        };
        match format {
            Some(LogFormat::Json) => write(&Line::of(event, Style::Json)),
            Some(LogFormat::Text) => write(&Line::of(event, text)),
            None => {
                let both = [Line::of(event, text), Line::of(event, Style::Json)];
                match &mut *self.form() {
                    Form::Waiting(lines) if lines.len() < WAITING => lines.push(both),
                    Form::Waiting(_) => {}
                    // It became known in between.
                    Form::Known(format) => write(chosen(&both, *format)),
                }
            }
        }
    }
}

/// Of a line as text and as JSON, the one in `format`.
fn chosen([text, json]: &[String; 2], format: LogFormat) -> &str {
    if format == LogFormat::Json { json } else { text }
}

/// At once, so that lines of several threads do not mix. If nobody reads them, there is nobody to tell.
fn write(line: &str) {
    let _ = std::io::stderr().lock().write_all(line.as_bytes());
}

/// Writes a line for each event.
struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if let Some(log) = LOG.get() {
            log.take(event);
        }
    }
}
