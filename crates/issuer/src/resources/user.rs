//! `User` documents (`docs/rules.md` §13, `docs/contracts/aidbox.md` §2.2).

use std::mem;

use castellan_proto::Secret;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Choice, Facts, How, Parameter, Problem, ReadDocument, Resource,
    members::too_many_names,
    personal_details,
    search::{
        Filter, FilterAttribute, FilterType, ListError, Listed, Listing, Sort, SortAttribute,
        SortOrder, by_any_address,
    },
    user_links::{self, LinkDocument},
    user_password::Password,
    user_values::{self, NameDocument, Values},
    version::{fresh_incarnation, incarnation},
};
use crate::{
    Issuer,
    records::{
        Account, Address, Enterprise, Entry, Name, PersonalDetails, PostalAddress, login_name,
        phone_name,
    },
    secrets::policy::has_invisible,
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
    name: NameDocument,
    /// What another system calls the person.
    external_id: Option<String>,
    display_name: Option<String>,
    title: Option<String>,
    preferred_language: Option<String>,
    user_type: Option<String>,
    email: Option<String>,
    #[serde(default)]
    emails: Vec<Entry>,
    #[serde(default)]
    groups: Vec<Entry>,
    /// All telephone numbers; the primary one is `phone_number`.
    phone_numbers: Option<Vec<Entry>>,
    /// All pictures; the primary one is `picture`.
    photos: Option<Vec<Entry>>,
    /// All postal addresses; the primary one is `address`.
    addresses: Option<Vec<PostalAddress>>,
    #[serde(default)]
    ims: Vec<Entry>,
    #[serde(default)]
    entitlements: Vec<Entry>,
    /// What the person is called elsewhere; what people may do here is said by `Role` documents.
    #[serde(default)]
    roles: Vec<Entry>,
    #[serde(default)]
    x509_certificates: Vec<Entry>,
    // By the names that claims have (OIDC Core §5.1).
    #[serde(rename = "middle_name")]
    middle_name: Option<String>,
    /// Also accepted as `nickName`.
    #[serde(alias = "nickName")]
    nickname: Option<String>,
    /// Also accepted as `profileUrl`.
    #[serde(alias = "profileUrl")]
    profile: Option<String>,
    picture: Option<String>,
    website: Option<String>,
    gender: Option<String>,
    birthdate: Option<String>,
    /// Also accepted as `timeZone`.
    #[serde(alias = "timeZone")]
    zoneinfo: Option<String>,
    locale: Option<String>,
    /// Telephone number; also accepted as `phoneNumber`.
    #[serde(rename = "phone_number", alias = "phoneNumber")]
    phone_number: Option<String>,
    address: Option<Address>,
    inactive: Option<bool>,
    active: Option<bool>,
    /// What is known of the person in their organisation, as in SCIM (RFC 7643 §4.3).
    #[serde(default)]
    enterprise: Enterprise,
    /// What SCIM shows as left open: those of `emails`, `phoneNumbers`, `photos` and `addresses` of which
    /// no value is the primary one, though the first is used; `active`, of somebody who is not.
    #[serde(default)]
    unstated: Vec<String>,
    /// The person's accounts elsewhere. Without it they stay as they are.
    linked_accounts: Option<Vec<LinkDocument>>,
}

impl Resource for UserDocument {
    type Record = Account;

    const NAME: &'static str = "User";
    const IS_NUMEROUS: bool = true;
    const FILTERS: &'static [FilterAttribute] =
        &[FilterAttribute::UserName, FilterAttribute::Email];
    const SECRET_MEMBERS: &'static [&'static str] = &["password"];
    const SYNONYMS: &'static [&'static [&'static str]] = &[
        &["inactive", "active"],
        &["phone_number", "phoneNumber"],
        &["nickname", "nickName"],
        &["profile", "profileUrl"],
        &["zoneinfo", "timeZone"],
    ];
    const PARAMETERS: &'static [Parameter] = &[
        Parameter { name: "userName", paths: &["userName"], how: How::Token },
        Parameter { name: "email", paths: &["emails.value"], how: How::Token },
        Parameter {
            name: "name",
            paths: &["name.givenName", "name.familyName", "name.formatted"],
            how: How::Text,
        },
        Parameter {
            name: "phoneNumber",
            paths: &["phone_number", "phoneNumbers.value"],
            how: How::Token,
        },
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
        user_values::show(account, &mut shown);
        user_links::show(account, &mut shown);
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
            return issuer.people::<Self>(listing, filter, sort, by_any_address).await;
        }
        // Without names for each order, the index of names still has them in this one.
        let keeps_orders = issuer.repository().store().abilities().keeps_orders;
        if sort == Some(BY_NAME) && listing.skip == 0 && !keeps_orders {
            return issuer.people::<Self>(listing, &everybody(), None, by_any_address).await;
        }
        issuer.all_people::<Self>(listing, sort).await
    }

    async fn settle(
        issuer: &Issuer,
        id: &str,
        account: Option<&Account>,
    ) -> Result<(), StoreError> {
        if let Some(account) = account {
            issuer.ensure_groups(&account.groups).await?;
        }
        issuer.settle_sessions(id, account).await
    }

    async fn read(
        mut self,
        issuer: &Issuer,
        before: Option<&Account>,
    ) -> Result<ReadDocument<Account>, Problem> {
        self.check_name()?;
        let values = self.take_values();
        let mut account = before.cloned().unwrap_or_default();
        account.details = self.take_details();
        user_values::write(values, &mut account, before).map_err(Problem::Text)?;
        personal_details::check(&account.details).map_err(Problem::Text)?;
        for phone in &account.attributes.phone_numbers {
            personal_details::check_phone(&phone.value).map_err(Problem::Text)?;
        }
        for photo in &account.attributes.photos {
            personal_details::check_photo(&photo.value).map_err(Problem::Text)?;
        }
        account.attributes.phone_is_unique = claims_phone(issuer, &account, before).await?;
        if let Some(links) = self.linked_accounts {
            user_links::write(links, &mut account, issuer.now()).map_err(Problem::Text)?;
        }
        let active = match (self.active, self.inactive) {
            (Some(_), Some(_)) => {
                return Err(Problem::Text("set either active or inactive, not both".to_owned()));
            }
            (Some(active), None) => active,
            (None, inactive) => inactive != Some(true),
        };
        let password = Password::read(issuer, (self.password, self.password_hash), before).await?;
        let changed = password.changed;
        account.is_renamed = before.is_some_and(|before| {
            before.is_renamed || login_name(&before.user_name) != login_name(&self.user_name)
        });
        account.user_name = self.user_name;
        account.active = active;
        account.created = before.map_or(issuer.now(), |before| before.created);
        account.modified = issuer.now();
        account.incarnation = before.map_or_else(fresh_incarnation, |before| before.incarnation);
        account.imported = password.imported;
        match password.stored {
            Some(hash) if changed => {
                let history = issuer.settings().secrets.history();
                account.replace_password(hash, issuer.now(), history);
            }
            // The same password may have another hash.
            stored => account.password = stored,
        }
        if before.is_none() {
            account.password_set = issuer.now();
        }
        account.generation = generation(before, changed, active);
        if let Some(problem) = too_many_names(issuer, &account) {
            return Err(Problem::Text(problem));
        }
        Ok(ReadDocument { record: account, secret_changed: changed })
    }
}

const BY_NAME: Sort = Sort { by: SortAttribute::Name, order: SortOrder::Ascending };

/// All people, by their user names.
const fn everybody() -> Filter {
    Filter { by: FilterAttribute::UserName, how: FilterType::StartsWith, value: String::new() }
}

/// Whether the effective telephone number of `account` is to be one of its unique names. One that an
/// older version wrote is as soon as nobody else has it: otherwise two who share one could not be
/// written any more.
async fn claims_phone(
    issuer: &Issuer,
    account: &Account,
    before: Option<&Account>,
) -> Result<bool, StoreError> {
    let Some(number) = account.details.phone_number.as_deref().map(phone_name) else {
        return Ok(false);
    };
    let earlier = before.and_then(|before| before.details.phone_number.as_deref()).map(phone_name);
    let is_claimed = before.is_some_and(|before| before.attributes.phone_is_unique);
    if is_claimed || earlier.as_ref() != Some(&number) {
        return Ok(true);
    }
    Ok(issuer.repository().find::<Account>(&number, issuer.now()).await?.is_none())
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

    fn take_values(&mut self) -> Values {
        Values {
            external_id: self.external_id.take(),
            display_name: self.display_name.take(),
            title: self.title.take(),
            preferred_language: self.preferred_language.take(),
            user_type: self.user_type.take(),
            name: mem::take(&mut self.name),
            email: self.email.take(),
            emails: mem::take(&mut self.emails),
            groups: mem::take(&mut self.groups),
            phone_numbers: self.phone_numbers.take(),
            photos: self.photos.take(),
            addresses: self.addresses.take(),
            ims: mem::take(&mut self.ims),
            entitlements: mem::take(&mut self.entitlements),
            roles: mem::take(&mut self.roles),
            x509_certificates: mem::take(&mut self.x509_certificates),
            enterprise: mem::take(&mut self.enterprise),
            unstated: mem::take(&mut self.unstated),
        }
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
