//! Which guards know people by their password, or by what they got for it
//! (`docs/contracts/ibexa.md` §§4, 5).

use http::HeaderValue;

use super::{
    Anonymous, Config, GuardConfig, GuardProtocol, Method, Term,
    guard_check::{Wrong, wrong},
};
use crate::dialects::{BasicOf, JwtOf};

impl GuardConfig {
    /// Whether JWTs that people got for their password are read.
    #[must_use]
    pub fn takes_jwts_of_people(&self) -> bool {
        let is_theirs = self.speaks().is_some_and(|speech| speech.jwt == JwtOf::People);
        is_theirs && self.authenticate.list().contains(&Method::Jwt)
    }

    /// Whether people get such JWTs here. Who has no credential yet must be let in for that.
    #[must_use]
    pub fn creates_tokens(&self) -> bool {
        self.takes_jwts_of_people() && self.create_token.unwrap_or(!self.refuses_who_asks())
    }

    /// Whether nobody comes as far as asking for a JWT who does not have one. Endpoints of a dialect
    /// are before the gate, a mutation is behind it.
    fn refuses_who_asks(&self) -> bool {
        self.protocol == GuardProtocol::Graphql
            && (self.anonymous == Some(Anonymous::Refused) || self.only_with_authorization)
    }

    /// Whether names and passwords of people are read.
    #[must_use]
    pub fn takes_passwords_of_people(&self) -> bool {
        self.takes_basic_of(BasicOf::People)
    }

    /// Whether ids and secrets of clients are read.
    #[must_use]
    pub fn takes_secrets_of_clients(&self) -> bool {
        self.takes_basic_of(BasicOf::Clients)
    }

    fn takes_basic_of(&self, whose: BasicOf) -> bool {
        let read = self.speaks().map_or(BasicOf::Clients, |speech| speech.basic);
        read == whose && self.authenticate.list().contains(&Method::Basic)
    }

    /// How callers are asked for a name and a password (RFC 7617 §2); `None` if none are read.
    #[must_use]
    pub fn basic_challenge(&self) -> Option<HeaderValue> {
        if !self.authenticate.list().contains(&Method::Basic) {
            return None;
        }
        let realm = self.realm.as_deref().unwrap_or("castellan");
        let escaped = realm.replace('\\', "\\\\").replace('"', "\\\"");
        // Contracts have it without a charset, which is UTF-8 whatever it says.
        let charset = if self.takes_passwords_of_people() { "" } else { ", charset=\"UTF-8\"" };
        HeaderValue::from_str(&format!("Basic realm=\"{escaped}\"{charset}")).ok()
    }

    /// What is said of a credential that is missing, of one that has expired, and of one that is not
    /// valid for another reason, where the contract says it (`docs/contracts/ibexa.md` §§2.2, 4.3).
    pub(crate) fn credential_problems(&self) -> Option<[&'static str; 3]> {
        const PASSWORD: &str = "Invalid login or password";
        if self.takes_jwts_of_people() {
            return Some(["JWT Token not found", "Expired JWT Token", "Invalid JWT Token"]);
        }
        let missing = "The user is not authenticated.";
        self.takes_passwords_of_people().then_some([missing, PASSWORD, PASSWORD])
    }

    /// The paths below its own that are its own although a request shows nothing, where it leaves such
    /// requests to other guards.
    pub(crate) fn keeps(&self) -> &'static [&'static str] {
        let endpoints = self.speaks().and_then(|speech| speech.endpoints.as_ref());
        let endpoints = endpoints.filter(|_| self.is_http() && self.creates_tokens());
        endpoints.map_or(&[], |endpoints| endpoints.create_tokens)
    }

    /// Whether requests that it leaves to others have a guard.
    pub(super) fn check_only_with_authorization(&self, config: &Config) -> Result<(), Wrong> {
        if !self.only_with_authorization {
            return Ok(());
        }
        let way = &["only_with_authorization"];
        if !self.takes_jwts_of_people() {
            let text = "only_with_authorization is for guards with dialect = \"ibexa\" and authenticate = \
                        \"jwt\"; remove it";
            return wrong(way, text);
        }
        let mut later = config.guard.iter().skip_while(|other| other.name != self.name).skip(1);
        let meets =
            |other: &Self| self.site.is_none() || other.site.is_none() || self.site == other.site;
        if later.any(|other| other.path == self.path && meets(other)) {
            return Ok(());
        }
        let text = "only_with_authorization leaves requests without that header to another guard, but \
                    none of the same path stands after this one; add one, such as one with authenticate = \
                    \"session\"";
        wrong(way, text)
    }

    /// What concerns passwords, and tokens for them.
    pub(super) fn check_passwords(&self) -> Result<(), Wrong> {
        if let Some(realm) = &self.realm {
            if !self.authenticate.list().contains(&Method::Basic) {
                let text =
                    "realm has no effect, as authenticate does not list \"basic\"; remove it";
                return wrong(&["realm"], text);
            }
            let is_text = |byte: u8| byte.is_ascii_graphic() || byte == b' ';
            if realm.trim().is_empty() || !realm.bytes().all(is_text) {
                let text = "realm must be a name in ASCII, such as \"Example API\"";
                return wrong(&["realm"], text);
            }
        }
        // No app has scopes that would bound what a person may do.
        let is_bound = self.requires(Term::Person) || self.requires(Term::Policy);
        if (self.takes_jwts_of_people() || self.takes_passwords_of_people()) && !is_bound {
            let text = "authenticate: \"basic\" and \"jwt\" need require = [\"person\"] in this dialect: \
                        there is no app whose scopes would bound what people may do, so roles have to";
            return wrong(&["authenticate"], text);
        }
        if self.create_token.is_some() && !self.takes_jwts_of_people() {
            let text = "create_token has no effect: it is for guards with dialect = \"ibexa\" whose \
                        authenticate lists \"jwt\"; remove it";
            return wrong(&["create_token"], text);
        }
        if self.create_token == Some(true) && self.refuses_who_asks() {
            let text = "create_token contradicts anonymous = \"refused\" and only_with_authorization at a \
                        GraphQL guard: callers without a token are refused there; remove one of them";
            return wrong(&["create_token"], text);
        }
        Ok(())
    }
}
