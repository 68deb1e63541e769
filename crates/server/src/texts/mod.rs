//! Everything that people read on pages and in messages, in each language.
//!
//! A language is one value of [`Texts`], in a file of its own: a text that is missing fails the build.
//! What belongs to one way of signing in stands with it (`castellan_issuer::language::Text`).

mod ca;
mod de;
mod en;
mod es;
mod fr;
mod scopes;
#[cfg(test)]
mod tests;

use castellan_issuer::language::Language;

pub(crate) use scopes::{PhraseTexts, ScopeTexts};

/// Everything that people read in one language.
pub(crate) struct Texts {
    /// The language, as in `lang` (BCP 47).
    pub(crate) tag: &'static str,
    /// What several pages say.
    pub(crate) common: CommonTexts,
    /// The page that asks who somebody is.
    pub(crate) login: LoginTexts,
    /// The page that asks for a second factor.
    pub(crate) second_factor: SecondFactorTexts,
    /// The page that asks whether an app may access the account.
    pub(crate) consent: ConsentTexts,
    /// What scopes let apps do.
    pub(crate) scopes: ScopeTexts,
    /// First setup.
    pub(crate) setup: SetupTexts,
    /// New passwords, and links that set them.
    pub(crate) password: PasswordTexts,
    /// A person's own account.
    pub(crate) account: AccountTexts,
    /// A person's own passkeys.
    pub(crate) passkeys: PasskeyTexts,
    /// Connecting a device.
    pub(crate) device: DeviceTexts,
    /// Leaving.
    pub(crate) sign_out: SignOutTexts,
    /// What went wrong.
    pub(crate) errors: ErrorTexts,
    /// Mail and text messages.
    pub(crate) messages: MessageTexts,
}

impl Texts {
    /// Those of all languages, English first.
    #[cfg(test)]
    pub(crate) const ALL: [&'static Self; Language::ALL.len()] =
        [&en::TEXTS, &ca::TEXTS, &es::TEXTS, &de::TEXTS, &fr::TEXTS];

    /// Those of `language`.
    pub(crate) const fn of(language: Language) -> &'static Self {
        match language {
            Language::English => &en::TEXTS,
            Language::Catalan => &ca::TEXTS,
            Language::Spanish => &es::TEXTS,
            Language::German => &de::TEXTS,
            Language::French => &fr::TEXTS,
        }
    }

    /// A day as people write it, in UTC.
    pub(crate) fn day(&self, seconds: u64) -> String {
        // Days since 1 March 0000 split into eras of 400 years (H. Hinnant's civil calendar).
        let days = seconds / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year + year / 4 - year / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = (shifted + 2) % 12;
        let year = era * 400 + year + u64::from(month < 2);
        let names = &self.common.months;
        let month = usize::try_from(month).ok().and_then(|month| names.get(month)).unwrap_or(&"");
        (self.common.date)(day, month, year)
    }
}

/// A text of one piece.
type Text = &'static str;

/// A text around something that is set apart, such as a name.
pub(crate) struct Around {
    /// What stands before it, with the space.
    pub(crate) before: Text,
    /// What stands after it, with the space.
    pub(crate) after: Text,
}

/// `before`, then what is set apart, then `after`.
const fn around(before: Text, after: Text) -> Around {
    Around { before, after }
}

/// A title, and what it means.
pub(crate) struct Said {
    /// In a few words.
    pub(crate) title: Text,
    /// What it means, and what the person can do.
    pub(crate) text: Text,
}

/// What several pages say.
pub(crate) struct CommonTexts {
    pub(crate) cancel: Text,
    pub(crate) sign_in: Text,
    pub(crate) username_or_email: Text,
    pub(crate) password: Text,
    pub(crate) show_password: Text,
    pub(crate) opens_new_tab: Text,
    pub(crate) continue_: Text,
    pub(crate) to_account: Text,
    pub(crate) detail: Text,
    pub(crate) reference: Text,
    /// Stands in place of a host.
    pub(crate) app_on_device: Text,
    pub(crate) throttled: fn(seconds: u64) -> String,
    pub(crate) months: [Text; 12],
    pub(crate) date: fn(day: u64, month: &str, year: u64) -> String,
}

/// The page that asks who somebody is.
pub(crate) struct LoginTexts {
    pub(crate) title: Text,
    pub(crate) failed: Text,
    pub(crate) to_app: Around,
    pub(crate) to_site: Around,
    pub(crate) forgot: Text,
    pub(crate) with_passkey: Text,
    pub(crate) passkey_failed: Text,
}

/// The page that asks for a second factor.
pub(crate) struct SecondFactorTexts {
    pub(crate) title: Text,
    pub(crate) recovery_instead: Text,
    pub(crate) with_passkey: Text,
    /// Where the browser runs no scripts, which a passkey needs.
    pub(crate) needs_script: Text,
    pub(crate) confirm: Text,
    pub(crate) unusable: Said,
}

/// The page that asks whether an app may access the account.
pub(crate) struct ConsentTexts {
    pub(crate) title: Around,
    pub(crate) wants_identity: Around,
    pub(crate) wants_access: Around,
    pub(crate) signed_in_as: Text,
    pub(crate) not_you: Text,
    pub(crate) identity_only: Text,
    pub(crate) reads: Text,
    pub(crate) writes: Text,
    pub(crate) administers: Text,
    pub(crate) administers_warning: Text,
    pub(crate) scopes: Text,
    pub(crate) device_code: Around,
    pub(crate) never_asked: Around,
    pub(crate) device_continues: Text,
    pub(crate) sent_to: Around,
    pub(crate) revocable: Text,
    pub(crate) allow: Text,
    pub(crate) deny: Text,
}

/// First setup.
pub(crate) struct SetupTexts {
    pub(crate) title: Text,
    pub(crate) lede: Text,
    pub(crate) username: Text,
    pub(crate) create: Text,
    pub(crate) spent: Text,
    pub(crate) crowd: Around,
    pub(crate) bad_name: Text,
    pub(crate) taken: Text,
    pub(crate) done: Text,
    pub(crate) done_text: Text,
    /// What to do next: connect an app, add people, guard an API.
    pub(crate) steps: [Text; 3],
}

/// New passwords, and links that set them.
pub(crate) struct PasswordTexts {
    pub(crate) title: Text,
    pub(crate) lede: Text,
    pub(crate) new: Text,
    pub(crate) repeat: Text,
    pub(crate) repeat_new: Text,
    pub(crate) hint: fn(characters: usize) -> String,
    pub(crate) set: Text,
    pub(crate) is_set: Said,
    pub(crate) differ: Text,
    pub(crate) blank: Text,
    pub(crate) short: fn(characters: usize) -> String,
    pub(crate) hash: Text,
    /// Before the rules that it breaks.
    pub(crate) rules: Text,
    pub(crate) present: Text,
    pub(crate) reused: Text,
    pub(crate) demands: DemandTexts,
    pub(crate) link_spent: Said,
    pub(crate) ask_again: Text,
    pub(crate) forgot: Said,
    pub(crate) enter_name: Text,
    pub(crate) send_link: Text,
    pub(crate) link_sent: fn(minutes: u64) -> String,
    pub(crate) link_sent_title: Text,
    pub(crate) no_mail: Said,
}

/// What the rules of passwords demand, as it follows the text before them.
pub(crate) struct DemandTexts {
    pub(crate) at_least: Text,
    pub(crate) at_most: Text,
    /// What is counted, for one of it and for several: characters, lower-case letters, upper-case
    /// letters, digits, special characters, different characters, characters in sequence.
    pub(crate) nouns: [(Text, Text); 7],
}

/// A person's own account.
pub(crate) struct AccountTexts {
    pub(crate) title: Text,
    pub(crate) sign_out: Text,
    pub(crate) sessions: Text,
    pub(crate) this_browser: Text,
    pub(crate) another_browser: Text,
    pub(crate) used: fn(since: &str, used: &str) -> String,
    pub(crate) signed_in_to: Around,
    pub(crate) there: Text,
    pub(crate) sign_out_others: Text,
    pub(crate) apps: Text,
    pub(crate) no_apps: Text,
    pub(crate) since: fn(day: &str) -> String,
    pub(crate) identity_only: Text,
    pub(crate) permissions: Text,
    pub(crate) revoke: Text,
    pub(crate) revoke_of: Around,
    pub(crate) password: Text,
    pub(crate) current_password: Text,
    pub(crate) new_password: Text,
    pub(crate) password_hint: fn(characters: usize) -> String,
    pub(crate) change_password: Text,
    pub(crate) wrong_password: Text,
    pub(crate) password_changed: Said,
}

/// A person's own passkeys.
pub(crate) struct PasskeyTexts {
    pub(crate) title: Text,
    pub(crate) text: Text,
    /// What the person calls a new one.
    pub(crate) name: Text,
    pub(crate) add: Text,
    pub(crate) remove: Text,
    pub(crate) remove_of: Around,
    pub(crate) new: Said,
    pub(crate) create: Text,
    pub(crate) failed: Text,
    pub(crate) bad_name_or_too_many: Text,
    pub(crate) last_factor: Text,
    pub(crate) needs_script: Text,
}

/// Connecting a device.
pub(crate) struct DeviceTexts {
    pub(crate) title: Text,
    pub(crate) lede: Text,
    pub(crate) code: Text,
    pub(crate) not_recognised: Text,
    pub(crate) no_device: Text,
    pub(crate) shows: Around,
    pub(crate) connected: Said,
    pub(crate) denied: Said,
    pub(crate) another_code: Text,
}

/// Leaving.
pub(crate) struct SignOutTexts {
    pub(crate) title: Text,
    pub(crate) question: Text,
    pub(crate) signed_in_as: Around,
    pub(crate) stay: Text,
    pub(crate) signed_out: Text,
    pub(crate) signed_out_title: Text,
    pub(crate) close: Text,
    pub(crate) apps_too: Text,
    pub(crate) continue_to: Around,
    pub(crate) again: Text,
}

/// What went wrong.
pub(crate) struct ErrorTexts {
    pub(crate) not_found: Said,
    pub(crate) refused: Text,
    pub(crate) expired: Said,
    pub(crate) invalid: Said,
    pub(crate) too_many_sign_ins: Text,
    pub(crate) too_many_sign_ins_text: fn(seconds: u64) -> String,
    pub(crate) too_many_attempts: Text,
    pub(crate) server: Text,
    pub(crate) broken: Said,
    pub(crate) withheld: Text,
    pub(crate) withheld_title: Text,
    pub(crate) withheld_text: Around,
    pub(crate) return_to: Around,
}

/// Mail and text messages.
pub(crate) struct MessageTexts {
    pub(crate) code_subject: fn(site: &str) -> String,
    pub(crate) code_intro: fn(site: &str) -> String,
    pub(crate) code_short: fn(site: &str, code: &str, minutes: u64) -> String,
    pub(crate) code_valid: fn(minutes: u64) -> String,
    pub(crate) code_secret: Text,
    pub(crate) reset_subject: fn(site: &str) -> String,
    pub(crate) reset_intro: fn(site: &str) -> String,
    pub(crate) reset_short: fn(site: &str, link: &str) -> String,
    pub(crate) reset_label: Text,
    pub(crate) reset_valid: fn(minutes: u64) -> String,
    pub(crate) reset_ignore: Text,
    pub(crate) activation_subject: fn(site: &str) -> String,
    pub(crate) activation_intro: fn(site: &str) -> String,
    pub(crate) activation_short: fn(site: &str, link: &str) -> String,
    pub(crate) activation_label: Text,
    pub(crate) activation_valid: fn(hours: u64) -> String,
    pub(crate) activation_ignore: Text,
    pub(crate) trial_subject: fn(site: &str) -> String,
    pub(crate) trial_intro: fn(site: &str) -> String,
    pub(crate) trial_ignore: Text,
    pub(crate) trial_short: fn(site: &str) -> String,
}
