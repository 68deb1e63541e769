//! Settings of guards with `protocol = "http"`: what does not apply to them is refused, and so is what
//! applies to them alone at others.

use castellan_gate::{
    Limits, NamedBy,
    rest::{MapError, Operation, RestMap, strip_rest_request_headers},
};
use http::{HeaderMap, HeaderName, HeaderValue, header};

use super::{
    GuardConfig, GuardProtocol, HostExpression, Method, Site,
    guard_check::{Wrong, wrong},
};
use crate::wire::host;

impl GuardConfig {
    /// Whether it guards an API over HTTP that is not GraphQL, at its path and below it.
    #[must_use]
    pub fn is_http(&self) -> bool {
        self.protocol == GuardProtocol::Http
    }

    /// The operations that its settings name, each with its scope.
    ///
    /// # Errors
    /// [`MapError`] if one cannot be decided on.
    pub fn rest_operations(&self) -> Result<Vec<Operation>, MapError> {
        let operations = self.operations.iter();
        let read = |(place, required): (&String, &castellan_proto::scope::RequiredScope)| {
            Operation::read(place, required.clone(), NamedBy::Override)
        };
        operations.map(read).collect()
    }

    pub(super) fn check_protocol(&self) -> Result<(), Wrong> {
        if !self.is_http() {
            return self.check_graphql();
        }
        if let Some((way, why)) = self.of_graphql_alone() {
            let text = format!("{} {why} with protocol = \"http\"; remove it", way.join("."));
            return wrong(way, text);
        }
        if self.websocket_idle.is_some() && !self.websocket {
            let text = "websocket_idle has no effect without websocket = true";
            return wrong(&["websocket_idle"], text);
        }
        let Some(upstream) = &self.upstream else {
            return wrong(&["upstream"], "a guard with protocol = \"http\" needs upstream");
        };
        if upstream.query().is_some() {
            let text = "upstream must not have a query with protocol = \"http\": requests have their \
                        own";
            return wrong(&["upstream"], text);
        }
        if self.speaks().is_some_and(|dialect| !dialect.http) {
            let text = format!(
                "dialect = {:?} is about GraphQL, and has no effect with protocol = \"http\"; remove \
                 it",
                self.dialect.as_deref().unwrap_or_default()
            );
            return wrong(&["dialect"], text);
        }
        if self.operations.is_empty() && self.openapi.is_none() {
            let text = "a guard with protocol = \"http\" lets nothing through without operations: \
                        set openapi, or add [guard.operations], such as \"GET /orders\" = \"Query:Order:List\"";
            return wrong(&["protocol"], text);
        }
        if let Some(place) = self.unreached() {
            let text = format!(
                "operations: {place:?} is never reached: this dialect has an endpoint of its own at that \
                 path; remove it"
            );
            return wrong(&["operations"], text);
        }
        let map = self.rest_operations().and_then(RestMap::new);
        map.map(drop).or_else(|error| wrong(&["operations"], format!("operations: {error}")))
    }

    /// An operation of its own at a path that its dialect answers itself.
    fn unreached(&self) -> Option<&str> {
        let endpoints = self.speaks()?.endpoints.as_ref()?;
        let is_within = |path: &str| {
            let mut rests = endpoints.paths.iter().filter_map(|own| path.strip_prefix(own));
            rests.any(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        let mut places = self.operations.keys().map(String::as_str);
        places.find(|place| place.split_once(' ').is_some_and(|(_, path)| is_within(path)))
    }

    /// Whether its host can be told never to be one of our pages.
    pub(super) fn check_own_host(&self, sites: &[Site]) -> Result<(), Wrong> {
        if !self.own_host {
            return Ok(());
        }
        let Some(own) = self.host.as_ref().and_then(HostExpression::only) else {
            let text = "own_host needs a host that is written out, such as host = \
                        '^files\\.example\\.com$': letters, digits and dashes, dots as \\., and nothing \
                        that could match another host";
            return wrong(&["own_host"], text);
        };
        if self.authenticate.list().contains(&Method::Session) {
            let text = "own_host: a guard with a host of its own cannot take sessions, since scripts of \
                        the API could read them there; set authenticate to another method";
            return wrong(&["own_host"], text);
        }
        let of_issuer = |site: &&Site| host::parts(site.issuer.authority()).0 == own;
        match sites.iter().find(of_issuer) {
            None => Ok(()),
            Some(site) => {
                let text = format!(
                    "own_host: {own} is the host of the pages of site {:?}; give the guard a host on \
                     which nobody signs in",
                    site.name
                );
                wrong(&["own_host"], text)
            }
        }
    }

    /// A setting of APIs over HTTP, which means nothing at others.
    fn of_http_alone(&self) -> Option<&'static [&'static str]> {
        let settings: [(&[&str], bool); 3] = [
            (&["websocket"], self.websocket),
            (&["websocket_idle"], self.websocket_idle.is_some()),
            (&["own_host"], self.own_host),
        ];
        settings.into_iter().find(|(_, is_set)| *is_set).map(|(way, _)| way)
    }

    fn check_graphql(&self) -> Result<(), Wrong> {
        if let Some(way) = self.of_http_alone() {
            let text = format!("{} needs protocol = \"http\"", way[0]);
            return wrong(way, text);
        }
        if self.openapi.is_some() {
            return wrong(&["openapi"], "openapi has no effect without protocol = \"http\"");
        }
        if self.operations.is_empty() {
            return Ok(());
        }
        let text =
            "operations has no effect without protocol = \"http\"; for GraphQL use overrides";
        wrong(&["operations"], text)
    }

    /// A setting about GraphQL, and why it means nothing here.
    fn of_graphql_alone(&self) -> Option<(&'static [&'static str], &'static str)> {
        const NO_EFFECT: &str = "has no effect";
        const NO_FILE: &str = "has no effect without openapi";
        let no_file = self.openapi.is_none();
        let settings: [(&[&str], &str, bool); 12] = [
            (&["at_root"], NO_EFFECT, self.at_root.is_some()),
            (&["schema"], NO_EFFECT, self.schema.is_some()),
            (&["upstream_enforces"], NO_EFFECT, !self.upstream_enforces.is_empty()),
            (&["naming"], NO_EFFECT, self.naming.is_some()),
            (&["overrides"], "is called operations", !self.overrides.is_empty()),
            (&["on_deny"], NO_EFFECT, self.on_deny.is_some()),
            (&["introspection"], NO_EFFECT, self.introspection.is_some()),
            (&["forms"], NO_EFFECT, self.forms.is_some()),
            (&["session"], NO_EFFECT, self.session.is_some()),
            (
                &["limits"],
                "bounds documents, which there are none of",
                self.limits != Limits::default(),
            ),
            (&["schema_refresh"], NO_FILE, no_file && self.schema_refresh.is_some()),
            (&["lock"], NO_FILE, no_file && self.lock.is_some()),
        ];
        settings.into_iter().find(|(.., is_set)| *is_set).map(|(way, why, _)| (way, why))
    }

    /// Why stripping the header `name` on the way to an API over HTTP would change nothing.
    pub(super) fn unstrippable_over_http(name: &str) -> Option<&'static str> {
        let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
        if matches!(name, header::HOST | header::CONTENT_LENGTH) {
            return Some("is set by the guard itself and needed by the API");
        }
        let mut headers = HeaderMap::from_iter([(name, HeaderValue::from_static("x"))]);
        strip_rest_request_headers(&mut headers, &[]);
        headers.is_empty().then_some("is never forwarded anyway")
    }
}
