//! Which guard handles a request: of those whose path is the request's, the one with the longest;
//! of several at one path, the first in the order of the file whose host and pattern match
//! (`docs/rules.md` rule 1, `docs/contracts/ibexa.md` §3).

use std::{borrow::Cow, collections::HashMap};

use axum::http::{HeaderMap, Uri, header};
use percent_encoding::percent_decode_str;

use crate::{
    config::{GuardConfig, GuardProtocol, HostExpression, PathExpression},
    wire::host,
};

/// Guards, or what stands for them, by path.
pub(super) struct GuardTable<G>(HashMap<String, Vec<Area<G>>>);

/// What one guard is for.
struct Area<G> {
    /// What is below its path belongs to it as well.
    owns_below: bool,
    host: Option<HostExpression>,
    pattern: Option<PathExpression>,
    /// It leaves requests without `Authorization` to others, but for those to these paths below its own.
    keeps: Option<&'static [&'static str]>,
    guard: G,
}

/// The parts of a request that areas are told apart by.
struct Asked<'a> {
    host: &'a str,
    /// As it was sent.
    path: &'a str,
    /// Percent-decoded, once it is needed.
    decoded: Option<Cow<'a, str>>,
}

impl<G> GuardTable<G> {
    /// Nothing is guarded.
    pub(super) fn new() -> Self {
        Self(HashMap::new())
    }

    /// Adds a guard behind those that are there.
    pub(super) fn add(&mut self, config: &GuardConfig, guard: G)
    where
        G: Clone,
    {
        let owns_below = config.protocol == GuardProtocol::Http;
        let root = config.is_at_root().then(|| ("/".to_owned(), false));
        let own = (config.path.clone(), owns_below);
        for (path, owns_below) in [Some(own), root].into_iter().flatten() {
            self.0.entry(path).or_default().push(Area {
                owns_below,
                host: config.host.clone(),
                pattern: config.pattern.clone(),
                keeps: config.only_with_authorization.then(|| config.keeps()),
                guard: guard.clone(),
            });
        }
    }

    /// The guard that handles a request with these headers and this target.
    pub(super) fn find(&self, headers: &HeaderMap, uri: &Uri) -> Option<&G> {
        let (host, _) = host::parts(host::authority(headers, uri).unwrap_or_default());
        let mut asked = Asked { host, path: uri.path(), decoded: None };
        let mut path = asked.path;
        loop {
            for area in self.0.get(path).into_iter().flatten() {
                let is_its_path = area.owns_below || path.len() == asked.path.len();
                let is_left = area.keeps.is_some_and(|kept| {
                    !shows_authorization(headers) && !is_below(&asked.path[path.len()..], kept)
                });
                if is_its_path && !is_left && asked.is_for(area) {
                    return Some(&area.guard);
                }
            }
            path = match path.rfind('/') {
                Some(0) if path.len() > 1 => "/",
                Some(at) if at > 0 => &path[..at],
                _ => return None,
            };
        }
    }
}

/// Whether `below` is one of `paths` or below it, by whole segments.
fn is_below(below: &str, paths: &[&str]) -> bool {
    let mut rests = paths.iter().filter_map(|path| below.strip_prefix(path));
    rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a request has `Authorization`, or is a preflight for one that will have it.
fn shows_authorization(headers: &HeaderMap) -> bool {
    let asked = headers.get_all(header::ACCESS_CONTROL_REQUEST_HEADERS).iter();
    let mut names = asked.filter_map(|line| line.to_str().ok()).flat_map(|line| line.split(','));
    headers.contains_key(header::AUTHORIZATION)
        || names.any(|name| name.trim().eq_ignore_ascii_case(header::AUTHORIZATION.as_str()))
}

impl<'a> Asked<'a> {
    fn is_for<G>(&mut self, area: &Area<G>) -> bool {
        area.host.as_ref().is_none_or(|host| host.matches(self.host))
            && area.pattern.as_ref().is_none_or(|pattern| {
                let decode = || percent_decode_str(self.path).decode_utf8_lossy();
                let decoded: &Cow<'a, str> = self.decoded.get_or_insert_with(decode);
                pattern.matches(decoded)
            })
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    /// A guard called `name` with the settings `text`.
    fn guard(name: &str, text: &str) -> GuardConfig {
        let text = format!("[[guard]]\nname = '{name}'\n{text}");
        let config: crate::config::Config = toml::from_str(&text).unwrap();
        config.guard.into_iter().next().unwrap()
    }

    fn table(guards: &[(&'static str, &str)]) -> GuardTable<&'static str> {
        let mut table = GuardTable::new();
        for (name, text) in guards {
            table.add(&guard(name, text), *name);
        }
        table
    }

    fn found(table: &GuardTable<&'static str>, host: &str, path: &str) -> Option<&'static str> {
        let request = Request::builder().uri(path).header("host", host).body(()).unwrap();
        table.find(request.headers(), request.uri()).copied()
    }

    const HTTP: &str = "protocol = 'http'\npath = '/api/ibexa/v2'\n";

    /// `docs/contracts/ibexa.md` §3 and §11, checks 25 to 27.
    #[test]
    fn ibexa_27_the_first_guard_whose_host_and_pattern_match_handles_a_request() {
        let basic = format!("{HTTP}host = '^api\\.(example\\.com|localhost)$'");
        let users = format!("{HTTP}pattern = '^/api/ibexa/v2/(user|ä)'");
        let table = table(&[("basic", &basic), ("users", &users), ("front", HTTP)]);
        for (host, path, name) in [
            ("api.example.com", "/api/ibexa/v2/user/sessions", Some("basic")),
            ("API.EXAMPLE.COM:8080", "/api/ibexa/v2", Some("basic")),
            ("api.localhost", "/api/ibexa/v2/x?y=/z", Some("basic")),
            ("api.example.com.evil.test", "/api/ibexa/v2/x", Some("front")),
            ("xapi.example.com", "/api/ibexa/v2/x", Some("front")),
            ("api.example.com.", "/api/ibexa/v2/x", Some("front")),
            ("www.test", "/api/ibexa/v2/user/1", Some("users")),
            ("www.test", "/api/ibexa/v2/%75ser/1", Some("users")),
            ("www.test", "/api/ibexa/v2/%C3%A4/%ff", Some("users")),
            ("www.test", "/api/ibexa/v2/content", Some("front")),
            ("www.test", "/api/ibexa/v2/", Some("front")),
            ("www.test", "/api/ibexa/v2x", None),
            ("www.test", "/api/ibexa", None),
            ("www.test", "/x/api/ibexa/v2", None),
            ("www.test", "/", None),
        ] {
            assert_eq!(found(&table, host, path), name, "{host} {path}");
        }
    }

    #[test]
    fn the_longest_path_comes_first() {
        let table = table(&[
            ("all", "protocol = 'http'\npath = '/api'"),
            ("graphql", "path = '/api/graphql'"),
            ("deep", "protocol = 'http'\npath = '/api/graphql/x'\nhost = 'deep.test'"),
            ("trompa", "path = '/graphql'\nat_root = true"),
        ]);
        for (host, path, name) in [
            ("h", "/api/graphql", Some("graphql")),
            ("h", "/api/graphql/x", Some("all")),
            ("deep.test", "/api/graphql/x/y", Some("deep")),
            ("h", "/api", Some("all")),
            ("h", "/graphql", Some("trompa")),
            ("h", "/graphql/", None),
            ("h", "/", Some("trompa")),
            ("h", "/other", None),
        ] {
            assert_eq!(found(&table, host, path), name, "{host} {path}");
        }
    }

    /// `docs/contracts/ibexa.md` §3.
    #[test]
    fn a_guard_may_leave_requests_that_show_nothing_to_the_next_one() {
        let jwt = format!(
            "{HTTP}dialect = 'ibexa'\nauthenticate = 'jwt'\nonly_with_authorization = true"
        );
        let table = table(&[("jwt", &jwt), ("session", HTTP)]);
        for (path, header, name) in [
            ("/api/ibexa/v2/x", ("cookie", "a=b"), "session"),
            ("/api/ibexa/v2/x", ("authorization", "Basic x"), "jwt"),
            ("/api/ibexa/v2/x", ("authorization", ""), "jwt"),
            ("/api/ibexa/v2/x", ("access-control-request-headers", "a, Authorization"), "jwt"),
            ("/api/ibexa/v2/x", ("access-control-request-headers", "x-authorization"), "session"),
        ] {
            let request = Request::builder().uri(path).header("host", "h");
            let request = request.header(header.0, header.1).body(()).unwrap();
            assert_eq!(table.find(request.headers(), request.uri()), Some(&name), "{header:?}");
        }
    }

    #[test]
    fn http_2_names_its_host_in_the_target() {
        let table = table(&[("a", &format!("{HTTP}host = 'a.test'"))]);
        let request = Request::builder().uri("https://a.test/api/ibexa/v2").body(()).unwrap();
        assert_eq!(table.find(request.headers(), request.uri()), Some(&"a"));
    }
}
