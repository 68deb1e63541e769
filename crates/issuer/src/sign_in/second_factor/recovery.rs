//! Recovery codes: for people who have no device at hand. They are made together, shown once, and each
//! works once.

use async_trait::async_trait;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use castellan_proto::{Timestamp, constant_time_eq, random};
use zeroize::Zeroizing;

use super::SecondFactor;
use crate::{
    Issuer,
    error::OAuthError,
    keys::Branch,
    language::Text,
    records::{
        self, Account, RecoveryBatch, acr,
        repository::{Update, Versioned},
    },
    request::params::Params,
    secrets::hashing::KEYED,
    session::browser::Browser,
    sign_in::{Field, FieldKind},
    store::{Notice, StoreError},
};

/// Codes that are made together.
pub const RECOVERY_CODES: usize = 10;
/// Characters of a code, each of which is one of 32: 60 bits.
const LENGTH: usize = 12;
/// Characters of a group.
const GROUP: usize = 4;
/// Letters and digits that are not taken for one another (Crockford's base 32, in lower case).
const LETTERS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

/// A code of the list that a person keeps.
pub(super) struct RecoveryCode;

/// New codes, and what is stored of them.
pub struct RecoveryCodes {
    /// As the person reads them; they are shown this once.
    pub shown: Vec<Zeroizing<String>>,
    /// As they are stored.
    pub batch: RecoveryBatch,
}

#[async_trait]
impl SecondFactor for RecoveryCode {
    fn name(&self) -> &'static str {
        "recovery-code"
    }

    fn acr(&self) -> &'static str {
        acr::RECOVERY_CODE
    }

    fn description(&self) -> &'static str {
        "Recovery code"
    }

    /// No method of RFC 8176 is one, so that `mfa` alone stands for it.
    fn amr(&self) -> &'static [&'static str] {
        &[]
    }

    fn field(&self) -> Option<Field> {
        Some(Field {
            name: "recovery_code",
            label: Text {
                en: "Recovery code",
                ca: "Codi de recuperació",
                es: "Código de recuperación",
                de: "Wiederherstellungscode",
                fr: "Code de récupération",
            },
            kind: FieldKind::Text,
            autocomplete: "off",
        })
    }

    fn problem(&self) -> Text {
        Text {
            en: "This recovery code is not right, or was used already. Each works once.",
            ca: "Aquest codi de recuperació no és correcte o ja s’ha fet servir. Cadascun funciona una vegada.",
            es: "Este código de recuperación no es correcto o ya se ha usado. Cada uno funciona una vez.",
            de: "Dieser Wiederherstellungscode ist falsch oder wurde schon verwendet. Jeder gilt einmal.",
            fr: "Ce code de récupération est incorrect ou a déjà servi. Chacun ne sert qu’une fois.",
        }
    }

    fn is_ready(&self, account: &Account, _: Timestamp) -> bool {
        let batch = account.attached.mfa.as_ref().and_then(|mfa| mfa.recovery.as_ref());
        batch.is_some_and(|batch| batch.codes.iter().any(|code| code.consumed.is_none()))
    }

    async fn check(
        &self,
        issuer: &Issuer,
        account: &Versioned<Account>,
        (_, form): (&str, &Params),
        _: &Browser,
    ) -> Result<bool, OAuthError> {
        let typed = form.secret("recovery_code");
        let Some(code) = typed.and_then(|typed| normal(typed.expose())) else { return Ok(false) };
        let hash = issuer.recovery_hash(&account.id, &code);
        Ok(issuer.consume_recovery_code(&account.id, &hash).await?)
    }
}

impl Issuer {
    /// New recovery codes for `account`.
    pub(crate) fn new_recovery_codes(&self, account: &str) -> RecoveryCodes {
        let plain: Vec<_> = (0..RECOVERY_CODES).map(|_| fresh()).collect();
        let code = |plain: &Zeroizing<String>| records::RecoveryCode {
            hash: self.recovery_hash(account, plain),
            consumed: None,
        };
        let batch = RecoveryBatch {
            id: URL_SAFE_NO_PAD.encode(random::<16>()),
            created: self.now(),
            codes: plain.iter().map(code).collect(),
        };
        RecoveryCodes { shown: plain.iter().map(|plain| grouped(plain)).collect(), batch }
    }

    /// Marks the code whose hash is `hash` as used; `false` if `account` has no such code that was not
    /// used. Of any number of concurrent calls, one is told `true`.
    async fn consume_recovery_code(&self, account: &str, hash: &str) -> Result<bool, StoreError> {
        let now = self.now();
        let consume = |stored: Option<Account>| {
            let Some(mut account) = stored else { return Ok(Update::Leave(false)) };
            let batch = account.attached.mfa.as_mut().and_then(|mfa| mfa.recovery.as_mut());
            let codes = batch.into_iter().flat_map(|batch| batch.codes.iter_mut());
            // All of them are compared, so that the time does not tell which one it was.
            let is_it = |code: &records::RecoveryCode| {
                constant_time_eq(code.hash.as_bytes(), hash.as_bytes()) & code.consumed.is_none()
            };
            let found =
                codes.fold(None, |found, code| if is_it(code) { Some(code) } else { found });
            let Some(code) = found else { return Ok(Update::Leave(false)) };
            code.consumed = Some(now);
            // Nothing was decided by it.
            Ok::<_, StoreError>(Update::Write(account, Notice::Silent, true))
        };
        self.repository().update(account, now, consume).await
    }

    /// What is stored of a recovery code: whoever reads the store cannot try codes without the key, and
    /// the codes of one account are of no use at another.
    fn recovery_hash(&self, account: &str, code: &str) -> String {
        let bound = Zeroizing::new(format!("recovery code\0{account}\0{code}"));
        let code = self.root().hmac(Branch::Pepper).code(bound.as_bytes());
        format!("{KEYED}{}", URL_SAFE_NO_PAD.encode(code))
    }
}

fn fresh() -> Zeroizing<String> {
    let letter = |byte: u8| char::from(LETTERS[usize::from(byte & 0x1f)]);
    Zeroizing::new(random::<LENGTH>().into_iter().map(letter).collect())
}

/// `code` with a hyphen between groups.
fn grouped(code: &str) -> Zeroizing<String> {
    let mut text = Zeroizing::new(String::with_capacity(LENGTH + LENGTH / GROUP));
    for (at, letter) in code.chars().enumerate() {
        if at > 0 && at % GROUP == 0 {
            text.push('-');
        }
        text.push(letter);
    }
    text
}

/// The one spelling of what was typed as a code; `None` if it cannot be one.
fn normal(typed: &str) -> Option<Zeroizing<String>> {
    let letter = |c: char| match c.to_ascii_lowercase() {
        'o' => '0',
        'i' | 'l' => '1',
        c => c,
    };
    let kept = typed.chars().filter(|c| !c.is_whitespace() && *c != '-').take(LENGTH + 1);
    let code = Zeroizing::new(kept.map(letter).collect::<String>());
    let is_code = code.len() == LENGTH && code.bytes().all(|b| LETTERS.contains(&b));
    is_code.then_some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_has_one_spelling_however_it_is_typed() {
        let code = fresh();
        let shown = grouped(&code);
        assert_eq!(shown.len(), 14);
        assert_eq!(normal(&shown).as_deref(), Some(&*code));
        assert_eq!(normal(&format!(" {} ", shown.to_uppercase())).as_deref(), Some(&*code));
        assert_eq!(normal("OIL0-oil1-2345").as_deref().map(String::as_str), Some("011001112345"));
        for bad in ["", "0000-0000-000", "0000-0000-00000", "0000-0000-000u", "0000-0000-000é"] {
            assert!(normal(bad).is_none(), "{bad}");
        }
    }
}
