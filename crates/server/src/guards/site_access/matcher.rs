//! What the matchers make of a request (`docs/contracts/ibexa.md` §7.2).

use std::{
    borrow::Cow,
    collections::{BTreeMap, HashMap},
    hash::Hash,
};

use percent_encoding::percent_decode_str;

use crate::config::{Around, Capture, Compound, SiteAccessMatch, Target};

/// What matchers look at.
pub(super) struct Seen<'a> {
    /// The host, in lower case and without a port.
    pub(super) host: &'a str,
    pub(super) port: u16,
    /// The path as it was sent; none where it selects nothing.
    pub(super) path: Option<&'a str>,
}

/// One matcher.
pub(super) enum Matcher {
    Hosts(HashMap<String, String>),
    Segments(HashMap<String, String>),
    Ports(HashMap<u16, String>),
    HostElement(usize),
    HostText(Around),
    UriElement(usize),
    UriText(Around),
    RegexHost(Capture),
    RegexUri(Capture),
    /// All matchers of an entry.
    And(Vec<(Vec<Self>, String)>),
    /// Any of them.
    Or(Vec<(Vec<Self>, String)>),
}

impl Matcher {
    pub(super) fn new(written: &SiteAccessMatch) -> Self {
        match written {
            SiteAccessMatch::MapHost(map) => {
                Self::Hosts(targets(map, |one| one.to_ascii_lowercase()))
            }
            SiteAccessMatch::MapUri(map) => Self::Segments(targets(map, Clone::clone)),
            SiteAccessMatch::MapPort(map) => {
                Self::Ports(targets(map, |port| port.parse().unwrap_or_default()))
            }
            SiteAccessMatch::HostElement(number) => Self::HostElement(number.get()),
            SiteAccessMatch::HostText(around) => Self::HostText(Around {
                prefix: around.prefix.to_ascii_lowercase(),
                suffix: around.suffix.to_ascii_lowercase(),
            }),
            SiteAccessMatch::UriElement(number) => Self::UriElement(number.get()),
            SiteAccessMatch::UriText(around) => Self::UriText(around.clone()),
            SiteAccessMatch::RegexHost(capture) => Self::RegexHost(capture.clone()),
            SiteAccessMatch::RegexUri(capture) => Self::RegexUri(capture.clone()),
            SiteAccessMatch::LogicalAnd(compounds) => Self::And(entries(compounds)),
            SiteAccessMatch::LogicalOr(compounds) => Self::Or(entries(compounds)),
        }
    }

    /// The name that it makes of a request, whether there is such a SiteAccess or not.
    pub(super) fn find<'a>(&'a self, seen: &Seen<'a>) -> Option<Cow<'a, str>> {
        let known = |name: Option<&'a String>| name.map(|name| Cow::Borrowed(&**name));
        let part = |part: Option<&'a str>| part.filter(|part| !part.is_empty()).map(Cow::Borrowed);
        match self {
            Self::Hosts(map) => known(map.get(seen.host)),
            Self::Segments(map) => {
                let segment = seen.path?.strip_prefix('/')?.split('/').next()?;
                known(map.get(&*percent_decode_str(segment).decode_utf8().ok()?))
            }
            Self::Ports(map) => known(map.get(&seen.port)),
            Self::HostElement(number) => part(seen.host.split('.').nth(number - 1)),
            Self::HostText(around) => part(whole_between(seen.host, around)),
            Self::UriElement(count) => segments(seen.path?, *count).map(Cow::Owned),
            Self::UriText(around) => part(between(seen.path?.strip_prefix('/')?, around)),
            Self::RegexHost(capture) => part(capture.regex.find(seen.host, capture.item_number)),
            Self::RegexUri(capture) => part(capture.regex.find(seen.path?, capture.item_number)),
            Self::And(entries) => {
                let all = |matchers: &[Self]| matchers.iter().all(|one| one.find(seen).is_some());
                known(entries.iter().find(|entry| all(&entry.0)).map(|entry| &entry.1))
            }
            Self::Or(entries) => {
                let any = |matchers: &[Self]| matchers.iter().any(|one| one.find(seen).is_some());
                known(entries.iter().find(|entry| any(&entry.0)).map(|entry| &entry.1))
            }
        }
    }
}

/// A map, with keys as `key` reads them. What `true` leads to within a compound is a match, whatever
/// its name.
fn targets<K: Hash + Eq>(
    map: &BTreeMap<String, Target>,
    key: impl Fn(&String) -> K,
) -> HashMap<K, String> {
    let name = |target: &Target| match target {
        Target::Name(name) => name.clone(),
        Target::Matches(_) => String::new(),
    };
    map.iter().map(|(one, target)| (key(one), name(target))).collect()
}

fn entries(compounds: &[Compound]) -> Vec<(Vec<Matcher>, String)> {
    let entry = |compound: &Compound| {
        let matchers = compound.matchers.iter().map(Matcher::new).collect();
        (matchers, compound.name.clone())
    };
    compounds.iter().map(entry).collect()
}

/// What can be in a name that stands between two texts.
const fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_')
}

/// The word that `text` is besides `around`.
fn whole_between<'a>(text: &'a str, around: &Around) -> Option<&'a str> {
    let word = text.strip_prefix(&*around.prefix)?.strip_suffix(&*around.suffix)?;
    word.bytes().all(is_word).then_some(word)
}

/// The longest word between `around` at the beginning of `text`.
fn between<'a>(text: &'a str, around: &Around) -> Option<&'a str> {
    let rest = text.strip_prefix(&*around.prefix)?;
    let word = rest.bytes().take_while(|byte| is_word(*byte)).count();
    (1..=word).rev().find(|end| rest[*end..].starts_with(&*around.suffix)).map(|end| &rest[..end])
}

/// The first `count` segments of `path`, joined by underscores.
fn segments(path: &str, count: usize) -> Option<String> {
    let found: Vec<_> = path.strip_prefix('/')?.split('/').take(count).collect();
    let is_whole = found.len() == count && found.iter().all(|segment| !segment.is_empty());
    is_whole.then(|| found.join("_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// What the matcher that is written as `text` makes of `http://HOST:PORT/PATH`.
    fn found(text: &str, url: &str) -> Option<String> {
        let written = format!("[[site_access_match]]\n{text}\n");
        let config: Config = toml::from_str(&written).unwrap();
        let matcher = Matcher::new(&config.site_access_match[0]);
        let (scheme, rest) = url.split_once("://").unwrap();
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = crate::wire::host::parts(authority);
        let port = port.unwrap_or(if scheme == "https" { 443 } else { 80 });
        let path = path.split('?').next();
        let seen = Seen { host: &host.to_ascii_lowercase(), port, path };
        matcher.find(&seen).map(Cow::into_owned)
    }

    /// The table of `docs/contracts/ibexa.md` §7.2, and its notes (§11, check 24).
    #[test]
    fn ibexa_24_matchers_select_by_host_port_and_path() {
        let hosts = r"'Map\Host' = { 'Admin.example.com' = 'admin' }";
        let segments = r"'Map\URI' = { site = 'site', 'Äpfel' = 'apples' }";
        let ports = r"'Map\Port' = { 81 = 'sa', 80 = 'plain', 443 = 'tls' }";
        let host_text = "HostText = { prefix = 'www.', suffix = '.test' }";
        let uri_text = "URIText = { prefix = 'foo', suffix = 'bar' }";
        let regex_uri = r"'Regex\URI' = { regex = '^/foo(\w+)bar' }";
        let regex_host = r"'Regex\Host' = { regex = '(\w+)\.(\w+)', itemNumber = 2 }";
        for (matcher, url, name) in [
            (hosts, "http://admin.example.com/", Some("admin")),
            (hosts, "http://ADMIN.example.com:8080/x", Some("admin")),
            (hosts, "http://admin.example.com.evil.test/", None),
            (hosts, "http://xadmin.example.com/", None),
            (segments, "http://h/site/x", Some("site")),
            (segments, "http://h/site", Some("site")),
            (segments, "http://h/%C3%84pfel/x", Some("apples")),
            (segments, "http://h/site_x", None),
            (segments, "http://h/?site", None),
            (segments, "http://h//site", None),
            (segments, "http://h///site", None),
            (segments, "http://h/%ff", None),
            (segments, "http://h/", None),
            (ports, "http://h:81/", Some("sa")),
            (ports, "http://h/", Some("plain")),
            (ports, "https://h/", Some("tls")),
            (ports, "http://h:8081/", None),
            (ports, "http://[::1]:81/", Some("sa")),
            ("HostElement = 2", "http://www.shop.test/", Some("shop")),
            ("HostElement = 4", "http://www.shop.test/", None),
            ("HostElement = 2", "http://www..test/", None),
            (host_text, "http://www.my-sa.test/", Some("my-sa")),
            (host_text, "http://WWW.my-sa.test/", Some("my-sa")),
            (host_text, "http://www.my.sa.test/", None),
            (host_text, "http://www.test/", None),
            (host_text, "http://www..test/", None),
            (host_text, "http://www.my-sa.test.evil/", None),
            ("URIElement = 2", "http://h/a/b/c", Some("a_b")),
            ("URIElement = 2", "http://h/a/b", Some("a_b")),
            ("URIElement = 2", "http://h//a/b", None),
            ("URIElement = 2", "http://h/a", None),
            ("URIElement = 2", "http://h/a/", None),
            ("URIElement = 1", "http://h/", None),
            (uri_text, "http://h/foozbar/x", Some("z")),
            (uri_text, "http://h/foozbarbar", Some("zbar")),
            (uri_text, "http://h//foozbar", None),
            (uri_text, "http://h/foobar", None),
            (uri_text, "http://h/foo.bar", None),
            (regex_uri, "http://h/foozbar", Some("z")),
            (regex_uri, "http://h//foozbar", None),
            (regex_host, "http://www.shop.test/", Some("shop")),
            (regex_host, "http://localhost/", None),
        ] {
            assert_eq!(found(matcher, url).as_deref(), name, "{matcher} {url}");
        }
    }

    #[test]
    fn compounds_want_all_or_any_of_their_matchers() {
        let with = |logic: &str| {
            format!(
                r"'Compound\{logic}' = [
                    {{ matchers = [{{ 'Map\Host' = {{ 'a.test' = true }} }}, {{ 'Map\Port' = {{ 81 = true }} }}], match = 'first' }},
                    {{ matchers = [{{ HostElement = 2 }}, {{ 'Map\URI' = {{ x = true }} }}], match = 'second' }},
                ]"
            )
        };
        let (and, or) = (with("LogicalAnd"), with("LogicalOr"));
        for (matcher, url, name) in [
            (&and, "http://a.test:81/", Some("first")),
            (&and, "http://a.test/", None),
            (&and, "http://a.test/x", Some("second")),
            (&and, "http://h/x", None),
            (&or, "http://a.test/", Some("first")),
            (&or, "http://h:81/x", Some("first")),
            (&or, "http://h/x", Some("second")),
            (&or, "http://h/", None),
        ] {
            assert_eq!(found(matcher, url).as_deref(), name, "{matcher} {url}");
        }
    }
}
