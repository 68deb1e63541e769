//! `User` documents (`docs/rules.md` §13, `docs/contracts/aidbox.md` §2.2).

use castellan_proto::{Digest, Secret};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Choice, Facts, How, Parameter, Problem, Resource, personal_details,
    search::{
        Filter, FilterAttribute, FilterType, ListError, Listed, Listing, Sort, SortAttribute,
        SortOrder,
    },
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{Account, Address, Name, PersonalDetails, login_name},
    secrets::{
        hashing::Match,
        imported::Imported,
        policy::{Unacceptable, has_invisible},
    },
    store::StoreError,
};

/// A person.
#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct UserDocument {
    user_name: String,
    password: Option<Secret>,
    /// A hash that another program made of the password: Argon2, bcrypt, scrypt or PBKDF2.
    password_hash: Option<Secret>,
    #[serde(default)]
    name: Name,
    email: Option<String>,
    #[serde(default)]
    emails: Vec<Email>,
    #[serde(default)]
    groups: Vec<Group>,
    // By the names that claims have (OIDC Core §5.1).
    #[serde(rename = "middle_name")]
    middle_name: Option<String>,
    nickname: Option<String>,
    profile: Option<String>,
    picture: Option<String>,
    website: Option<String>,
    gender: Option<String>,
    birthdate: Option<String>,
    zoneinfo: Option<String>,
    locale: Option<String>,
    /// Telephone number; also accepted as `phoneNumber`.
    #[serde(rename = "phone_number", alias = "phoneNumber")]
    phone_number: Option<String>,
    address: Option<Address>,
    inactive: Option<bool>,
    active: Option<bool>,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Email {
    value: String,
    #[serde(default)]
    primary: bool,
}

#[derive(Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Group {
    value: String,
}

impl Resource for UserDocument {
    type Record = Account;

    const NAME: &'static str = "User";
    const IS_NUMEROUS: bool = true;
    const FILTERS: &'static [FilterAttribute] =
        &[FilterAttribute::UserName, FilterAttribute::Email];
    const SECRET_MEMBERS: &'static [&'static str] = &["password"];
    const SYNONYMS: &'static [&'static [&'static str]] =
        &[&["inactive", "active"], &["phone_number", "phoneNumber"]];
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "userName", paths: &["userName"], how: How::Token },
        Parameter { name: "email", paths: &["emails.value"], how: How::Token },
        Parameter {
            name: "name",
            paths: &["name.givenName", "name.familyName", "name.formatted"],
            how: How::Text,
        },
        Parameter { name: "phoneNumber", paths: &["phone_number"], how: How::Token },
        Parameter { name: "gender", paths: &["gender"], how: How::Token },
        Parameter { name: "inactive", paths: &["inactive"], how: How::Boolean },
        Parameter { name: "active", paths: &["inactive"], how: How::Opposite },
    ];
    const SECRETS: Option<fn(&Account) -> Vec<String>> =
        Some(|account| account.password.iter().cloned().collect());

    #[cfg(feature = "schema")]
    fn schema() -> schemars::Schema {
        schemars::schema_for!(Self)
    }

    fn show(id: &str, account: &Account) -> Value {
        let mut shown = json!({
            "resourceType": "User",
            "id": id,
            "userName": account.user_name,
        });
        if account.name != Name::default() {
            shown["name"] = json!(account.name);
        }
        personal_details::show(&account.details, &mut shown);
        if !account.emails.is_empty() {
            let emails = account.emails.iter().enumerate();
            shown["emails"] = emails
                .map(|(at, value)| match at {
                    0 => json!({"value": value, "primary": true}),
                    _ => json!({"value": value}),
                })
                .collect();
        }
        if !account.groups.is_empty() {
            shown["groups"] = account.groups.iter().map(|value| json!({"value": value})).collect();
        }
        if !account.active {
            shown["inactive"] = json!(true);
        }
        shown
    }

    fn facts(_: &str, record: &Account) -> Facts {
        Facts {
            name: login_name(&record.user_name),
            created: record.created,
            modified: record.modified,
        }
    }

    fn incarnation(_: &str, record: &Account) -> String {
        incarnation(record.incarnation, record.created)
    }

    fn choice(name: &str, value: &str) -> Option<Choice> {
        matches!(name, "userName" | "email").then(|| Choice::Name(login_name(value)))
    }

    async fn search(
        issuer: &Issuer,
        listing: &Listing,
        sort: Option<Sort>,
    ) -> Result<Listed, ListError> {
        if let Some(filter) = &listing.filter {
            return issuer.people(listing, filter, sort).await;
        }
        // The index of names has them in this order: a page costs the same however many there are.
        if sort == Some(BY_NAME) && listing.skip == 0 {
            return issuer.people(listing, &everybody(), None).await;
        }
        issuer.everything::<Self>(listing, sort).await
    }

    async fn settle(
        issuer: &Issuer,
        id: &str,
        account: Option<&Account>,
    ) -> Result<(), StoreError> {
        issuer.settle_sessions(id, account).await
    }

    async fn read(
        mut self,
        issuer: &Issuer,
        before: Option<&Account>,
    ) -> Result<(Account, bool), Problem> {
        self.check_name()?;
        let details = self.take_details();
        personal_details::check(&details).map_err(Problem::Text)?;
        let mut emails = self.emails;
        emails.sort_by_key(|email| !email.primary);
        let emails: Vec<String> =
            self.email.into_iter().chain(emails.into_iter().map(|email| email.value)).collect();
        if let Some(bad) = emails.iter().find(|email| !email.contains('@') || email.len() > 254) {
            return Err(Problem::Text(format!("emails: {bad:?} is not an e-mail address")));
        }
        let active = match (self.active, self.inactive) {
            (Some(_), Some(_)) => {
                return Err(Problem::Text("set either active or inactive, not both".to_owned()));
            }
            (Some(active), None) => active,
            (None, inactive) => inactive != Some(true),
        };
        let Password { stored, imported, changed } =
            Password::read(issuer, (self.password, self.password_hash), before).await?;
        let account = Account {
            user_name: self.user_name,
            password: stored,
            imported,
            name: self.name,
            details,
            emails,
            groups: self.groups.into_iter().map(|group| group.value).collect(),
            active,
            created: before.map_or(issuer.now(), |before| before.created),
            modified: issuer.now(),
            incarnation: before.map_or_else(fresh_incarnation, |before| before.incarnation),
            password_set: match before {
                Some(before) if !changed => before.password_set,
                _ => issuer.now(),
            },
            generation: generation(before, changed, active),
            ended_sessions: before.map(|before| before.ended_sessions.clone()).unwrap_or_default(),
        };
        Ok((account, changed))
    }
}

const BY_NAME: Sort = Sort { by: SortAttribute::Name, order: SortOrder::Ascending };

/// All people, by their user names.
const fn everybody() -> Filter {
    Filter { by: FilterAttribute::UserName, how: FilterType::StartsWith, value: String::new() }
}

/// What is stored of a password.
struct Password {
    /// Its hash.
    stored: Option<String>,
    /// The digest of the hash as it was imported.
    imported: Option<String>,
    /// Whether it is another one than before.
    changed: bool,
}

impl Password {
    /// One that is not written stays.
    async fn read(
        issuer: &Issuer,
        written: (Option<Secret>, Option<Secret>),
        before: Option<&Account>,
    ) -> Result<Self, Problem> {
        let kept = before.and_then(|before| before.password.clone());
        match written {
            (Some(_), Some(_)) => {
                Err(Problem::Text("set either password or passwordHash, not both".to_owned()))
            }
            (None, None) => {
                let imported = before.and_then(|before| before.imported.clone());
                Ok(Self { stored: kept, imported, changed: false })
            }
            (Some(secret), None) => {
                let written = issuer.settings().secrets.password(&secret);
                let written = written.map_err(|why| match why {
                    Unacceptable::Blank => format!("password {why}"),
                    Unacceptable::Hash(_) => format!("password: {why}"),
                    Unacceptable::Short(_) => format!(
                        "password {why}; choose a longer one, or set password_min_length of the site"
                    ),
                })?;
                let (stored, changed) =
                    match issuer.passwords().compare(&secret, kept.as_deref()).await? {
                        Match::Yes => (kept, false),
                        other => {
                            let phc = issuer.passwords().hash(&written).await?;
                            (Some(phc), other == Match::No)
                        }
                    };
                Ok(Self { stored, imported: None, changed })
            }
            (None, Some(hash)) => {
                let hash = hash.expose();
                Imported::read(hash).map_err(|why| format!("passwordHash {why}"))?;
                let digest = Some(Digest::of(hash.as_bytes()).text());
                let is_known = before.is_some_and(|before| before.imported == digest);
                if is_known || kept.as_deref() == Some(hash) {
                    return Ok(Self { stored: kept, imported: digest, changed: false });
                }
                Ok(Self { stored: Some(hash.to_owned()), imported: digest, changed: true })
            }
        }
    }
}

/// A new password and a deactivation end all sessions for good: whoever is activated again has to
/// sign in again.
fn generation(before: Option<&Account>, is_password_new: bool, active: bool) -> u32 {
    let Some(before) = before else { return Account::first_generation() };
    let mut after = before.clone();
    if is_password_new || (before.active && !active) {
        after.end_sessions();
    }
    after.generation
}

impl UserDocument {
    fn check_name(&self) -> Result<(), Problem> {
        let wrong = |text: &str| Err(Problem::Text(text.to_owned()));
        if self.user_name.trim().is_empty() || self.user_name.len() > 256 {
            return wrong("userName must have 1 to 256 characters");
        }
        if has_invisible(&self.user_name) {
            return wrong(
                "userName must not contain control characters or ones that cannot be seen",
            );
        }
        Ok(())
    }

    fn take_details(&mut self) -> PersonalDetails {
        PersonalDetails {
            middle_name: self.middle_name.take(),
            nickname: self.nickname.take(),
            profile: self.profile.take(),
            picture: self.picture.take(),
            website: self.website.take(),
            gender: self.gender.take(),
            birthdate: self.birthdate.take(),
            zoneinfo: self.zoneinfo.take(),
            locale: self.locale.take(),
            phone_number: self.phone_number.take(),
            address: self.address.take(),
        }
    }
}
