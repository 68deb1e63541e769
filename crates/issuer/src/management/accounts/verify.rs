//! Verifying that an e-mail address or telephone number is the account's, by a code that is sent there
//! (`docs/contracts/curity.md` §6.2).

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{
    actor::Actor,
    addresses::{EMAILS, PHONES, Reach, write},
    error::AccountError,
};
use crate::{
    Issuer,
    audit::{AuditKind, Event},
    messages::{
        Channel, Content, Recipient, SendError, mail_address, new_code, text_number, typed_code,
    },
    records::{Account, Entry, repository::Versioned},
    sign_in::verification::{Beginning, Purpose},
};

/// Minutes for which a code is valid.
const MINUTES: u64 = 10;
/// Values of an attribute at most, as in the inputs of the API (§6.3).
const MOST: usize = 32;

/// What is verified.
#[derive(Clone, Copy)]
struct Proof {
    reach: Reach,
    channel: Channel,
    purpose: Purpose,
    /// What it is called where nothing is configured that sends the code.
    name: &'static str,
    /// A value as messages are sent to it.
    address: fn(&str) -> Option<String>,
}

const EMAIL: Proof = Proof {
    reach: EMAILS,
    channel: Channel::Mail,
    purpose: Purpose("email"),
    name: "verification of email addresses",
    address: mail_address,
};

const PHONE: Proof = Proof {
    reach: PHONES,
    channel: Channel::Text,
    purpose: Purpose("phone"),
    name: "verification of phone numbers",
    address: text_number,
};

/// A value that is to be verified.
struct Unproven<'a> {
    proof: Proof,
    value: &'a str,
}

/// What a person answers to a message with a code.
#[derive(Clone, Copy)]
pub struct VerificationAnswer<'a> {
    /// The state that the verification was begun with.
    pub state: &'a str,
    /// The code, as it was typed.
    pub code: &'a str,
}

/// What is under way.
#[derive(Serialize, Deserialize)]
struct UnderWay {
    value: String,
}

impl Issuer {
    /// Sends a code to `email`, and returns the state with which the code verifies that the address is
    /// the account's; `None` if the address is refused and nothing was sent. Whether it is another
    /// account's is told where `reveals`; otherwise that is found out when the code is shown.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_email_verification(
        &self,
        actor: &Actor,
        id: &str,
        email: &str,
        reveals: bool,
    ) -> Result<Option<String>, AccountError> {
        self.start_proof(actor, id, Unproven { proof: EMAIL, value: email }, reveals).await
    }

    /// The same for a telephone number.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn start_phone_verification(
        &self,
        actor: &Actor,
        id: &str,
        number: &str,
        reveals: bool,
    ) -> Result<Option<String>, AccountError> {
        self.start_proof(actor, id, Unproven { proof: PHONE, value: number }, reveals).await
    }

    /// Marks the address of `state` as verified, and adds it to the account `id` if it is new, if
    /// `code` is the one that was sent.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_email_verification(
        &self,
        actor: &Actor,
        id: &str,
        answer: VerificationAnswer<'_>,
    ) -> Result<(), AccountError> {
        self.complete_proof(actor, id, EMAIL, answer).await
    }

    /// The same for a telephone number.
    ///
    /// # Errors
    /// [`AccountError`] saying why not.
    pub async fn complete_phone_verification(
        &self,
        actor: &Actor,
        id: &str,
        answer: VerificationAnswer<'_>,
    ) -> Result<(), AccountError> {
        self.complete_proof(actor, id, PHONE, answer).await
    }

    async fn start_proof(
        &self,
        actor: &Actor,
        id: &str,
        Unproven { proof, value }: Unproven<'_>,
        reveals: bool,
    ) -> Result<Option<String>, AccountError> {
        if self.messenger_of(proof.channel).is_none() {
            return Err(AccountError::NotConfigured(proof.name));
        }
        let stored = self.account_to_prove(actor, id, proof).await?;
        let Some(address) = (proof.address)(value) else { return Ok(None) };
        let folded = (proof.reach.folded)(&address);
        let entries = (proof.reach.entries)(&stored.body);
        let is_known = entries.iter().any(|entry| (proof.reach.folded)(&entry.value) == folded);
        if !is_known && entries.len() >= MOST {
            return Ok(None);
        }
        if reveals && !is_known {
            let other = self.repository().find::<Account>(&folded, self.now()).await?;
            if other.is_some_and(|other| other.id != id) {
                return Ok(None);
            }
        }
        let recipient =
            Recipient { channel: proof.channel, address: address.clone(), account: id.to_owned() };
        self.count_message(&recipient).await?;
        let code = new_code();
        let beginning = Beginning {
            purpose: proof.purpose,
            body: &UnderWay { value: address },
            code: Some(&code),
            seconds: MINUTES * 60,
        };
        let state = self.begin_verification(&stored, beginning).await?;
        let content = Content::Code { code, minutes: MINUTES };
        let locale = stored.body.preferred_language();
        match self.send_message(&recipient, content, locale).await {
            Ok(()) => Ok(Some(state)),
            Err(SendError::Recipient) => Ok(None),
            Err(SendError::Failed(why)) => Err(AccountError::NotSent(why)),
        }
    }

    async fn complete_proof(
        &self,
        actor: &Actor,
        id: &str,
        proof: Proof,
        VerificationAnswer { state, code }: VerificationAnswer<'_>,
    ) -> Result<(), AccountError> {
        let stored = self.account_to_prove(actor, id, proof).await?;
        let attempt = self.attempt_verification::<UnderWay>(&stored, proof.purpose, state).await?;
        if !attempt.is_code(&typed_code(code)) {
            let event = Event::of(AuditKind::ResourceChanged).target("User", id);
            self.audit(event.failed("wrong verification code"));
            return Err(AccountError::UnknownCode);
        }
        // Used up first: a crash in between costs the verification, and leaves no state open.
        let UnderWay { value } = self.take_verification(&stored, proof.purpose, state).await?;
        let wanted = (proof.reach.folded)(&value);
        let is_it = |entry: &&mut Entry| (proof.reach.folded)(&entry.value) == wanted;
        let spelt =
            (proof.reach.entries)(&stored.body).iter_mut().find(is_it).map(|one| one.value.clone());
        let actor = actor.proving(spelt.as_ref().unwrap_or(&value));
        let mark = |stored: &Versioned<Account>, members: &mut Map<String, Value>| {
            let mut entries = (proof.reach.entries)(&stored.body);
            let verified = Some(true);
            let count = entries.len();
            match entries.iter_mut().find(is_it) {
                // Its kind stays: other systems find the value by it.
                Some(entry) => entry.verified = verified,
                None if count >= MOST => {
                    let text = format!("{}: must have at most {MOST} values", proof.reach.member);
                    return Err(AccountError::Invalid(text));
                }
                None => entries.push(Entry { verified, ..Entry::plain(&value) }),
            }
            write(members, &entries, proof.reach);
            Ok::<_, AccountError>(true)
        };
        self.rewrite_account(&actor, id, mark).await?;
        Ok(())
    }

    /// The account `id`, if `actor` may change where its person is reached: whoever adds an address
    /// signs in with it.
    async fn account_to_prove(
        &self,
        actor: &Actor,
        id: &str,
        proof: Proof,
    ) -> Result<Versioned<Account>, AccountError> {
        self.account_to_open(actor, id).await.map_err(|error| match error {
            AccountError::Denied(None) => AccountError::Denied(Some(proof.reach.member)),
            other => other,
        })
    }
}
