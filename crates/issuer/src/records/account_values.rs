//! The attributes of an account that have several values, and its passwords: what is kept apart because
//! claims are made of it, and older versions read it, is put together here.

use castellan_proto::Timestamp;

use super::{
    account::Account,
    attributes::{Entry, PostalAddress, effective_first, labelled},
};

impl Account {
    /// Their e-mail addresses, the effective one first, which is marked as the primary one.
    #[must_use]
    pub fn email_entries(&self) -> Vec<Entry> {
        let entries = labelled(&self.emails, &self.attributes.emails);
        effective_first(entries.into_iter().map(Entry::marked).collect())
    }

    /// Their groups.
    #[must_use]
    pub fn group_entries(&self) -> Vec<Entry> {
        labelled(&self.groups, &self.attributes.groups)
    }

    /// Their telephone numbers, the effective one first, which is marked as the primary one.
    #[must_use]
    pub fn phone_entries(&self) -> Vec<Entry> {
        let numbers = &self.attributes.phone_numbers;
        let entries = several(numbers, self.details.phone_number.as_deref());
        entries.into_iter().map(Entry::marked).collect()
    }

    /// Their pictures, the effective one first, which is marked as the primary one.
    #[must_use]
    pub fn photo_entries(&self) -> Vec<Entry> {
        several(&self.attributes.photos, self.details.picture.as_deref())
    }

    /// Their postal addresses, the effective one first, which is marked as the primary one.
    #[must_use]
    pub fn address_entries(&self) -> Vec<PostalAddress> {
        let all = &self.attributes.addresses;
        match &self.details.address {
            Some(address) if all.is_empty() => {
                effective_first(vec![PostalAddress::default().with(address.clone())])
            }
            _ => all.clone(),
        }
    }

    /// Gives them these e-mail addresses.
    pub fn set_emails(&mut self, entries: Vec<Entry>) {
        let entries = effective_first(entries);
        self.emails = entries.iter().map(|entry| entry.value.clone()).collect();
        self.attributes.emails = entries.into_iter().filter(Entry::is_labelled).collect();
        // Which one is the primary is said by the order.
        for entry in &mut self.attributes.emails {
            entry.primary = false;
        }
    }

    /// Puts them into these groups.
    pub fn set_groups(&mut self, entries: Vec<Entry>) {
        self.groups = entries.iter().map(|entry| entry.value.clone()).collect();
        let is_known = |entry: &Entry| entry.primary || entry.is_labelled();
        self.attributes.groups = entries.into_iter().filter(is_known).collect();
    }

    /// Gives them these telephone numbers.
    pub fn set_phones(&mut self, entries: Vec<Entry>) {
        (self.details.phone_number, self.attributes.phone_numbers) = kept(entries);
    }

    /// Gives them these pictures.
    pub fn set_photos(&mut self, entries: Vec<Entry>) {
        (self.details.picture, self.attributes.photos) = kept(entries);
    }

    /// Gives them these postal addresses.
    pub fn set_addresses(&mut self, entries: Vec<PostalAddress>) {
        let entries = effective_first(entries);
        self.details.address = entries.first().map(PostalAddress::claim);
        let is_plain = matches!(&*entries, [one] if !one.is_labelled());
        self.attributes.addresses = if is_plain { Vec::new() } else { entries };
    }

    /// Replaces the password by the one with the hash `phc`; the one before is remembered, and at most
    /// `history` of them are.
    pub fn replace_password(&mut self, phc: String, now: Timestamp, history: usize) {
        let credential = &mut self.attached.credential;
        if let Some(before) = self.password.replace(phc) {
            credential.history.insert(0, before);
        }
        credential.history.truncate(history);
        credential.must_change = false;
        credential.age_from = None;
        self.password_set = now;
    }

    /// From when on the age of the password counts; none without a password.
    #[must_use]
    pub fn password_age_from(&self) -> Option<Timestamp> {
        let from = self.attached.credential.age_from;
        self.password.as_ref().map(|_| from.unwrap_or_else(|| self.password_set.max(self.created)))
    }
}

/// All values of an attribute of which the effective one is kept apart.
fn several(all: &[Entry], effective: Option<&str>) -> Vec<Entry> {
    match effective {
        Some(value) if all.is_empty() => effective_first(vec![Entry::plain(value)]),
        _ => all.to_vec(),
    }
}

/// How such an attribute is kept: the effective value, and all of them where there is more to know.
fn kept(entries: Vec<Entry>) -> (Option<String>, Vec<Entry>) {
    let entries = effective_first(entries);
    let effective = entries.first().map(|entry| entry.value.clone());
    let is_plain = matches!(&*entries, [one] if !one.is_labelled());
    (effective, if is_plain { Vec::new() } else { entries })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::records::{account::phone_name, repository::Stored as _};

    #[test]
    fn what_older_versions_wrote_reads_as_before_and_they_read_what_is_written() {
        let old = json!({"user_name": "ada", "password": null, "active": true,
            "emails": ["a@x.org", "b@x.org"], "groups": ["staff"],
            "details": {"phone_number": "+1 (425) 555-1212"}});
        let mut account: Account = serde_json::from_value(old).unwrap();
        assert_eq!(account.email_entries()[0], Entry { primary: true, ..Entry::plain("a@x.org") });
        assert_eq!(account.phone_entries().len(), 1);
        assert_eq!(
            account.unique(),
            ["a@x.org", "ada", "b@x.org"],
            "no number until it is claimed"
        );
        let work =
            Entry { kind: Some("work".to_owned()), primary: true, ..Entry::plain("c@x.org") };
        account.set_emails([account.email_entries().remove(1), work.clone()].to_vec());
        account.attributes.phone_is_unique = true;
        let written = serde_json::to_value(&account).unwrap();
        assert_eq!(written["emails"], json!(["c@x.org", "b@x.org"]), "as older versions read them");
        let again: Account = serde_json::from_value(written).unwrap();
        assert_eq!(again.email_entries()[0], work);
        assert!(again.unique().contains(&"TEL:+14255551212".to_owned()));
        assert_eq!(phone_name("+14255551212"), phone_name("+1 (425) 555-12.12"));
    }
}
