//! `[[site_access]]` and `[[site_access_match]]`: the SiteAccesses of sites, and which of them a
//! request is for (`docs/contracts/ibexa.md` §7).

use std::{
    collections::BTreeMap,
    num::{NonZeroU16, NonZeroUsize},
};

use castellan_proto::Lifetime;
use schemars::JsonSchema;
use serde::Deserialize;

use super::{
    Config, ConfigError, GuardConfig, Loaded, Site, check::Problem, environment::Environment,
    expression::SearchExpression,
};

/// The SiteAccess of a site that has no `[[site_access]]`.
pub const ONLY_SITE_ACCESS: &str = "site";
/// The variable that names the SiteAccess of requests that do not name one themselves.
pub(super) const VARIABLE: &str = "EZPUBLISH_SITEACCESS";

/// A SiteAccess: one of several faces of a site, each of which people need the permission
/// `user/login` for.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteAccessConfig {
    /// Its name: letters, digits, dashes and underscores.
    pub name: String,
    /// The site that it is a face of. Default: the first one.
    pub site: Option<String>,
    /// Whether it is that of requests that nothing else selects one for. Required for one of several
    /// SiteAccesses of a site.
    #[serde(default)]
    pub default: bool,
    /// Whether GraphQL guards take JWTs of people for it, and create some (`createToken`). Default
    /// `true`; Ibexa has it so for all but those of its administration (`docs/contracts/ibexa.md` §4.4).
    #[serde(default = "yes")]
    pub graphql_jwt: bool,
    /// The session cookie.
    #[serde(default)]
    pub session: SiteAccessSession,
}

const fn yes() -> bool {
    true
}

/// The session cookie of a SiteAccess.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SiteAccessSession {
    /// The name of the cookie. One that does not begin with `IBX_SESSION_ID` gets that and an
    /// underscore before it. Default: `IBX_SESSION_ID` and the MD5 sum of the SiteAccess's name.
    pub name: Option<String>,
    /// How long browsers keep the cookie. Default: until they are closed.
    pub cookie_lifetime: Option<Lifetime>,
    /// The path below which browsers send the cookie. Default `"/"`.
    pub cookie_path: Option<String>,
    /// The domain to whose hosts browsers send the cookie. Default: only to the host that set it.
    pub cookie_domain: Option<String>,
}

impl SiteAccessSession {
    /// Whether a cookie can be made of it.
    fn check(&self) -> Result<(), (&'static str, &'static str)> {
        let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
        let is_name =
            |name: &String| !name.is_empty() && name.len() <= 64 && name.bytes().all(is_token);
        if !self.name.as_ref().is_none_or(is_name) {
            let text = "session.name must be 1 to 64 letters, digits, dashes and underscores";
            return Err(("name", text));
        }
        let in_path = |byte: u8| byte.is_ascii_graphic() && !b";,\\".contains(&byte);
        let is_path = |path: &String| path.starts_with('/') && path.bytes().all(in_path);
        if !self.cookie_path.as_ref().is_none_or(is_path) {
            return Err(("cookie_path", "session.cookie_path must be a path such as \"/api\""));
        }
        let is_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"-.".contains(&byte);
        let is_domain = |domain: &String| {
            let labels = domain.trim_start_matches('.');
            labels.contains('.') && labels.bytes().all(is_letter) && !labels.ends_with('.')
        };
        if !self.cookie_domain.as_ref().is_none_or(is_domain) {
            let text = "session.cookie_domain must be a domain such as \"example.org\"";
            return Err(("cookie_domain", text));
        }
        Ok(())
    }
}

impl SiteAccessConfig {
    /// One called `name`, with defaults for all else.
    #[must_use]
    pub fn plain(name: &str) -> Self {
        let session = SiteAccessSession::default();
        Self { name: name.to_owned(), site: None, default: true, graphql_jwt: true, session }
    }

    /// Whether browsers take a cookie of its domain from the host of `site` (RFC 6265 §5.3).
    fn is_settable(&self, site: &Site) -> bool {
        let Some(domain) = &self.session.cookie_domain else { return true };
        let domain = domain.trim_start_matches('.').to_ascii_lowercase();
        let (host, _) = crate::wire::host::parts(site.issuer.authority());
        let above = host.strip_suffix(&*domain);
        above.is_some_and(|rest| {
            // An address has no parents.
            rest.is_empty() || (rest.ends_with('.') && host.parse::<std::net::IpAddr>().is_err())
        })
    }

    fn is_at(&self, site: &Site) -> bool {
        self.site.as_ref().map_or(site.is_first, |name| *name == site.name)
    }
}

/// One matcher, named and set as in Ibexa: what it makes of a request is the name of a SiteAccess
/// (`docs/contracts/ibexa.md` §7.2).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SiteAccessMatch {
    /// SiteAccesses by host, without its port.
    #[serde(rename = "Map\\Host")]
    MapHost(BTreeMap<String, Target>),
    /// By the first segment of the path, percent-decoded.
    #[serde(rename = "Map\\URI")]
    MapUri(BTreeMap<String, Target>),
    /// By the port that the request names, or else that of the site's scheme.
    #[serde(rename = "Map\\Port")]
    MapPort(BTreeMap<String, Target>),
    /// The label of the host with this number, counted from 1.
    HostElement(NonZeroUsize),
    /// The part of the host between two texts.
    HostText(Around),
    /// As many segments of the path as this, joined by underscores.
    #[serde(rename = "URIElement")]
    UriElement(NonZeroUsize),
    /// The part between two texts at the beginning of the path.
    #[serde(rename = "URIText")]
    UriText(Around),
    /// A group of a regular expression that is searched for in the host.
    #[serde(rename = "Regex\\Host")]
    RegexHost(Capture),
    /// A group of a regular expression that is searched for in the path.
    #[serde(rename = "Regex\\URI")]
    RegexUri(Capture),
    /// The first entry all of whose matchers match.
    #[serde(rename = "Compound\\LogicalAnd")]
    LogicalAnd(Vec<Compound>),
    /// The first entry any of whose matchers matches.
    #[serde(rename = "Compound\\LogicalOr")]
    LogicalOr(Vec<Compound>),
}

/// What a map leads to.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "must be the name of a SiteAccess; within a compound, true as well")]
pub enum Target {
    /// A SiteAccess.
    Name(String),
    /// Within a compound: a match.
    Matches(bool),
}

/// What is around the name of a SiteAccess.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Around {
    /// The text before it.
    #[serde(default)]
    pub prefix: String,
    /// The text after it.
    #[serde(default)]
    pub suffix: String,
}

/// A group of a regular expression.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Capture {
    /// The expression.
    #[schemars(with = "String")]
    pub regex: SearchExpression,
    /// The number of the group. Default 1.
    #[serde(rename = "itemNumber", default = "first_group")]
    pub item_number: usize,
}

const fn first_group() -> usize {
    1
}

/// Matchers, and the SiteAccess that they lead to together.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Compound {
    /// The matchers.
    pub matchers: Vec<SiteAccessMatch>,
    /// The name of the SiteAccess.
    #[serde(rename = "match")]
    pub name: String,
}

impl Loaded {
    /// The SiteAccesses of `site`; none if it has only [`ONLY_SITE_ACCESS`].
    #[must_use]
    pub fn site_accesses(&self, site: &Site) -> Vec<&SiteAccessConfig> {
        self.config.site_access.iter().filter(|one| one.is_at(site)).collect()
    }

    /// The SiteAccess that the environment sets for `site`: variables are about the first one.
    #[must_use]
    pub fn site_access_of_environment(&self, site: &Site) -> Option<&str> {
        self.config.site_access_variable.as_deref().filter(|_| site.is_first)
    }
}

impl Config {
    /// Reads [`VARIABLE`].
    pub(super) fn read_site_access(&mut self, environment: &Environment) {
        self.site_access_variable = environment.get(VARIABLE).map(ToOwned::to_owned);
    }

    /// Whether guards of `site` select SiteAccesses.
    pub(super) fn has_site_accesses(&self, site: &Site) -> bool {
        self.site_access.iter().any(|one| one.is_at(site))
    }

    /// # Errors
    /// The first [`Problem`] of a SiteAccess, or of what selects one.
    pub(super) fn check_site_accesses(&self, sites: &[Site]) -> Result<(), Problem> {
        for (at, one) in self.site_access.iter().enumerate() {
            let wrong = |way: &[&'static str], text: &str| {
                let text = format!("site_access {:?}: {text}", one.name);
                Err(Problem::of_entry("site_access", at, way, text))
            };
            let is_name = |byte: u8| byte.is_ascii_alphanumeric() || b"-_".contains(&byte);
            if one.name.is_empty() || one.name.len() > 64 || !one.name.bytes().all(is_name) {
                let text = "name must be 1 to 64 letters, digits, dashes and underscores";
                return wrong(&["name"], text);
            }
            if let Some(site) = one.site.as_ref().filter(|name| !is_one_of(sites, name)) {
                return wrong(&["site"], &format!("site {site:?} does not exist"));
            }
            if self.site_access[..at].iter().any(|other| is_same(other, one, sites)) {
                return wrong(&["name"], "the site has another SiteAccess of this name");
            }
            if let Err((setting, text)) = one.session.check() {
                return wrong(&["session", setting], text);
            }
            if let Some(site) = sites.iter().find(|site| one.is_at(site) && !one.is_settable(site))
            {
                let text = format!(
                    "session.cookie_domain must be the host of the issuer of site {:?} or a parent of it; \
                     browsers drop the cookie otherwise",
                    site.name
                );
                return wrong(&["session", "cookie_domain"], &text);
            }
            let takes_jwts = |guard: &GuardConfig| !guard.is_http() && guard.takes_jwts_of_people();
            if !one.graphql_jwt && !self.guard.iter().any(takes_jwts) {
                let text = "graphql_jwt has no effect, as no GraphQL guard takes JWTs of people; remove it";
                return wrong(&["graphql_jwt"], text);
            }
        }
        self.check_defaults(sites)?;
        self.check_matches()?;
        let named = self.site_access_variable.as_deref();
        let is_known = |name: &str| {
            let mut of_first = self.site_access.iter().filter(|one| one.is_at(&sites[0]));
            of_first.any(|one| one.name == name)
                || (!self.has_site_accesses(&sites[0]) && name == ONLY_SITE_ACCESS)
        };
        match named.filter(|name| !is_known(name)) {
            Some(name) => Err(ConfigError::Environment(format!(
                "{VARIABLE}: {name:?} is no SiteAccess of the first site"
            ))
            .into()),
            None => Ok(()),
        }
    }

    /// One SiteAccess of each site is for requests that select none.
    fn check_defaults(&self, sites: &[Site]) -> Result<(), Problem> {
        for site in sites {
            let of_site = || self.site_access.iter().enumerate().filter(|(_, one)| one.is_at(site));
            let mut defaults = of_site().filter(|(_, one)| one.default);
            let problem = |at: usize, text: &str| {
                let name = &self.site_access[at].name;
                let text = format!("site_access {name:?}: {text}");
                Err(Problem::of_entry("site_access", at, &["default"], text))
            };
            match (defaults.next(), defaults.next(), of_site().nth(1)) {
                (_, Some((at, _)), _) => {
                    return problem(at, "another SiteAccess of the site is the default already");
                }
                (None, None, Some((at, _))) => {
                    let text = "a site with several SiteAccesses needs default = true for one of \
                                them";
                    return problem(at, text);
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_matches(&self) -> Result<(), Problem> {
        for (at, one) in self.site_access_match.iter().enumerate() {
            let found = if self.site_access.is_empty() {
                Err("there is no [[site_access]] that it could select".to_owned())
            } else {
                one.check(false, &|name| self.site_access.iter().any(|one| one.name == name))
            };
            found.map_err(|text| {
                let text = format!("site_access_match: {text}");
                Problem::of_entry("site_access_match", at, &[], text)
            })?;
        }
        Ok(())
    }
}

fn is_one_of(sites: &[Site], name: &str) -> bool {
    sites.iter().any(|site| site.name == name)
}

/// Whether two are SiteAccesses of one name and one site.
fn is_same(one: &SiteAccessConfig, other: &SiteAccessConfig, sites: &[Site]) -> bool {
    one.name == other.name && sites.iter().any(|site| one.is_at(site) && other.is_at(site))
}

impl SiteAccessMatch {
    /// Whether it can lead to a SiteAccess, all of which are known; within a compound, whether it can
    /// match.
    fn check(&self, is_within: bool, is_known: &dyn Fn(&str) -> bool) -> Result<(), String> {
        let name = |name: &String| {
            if is_known(name) { Ok(()) } else { Err(format!("SiteAccess {name:?} does not exist")) }
        };
        let target = |target: &Target| match target {
            Target::Name(one) => name(one),
            Target::Matches(true) if is_within => Ok(()),
            Target::Matches(_) => Err("true is possible within a compound, and false nowhere; \
                                       write the name of a SiteAccess"
                .to_owned()),
        };
        match self {
            Self::MapHost(map) => {
                check_hosts(map.keys())?;
                map.values().try_for_each(target)
            }
            Self::MapUri(map) => map.iter().try_for_each(|(segment, to)| {
                if segment.is_empty() || segment.contains('/') {
                    return Err(format!("Map\\URI: {segment:?} is not one segment of a path"));
                }
                target(to)
            }),
            Self::MapPort(map) => map.iter().try_for_each(|(port, to)| {
                let is_port =
                    port.parse::<NonZeroU16>().is_ok_and(|read| read.to_string() == *port);
                if is_port { target(to) } else { Err(format!("Map\\Port: {port:?} is not a port")) }
            }),
            Self::HostElement(_) | Self::UriElement(_) => Ok(()),
            Self::HostText(around) | Self::UriText(around) => {
                if around.prefix.is_empty() && around.suffix.is_empty() {
                    return Err("HostText and URIText need prefix or suffix".to_owned());
                }
                Ok(())
            }
            Self::RegexHost(capture) | Self::RegexUri(capture) => {
                if capture.item_number > capture.regex.groups() {
                    return Err(format!(
                        "itemNumber {} is more than the groups of regex",
                        capture.item_number
                    ));
                }
                Ok(())
            }
            Self::LogicalAnd(compounds) | Self::LogicalOr(compounds) => {
                compounds.iter().try_for_each(|compound| {
                    if compound.matchers.is_empty() {
                        return Err("a compound needs matchers".to_owned());
                    }
                    name(&compound.name)?;
                    compound.matchers.iter().try_for_each(|inner| inner.check(true, is_known))
                })
            }
        }
    }
}

/// Whether each of `hosts` is one, and none is there twice.
fn check_hosts<'a>(hosts: impl Iterator<Item = &'a String>) -> Result<(), String> {
    let mut before = Vec::new();
    for host in hosts {
        let plain = !host.is_empty()
            && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._[]:".contains(&b))
            && (!host.contains(':') || host.starts_with('['))
            && crate::wire::host::parts(host).1.is_none();
        let lower = host.to_ascii_lowercase();
        if !plain || before.contains(&lower) {
            let text =
                format!("Map\\Host: {host:?} is not the name of a host without a port, once");
            return Err(text);
        }
        before.push(lower);
    }
    Ok(())
}
