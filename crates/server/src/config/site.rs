//! One `[[site]]`: a public face, and the tenant behind it (`docs/rules.md` rule 42). What is kept
//! for one site is nothing to another.

use castellan_issuer::{language::Language, records::GroupsClaim, settings::RegistrationSettings};
use castellan_proto::{Secret, is_identifier, jose::HmacKey};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{Config, ConfigError, IssuerUrl, check::Problem};

/// A tenant.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SiteConfig {
    /// Its name, which also identifies it in the data source.
    pub name: String,
    /// Title of its pages. Default: the name.
    pub title: Option<String>,
    /// Languages of its pages, of `en`, `ca`, `es`, `de` and `fr`: each person reads the one that their
    /// browser or the app asks for, and the first one if it asks for none of them. Default: all of them,
    /// English first.
    pub languages: Option<Vec<Language>>,
    /// Public URL of the site, and the `iss` of its tokens. Default for the first site: the
    /// `issuer` of the file.
    pub issuer: Option<IssuerUrl>,
    /// Further host names of the site. A name with a port matches that port only.
    #[serde(default)]
    pub hosts: Vec<String>,
    /// Minimum length of passwords at this site, in characters. Default: that of `[security]`.
    pub password_min_length: Option<usize>,
    /// The claims of access tokens that name groups at this site. Default: those of `[tokens]`.
    pub groups_claims: Option<Vec<GroupsClaim>>,
    /// Who may register clients at this site. Default: as `[registration]` of the file says.
    pub registration: Option<RegistrationSettings>,
}

/// A public face, with all defaults filled in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Site {
    /// Its name, which also identifies it in the data source.
    pub name: String,
    /// What people read on its pages.
    pub title: String,
    /// The languages of its pages, of which the first is for everybody who wants none of them.
    pub languages: Vec<Language>,
    /// Where the world reaches it.
    pub issuer: IssuerUrl,
    /// What a request's `Host` must be to lead here; empty if every host does.
    pub hosts: Vec<String>,
    /// The first one, which the documents' own variables are about.
    pub is_first: bool,
    /// Characters that people's passwords have at least.
    pub password_min_length: usize,
    /// The claims of access tokens that name groups.
    pub groups_claims: Vec<GroupsClaim>,
    /// Who may register clients.
    pub registration: RegistrationSettings,
}

impl Site {
    /// The key that `secret` of a document's own variable signs with here: the secret itself at the
    /// first site, and one derived from it elsewhere, so that no token of one site verifies at
    /// another.
    #[must_use]
    pub fn signing_key(&self, secret: &Secret) -> HmacKey {
        let key = HmacKey::new(secret.expose().as_bytes());
        if self.is_first {
            return key;
        }
        HmacKey::new(&key.code(format!("castellan site\0{}", self.name).as_bytes()))
    }
}

/// The languages of the pages of `site`.
fn languages(site: &SiteConfig) -> Result<Vec<Language>, String> {
    let Some(languages) = &site.languages else { return Ok(Language::ALL.to_vec()) };
    let is_twice = |(at, one): (usize, &Language)| languages[..at].contains(one);
    if languages.is_empty() || languages.iter().enumerate().any(is_twice) {
        let text = "languages must name at least one language, and each of them once";
        return Err(format!("site {:?}: {text}", site.name));
    }
    Ok(languages.clone())
}

impl Config {
    /// The sites that are served: those of the file, or one that answers to every host.
    ///
    /// # Errors
    /// [`ConfigError`] if two of them could not be told apart.
    pub fn sites(&self) -> Result<Vec<Site>, ConfigError> {
        self.placed_sites().map_err(Problem::anywhere)
    }

    /// The same, with the place of what is wrong.
    pub(super) fn placed_sites(&self) -> Result<Vec<Site>, Problem> {
        let mut sites: Vec<Site> = Vec::new();
        for (at, written) in self.site.iter().enumerate() {
            let conflict = |way, text: String| Err(Problem::of_entry("site", at, way, text));
            let name = &written.name;
            if !is_identifier(name) {
                let text = "name must be letters, digits, dots, dashes and underscores";
                return conflict(&["name"], format!("site {name:?}: {text}"));
            }
            let issuer = match (&written.issuer, at) {
                (Some(issuer), _) => issuer.clone(),
                (None, 0) => self.issuer.clone(),
                (None, _) => {
                    let text = "every site but the first needs its own issuer";
                    return conflict(&[], format!("site {name:?}: {text}"));
                }
            };
            let site = Site {
                name: name.clone(),
                title: written.title.clone().unwrap_or_else(|| name.clone()),
                languages: languages(written)
                    .map_err(|text| Problem::of_entry("site", at, &["languages"], text))?,
                hosts: self.hosts(at, written, &issuer)?,
                issuer,
                is_first: at == 0,
                password_min_length: written
                    .password_min_length
                    .unwrap_or(self.security.password_min_length),
                groups_claims: written
                    .groups_claims
                    .clone()
                    .unwrap_or_else(|| self.tokens.groups_claims.clone()),
                registration: self.registration_at(written),
            };
            let twin = |other: &&Site| {
                other.name == site.name
                    || other.issuer == site.issuer
                    || other.hosts.iter().any(|host| site.hosts.contains(host))
            };
            if let Some(other) = sites.iter().find(twin) {
                let text = "have the same name, issuer or host; these must be unique";
                return conflict(&[], format!("sites {:?} and {name:?} {text}", other.name));
            }
            sites.push(site);
        }
        if sites.is_empty() {
            sites.push(Site {
                name: "default".to_owned(),
                title: "Castellan".to_owned(),
                languages: Language::ALL.to_vec(),
                issuer: self.issuer.clone(),
                hosts: Vec::new(),
                is_first: true,
                password_min_length: self.security.password_min_length,
                groups_claims: self.tokens.groups_claims.clone(),
                registration: self.registration.clone(),
            });
        }
        Ok(sites)
    }

    /// The hosts that lead to a site; none for one that stands alone and names none.
    fn hosts(
        &self,
        at: usize,
        site: &SiteConfig,
        issuer: &IssuerUrl,
    ) -> Result<Vec<String>, Problem> {
        if self.site.len() == 1 && site.hosts.is_empty() {
            return Ok(Vec::new());
        }
        let mut hosts = vec![issuer.authority().to_ascii_lowercase()];
        for host in &site.hosts {
            let plain = !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.:[]".contains(&b));
            if !plain {
                let text = format!(
                    "site {:?}: hosts: {host:?} is not a host name such as \"org1.example.org\"",
                    site.name
                );
                return Err(Problem::of_entry("site", at, &["hosts"], text));
            }
            let host = host.to_ascii_lowercase();
            if !hosts.contains(&host) {
                hosts.push(host);
            }
        }
        Ok(hosts)
    }
}
