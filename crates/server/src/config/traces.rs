//! The `[traces]` table (`docs/traces.md`).

use std::{collections::BTreeMap, net::IpAddr};

use axum::http::HeaderName;
use schemars::JsonSchema;
use serde::Deserialize;
use url::Url;

use super::{Config, SecretRef, check::Problem};

/// Where traces of requests are sent.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct TracesConfig {
    /// URL of a collector that takes OTLP over HTTP, such as `"http://127.0.0.1:4318"`; without a path,
    /// `/v1/traces` is added. Default: none, and nothing is recorded.
    #[schemars(with = "Option<String>", url)]
    pub endpoint: Option<Url>,
    /// Headers that are sent to it, such as its credential:
    /// `{ authorization = { env = "COLLECTOR_AUTHORIZATION" } }`. By https, or to this machine. Default:
    /// none.
    pub headers: BTreeMap<String, SecretRef>,
    /// The part of the traces that begin here which is recorded, from 0 to 1. What a caller has decided
    /// in `traceparent` counts for its trace. Default 1.
    #[schemars(range(min = 0, max = 1))]
    pub sample: Option<f64>,
    /// What this server is called in traces. Default: what `OTEL_SERVICE_NAME` says, or `"castellan"`.
    pub service_name: Option<String>,
}

/// Headers that say how the request is sent.
const OURS: [&str; 8] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "host",
    "te",
    "transfer-encoding",
];

impl TracesConfig {
    /// The URL that spans are posted to.
    #[must_use]
    pub fn collector(&self) -> Option<Url> {
        let mut url = self.endpoint.clone()?;
        if url.path() == "/" {
            url.set_path("/v1/traces");
        }
        Some(url)
    }

    /// What is wrong, and with which setting; `is_built_in` says whether this binary can send traces.
    fn check(&self, is_built_in: bool) -> Result<(), (&'static str, String)> {
        let Some(url) = &self.endpoint else {
            let set = [
                ("headers", !self.headers.is_empty()),
                ("sample", self.sample.is_some()),
                ("service_name", self.service_name.is_some()),
            ];
            return match set.into_iter().find(|(_, is_set)| *is_set) {
                Some((key, _)) => {
                    Err((key, format!("{key} has no effect without endpoint; remove it")))
                }
                None => Ok(()),
            };
        };
        if !is_built_in {
            let text = "this program was built without traces; build it with the feature `otel` or \
                        `full`, or remove the table";
            return Err(("endpoint", text.to_owned()));
        }
        let wrong = |text: &str| Err(("endpoint", text.to_owned()));
        if !matches!(url.scheme(), "http" | "https") {
            return wrong("endpoint must be an http or https URL");
        }
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return wrong(
                "endpoint must have no user name, password or fragment; credentials go in headers",
            );
        }
        if !self.headers.is_empty() && url.scheme() == "http" && !is_loopback(url) {
            return wrong(
                "headers may be credentials and are sent by https, or to this machine, only; use an \
                 https URL, or remove the headers",
            );
        }
        for name in self.headers.keys() {
            if HeaderName::from_bytes(name.as_bytes()).is_err() {
                return Err(("headers", format!("headers: {name:?} is not the name of a header")));
            }
            if OURS.contains(&&*name.to_ascii_lowercase()) {
                let text = "is set by Castellan; remove it";
                return Err(("headers", format!("headers: {name} {text}")));
            }
        }
        if self.sample.is_some_and(|part| !(0.0..=1.0).contains(&part)) {
            return Err(("sample", "sample must be a number from 0 to 1".to_owned()));
        }
        if self.service_name.as_ref().is_some_and(|name| name.trim().is_empty()) {
            let text = "service_name is empty or blank; set it, or remove it";
            return Err(("service_name", text.to_owned()));
        }
        Ok(())
    }
}

impl Config {
    /// Whether traces can be sent as they are to be.
    ///
    /// # Errors
    /// The [`Problem`].
    pub(super) fn check_traces(&self) -> Result<(), Problem> {
        let checked = self.traces.check(cfg!(feature = "otel"));
        checked.map_err(|(key, text)| Problem::at(&["traces", key], &format!("traces: {text}")))
    }
}

fn is_loopback(url: &Url) -> bool {
    url.host_str().is_some_and(|host| {
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> TracesConfig {
        toml::from_str(text).unwrap()
    }

    #[test]
    fn traces_are_refused_where_they_could_not_be_sent_as_they_are_meant() {
        let header = "headers = { authorization = \"a\" }";
        for (text, key, expected) in [
            ("sample = 0.5", "sample", "no effect without endpoint"),
            ("service_name = \"a\"", "service_name", "no effect without endpoint"),
            (header, "headers", "no effect without endpoint"),
            ("endpoint = \"grpc://a.example\"", "endpoint", "http or https"),
            ("endpoint = \"https://u:p@a.example\"", "endpoint", "no user name"),
            (&format!("endpoint = \"http://a.example\"\n{header}"), "endpoint", "by https"),
            (
                "endpoint = \"https://a.example\"\nheaders = { \"a b\" = \"a\" }",
                "headers",
                "not the name of a header",
            ),
            (
                "endpoint = \"https://a.example\"\nheaders = { Host = \"a\" }",
                "headers",
                "Host is set by Castellan",
            ),
            ("endpoint = \"https://a.example\"\nsample = 1.5", "sample", "from 0 to 1"),
            ("endpoint = \"https://a.example\"\nsample = nan", "sample", "from 0 to 1"),
            ("endpoint = \"https://a.example\"\nservice_name = \" \"", "service_name", "blank"),
        ] {
            let (found, said) = read(text).check(true).unwrap_err();
            assert!(found == key && said.contains(expected), "{text}: {found}: {said}");
        }
        for text in [
            "",
            "endpoint = \"http://collector.example:4318\"",
            &format!("endpoint = \"http://[::1]:4318\"\n{header}"),
            &format!("endpoint = \"https://a.example/otlp\"\n{header}\nsample = 0"),
        ] {
            assert_eq!(read(text).check(true), Ok(()), "{text}");
        }
    }

    #[test]
    fn a_program_without_the_feature_refuses_traces() {
        let config = read("endpoint = \"http://127.0.0.1:4318\"");
        let (key, text) = config.check(false).unwrap_err();
        assert!(key == "endpoint" && text.contains("the feature `otel`"), "{text}");
        assert_eq!(read("").check(false), Ok(()));
    }

    #[test]
    fn an_endpoint_without_a_path_gets_that_of_traces() {
        for (endpoint, collector) in [
            ("http://a.example:4318", "http://a.example:4318/v1/traces"),
            ("http://a.example:4318/", "http://a.example:4318/v1/traces"),
            ("https://a.example/otlp/v1/traces", "https://a.example/otlp/v1/traces"),
        ] {
            let config = read(&format!("endpoint = \"{endpoint}\""));
            assert_eq!(config.collector().unwrap().as_str(), collector);
        }
    }
}
