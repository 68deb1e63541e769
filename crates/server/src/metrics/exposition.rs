//! The two formats that metrics are read in: `OpenMetrics` 1.0, and the text format 0.0.4 of
//! Prometheus for whoever does not ask for that.
//!
//! The crate writes `OpenMetrics` alone. In the older format the samples are the same, and what is
//! said of a metric stands under the name of its samples.

use axum::http::HeaderValue;

/// A format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    OpenMetrics,
    Text,
}

impl Format {
    /// The one that a request with this `Accept` prefers (RFC 9110 §12.5.1).
    pub(super) fn wanted(accept: Option<&HeaderValue>) -> Self {
        let accept = accept.and_then(|value| value.to_str().ok()).unwrap_or_default();
        let weight = |media_type: &str| {
            let ranges = accept.split(',').map(str::trim);
            let weights = ranges.filter_map(|range| weight(range, media_type));
            weights
                .fold(None, |best: Option<f32>, one| Some(best.map_or(one, |best| best.max(one))))
        };
        match (weight("application/openmetrics-text"), weight("text/plain")) {
            (Some(open), text) if open > 0.0 && open >= text.unwrap_or(0.0) => Self::OpenMetrics,
            _ => Self::Text,
        }
    }

    pub(super) const fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        })
    }

    /// What `openmetrics` says, in this format.
    pub(super) fn of(self, openmetrics: String) -> String {
        match self {
            Self::OpenMetrics => openmetrics,
            Self::Text => text(&openmetrics),
        }
    }
}

/// The weight of a `range` of `Accept` that names `media_type`.
fn weight(range: &str, media_type: &str) -> Option<f32> {
    let mut parts = range.split(';').map(str::trim);
    parts.next().filter(|name| name.eq_ignore_ascii_case(media_type))?;
    let weight = parts.find_map(|parameter| parameter.strip_prefix("q="));
    Some(weight.map_or(1.0, |weight| weight.parse().unwrap_or(0.0)))
}

fn text(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len() + openmetrics.len() / 16);
    let mut help = None;
    for line in openmetrics.lines() {
        if let Some(said) = line.strip_prefix("# HELP ") {
            // Under which name it stands, the next line tells.
            help = said.split_once(' ').map(|(_, said)| said);
        } else if let Some(said) = line.strip_prefix("# TYPE ") {
            let (name, kind) = said.split_once(' ').unwrap_or((said, "untyped"));
            let (suffix, kind) = match kind {
                "counter" => ("_total", kind),
                "info" => ("_info", "gauge"),
                other => ("", other),
            };
            if let Some(help) = help.take() {
                text.extend(["# HELP ", name, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", name, suffix, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn openmetrics_is_for_those_who_ask_for_it() {
        let prometheus = "application/openmetrics-text;version=1.0.0,\
                          application/openmetrics-text;version=0.0.1;q=0.75,\
                          text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
        for (accept, format) in [
            (Some(prometheus), Format::OpenMetrics),
            (Some("application/openmetrics-text; q=0.2, text/plain"), Format::Text),
            (Some("application/openmetrics-text; q=0"), Format::Text),
            (Some("application/openmetrics-text; q=x"), Format::Text),
            (Some("*/*"), Format::Text),
            (None, Format::Text),
        ] {
            let accept = accept.map(HeaderValue::from_static);
            assert_eq!(Format::wanted(accept.as_ref()), format, "{accept:?}");
        }
    }

    #[test]
    fn the_older_format_names_what_its_samples_are_called() {
        let openmetrics = "# HELP a_b What it says.\n# TYPE a_b counter\na_b_total{x=\"# HELP y\"} 1\n\
                           # HELP c The build.\n# TYPE c info\nc_info{version=\"1\"} 1\n# EOF\n";
        let text = "# HELP a_b_total What it says.\n# TYPE a_b_total counter\n\
                    a_b_total{x=\"# HELP y\"} 1\n# HELP c_info The build.\n# TYPE c_info gauge\n\
                    c_info{version=\"1\"} 1\n";
        assert_eq!(super::text(openmetrics), text);
    }
}
