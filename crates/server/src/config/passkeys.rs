//! The `[passkeys]` table: what passkeys are bound to (WebAuthn Level 3 §§5.1.3, 13.4.9).

use castellan_issuer::settings::RelyingParty;
use castellan_proto::is_origin;
use schemars::JsonSchema;
use serde::Deserialize;
use url::{Host, Url};

use super::{Config, Site, check::Problem};

/// Passkeys. Without the table there are none.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct PasskeysConfig {
    /// The domain that passkeys are bound to (RP ID): the host of the issuer of every site, or a domain
    /// above it. Passkeys that were registered with another one no longer work. Default: the host of the
    /// site's issuer.
    pub rp_id: Option<String>,
    /// Origins, besides that of the issuer, of pages on which people register and use passkeys, such as
    /// `"https://account.example.org"`. Their hosts are `rp_id`, or below it. Default: none.
    pub origins: Vec<String>,
}

impl PasskeysConfig {
    /// What passkeys of `site` are bound to.
    ///
    /// # Errors
    /// Which setting is wrong, and why.
    pub(crate) fn relying_party(
        &self,
        site: &Site,
    ) -> Result<RelyingParty, (&'static str, String)> {
        let issuer = site.issuer.as_str();
        let host = host_of(issuer).ok_or_else(|| {
            let text = format!(
                "passkeys: the issuer {issuer:?} has an address as its host, and browsers bind \
                 passkeys to names only; give the issuer a name"
            );
            ("passkeys", text)
        })?;
        if !site.issuer.is_https() && host != "localhost" && !host.ends_with(".localhost") {
            let text = format!("passkeys: browsers have none at {issuer:?}, which is not https");
            return Err(("passkeys", text));
        }
        let id = self.rp_id.clone().unwrap_or_else(|| host.clone());
        let is_domain = host_of(&format!("https://{id}")).is_some_and(|read| read == id);
        let is_whole = id == "localhost" || id.contains('.');
        if !is_domain || !is_whole || !is_below(&host, &id) {
            // What is no domain may be anything, and is not shown.
            let shown = if is_domain { format!("{id:?} ") } else { String::new() };
            let text = format!(
                "passkeys.rp_id: {shown}must be {host:?}, the host of the issuer of site {:?}, or a \
                 domain above it, such as \"example.org\" above \"id.example.org\"",
                site.name
            );
            return Err(("rp_id", text));
        }
        let covered = |origin: &&String| host_of(origin).is_some_and(|host| is_below(&host, &id));
        let mut origins = vec![issuer.to_owned()];
        origins.extend(self.origins.iter().filter(covered).cloned());
        Ok(RelyingParty { id, origins })
    }
}

impl Config {
    pub(super) fn check_passkeys(&self, sites: &[Site]) -> Result<(), Problem> {
        let Some(passkeys) = &self.passkeys else { return Ok(()) };
        let mut parties = Vec::new();
        for site in sites {
            let party = passkeys.relying_party(site);
            parties.push(party.map_err(|(key, text)| at(key, &text))?);
        }
        // Not shown: what is none may have a password in it.
        for (place, origin) in passkeys.origins.iter().enumerate() {
            let is_local = host_of(origin)
                .is_some_and(|host| host == "localhost" || host.ends_with(".localhost"));
            if !is_origin(origin) || !(origin.starts_with("https://") || is_local) {
                let text = format!(
                    "passkeys.origins[{place}] is not an https origin such as \
                     \"https://account.example.org\""
                );
                return Err(at("origins", &text));
            }
            if !parties.iter().any(|party| party.origins.contains(origin)) {
                let ids: Vec<_> = parties.iter().map(|party| &*party.id).collect();
                let text = format!(
                    "passkeys.origins: no page of {origin:?} can use passkeys that are bound to {}; \
                     set passkeys.rp_id to a domain above both hosts, or remove the origin",
                    ids.join(", ")
                );
                return Err(at("origins", &text));
            }
        }
        Ok(())
    }
}

fn at(key: &'static str, text: &str) -> Problem {
    if key == "passkeys" {
        return Problem::at(&["passkeys"], text);
    }
    Problem::at(&["passkeys", key], text)
}

/// The name that is the host of `url`, if it is a name.
fn host_of(url: &str) -> Option<String> {
    match Url::parse(url).ok()?.host()? {
        Host::Domain(name) => Some(name.to_owned()),
        Host::Ipv4(_) | Host::Ipv6(_) => None,
    }
}

/// Whether `host` is `domain`, or below it.
fn is_below(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|head| head.is_empty() || head.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::super::Config;

    fn refusal_of(text: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        Config::load(Some(file.path()), []).err().map(|error| error.to_string())
    }

    #[test]
    fn passkeys_are_bound_to_the_host_of_the_issuer_or_a_domain_above_it() {
        let id = "issuer = \"https://id.example.org\"\n[passkeys]\n";
        let origin = "rp_id = \"example.org\"\norigins = [\"https://account.example.org\"]\n";
        for good in [
            id.to_owned(),
            format!("{id}rp_id = \"id.example.org\""),
            format!("{id}{origin}"),
            "[passkeys]\norigins = [\"http://localhost:3000\"]".to_owned(),
            "issuer = \"http://my.localhost:8080\"\n[passkeys]".to_owned(),
        ] {
            assert_eq!(refusal_of(&good), None, "{good}");
        }
        for (wrong, why) in [
            ("issuer = \"http://127.0.0.1:8080\"\n[passkeys]".to_owned(), "has an address"),
            (format!("{id}rp_id = \"org\""), "rp_id: \"org\" must be \"id.example.org\""),
            (format!("{id}rp_id = \"ample.org\""), "must be"),
            (format!("{id}rp_id = \"account.example.org\""), "must be"),
            (format!("{id}rp_id = \"Example.org\""), "must be"),
            (format!("{id}rp_id = \"\""), "must be"),
            (format!("{id}origins = [\"https://account.example.org\"]"), "bound to id.example.org"),
            (format!("{id}origins = [\"http://id.example.org\"]"), "not an https origin"),
            (format!("{id}origins = [\"https://id.example.org/\"]"), "not an https origin"),
            (format!("{id}origin = \"https://id.example.org\""), "unknown field"),
        ] {
            let text = refusal_of(&wrong).unwrap_or_else(|| panic!("accepted: {wrong}"));
            assert!(text.contains(why), "{wrong}\n{text}");
        }
    }
}
