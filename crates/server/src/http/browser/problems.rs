//! What is wrong with what people typed, in their language.

use castellan_issuer::{
    secrets::{credential_policy::Rule, policy::Unacceptable},
    sign_in::{new_password::ChangeError, reset::ResetError, setup::SetupError},
};

use crate::texts::{DemandTexts, Texts};

/// Why a password may not be used.
pub(super) fn of_password(why: Unacceptable, texts: &Texts) -> String {
    let t = &texts.password;
    match why {
        Unacceptable::Blank => t.blank.to_owned(),
        Unacceptable::Short(characters) => (t.short)(characters),
        Unacceptable::Hash(_) => t.hash.to_owned(),
        Unacceptable::Rules(rules) => {
            let all: Vec<_> = rules.iter().map(|rule| demand(rule, &t.demands)).collect();
            format!("{}{}.", t.rules, all.join(", "))
        }
        Unacceptable::Present => t.present.to_owned(),
        Unacceptable::Reused => t.reused.to_owned(),
    }
}

/// What `rule` demands, as it follows the text before the rules.
fn demand(rule: Rule, t: &DemandTexts) -> String {
    let place = match rule {
        Rule::Length(_) => 0,
        Rule::LowerCase(_) => 1,
        Rule::UpperCase(_) => 2,
        Rule::Digits(_) => 3,
        Rule::Special(_) => 4,
        Rule::Unique(_) => 5,
        Rule::Sequence(_) => 6,
    };
    let (one, several) = t.nouns[place];
    let bound = if matches!(rule, Rule::Sequence(_)) { t.at_most } else { t.at_least };
    let number = rule.number();
    format!("{bound} {number} {}", if number == 1 { one } else { several })
}

/// Why a password was not set through a link. What is wrong with the link itself has a page of its own.
pub(super) fn of_reset(problem: &ResetError, texts: &Texts) -> String {
    match problem {
        ResetError::Spent => texts.password.link_spent.text.to_owned(),
        ResetError::Password(why) => of_password(*why, texts),
        ResetError::Differ => texts.password.differ.to_owned(),
        ResetError::Token(_) => texts.errors.server.to_owned(),
    }
}

/// Why the first administrator was not made.
pub(super) fn of_setup(problem: &SetupError, texts: &Texts) -> String {
    let t = &texts.setup;
    match problem {
        SetupError::Spent => t.spent.to_owned(),
        SetupError::Crowd => {
            let command = "castellan user add NAME --group administrators";
            format!("{}“{command}”{}", t.crowd.before, t.crowd.after)
        }
        SetupError::Name => t.bad_name.to_owned(),
        SetupError::Taken => t.taken.to_owned(),
        SetupError::Password(why) => of_password(*why, texts),
        SetupError::Differ => texts.password.differ.to_owned(),
        SetupError::Token(_) => texts.errors.server.to_owned(),
    }
}

/// Why a password was not changed.
pub(super) fn of_change(problem: &ChangeError, texts: &Texts) -> String {
    match problem {
        ChangeError::Wrong => texts.account.wrong_password.to_owned(),
        ChangeError::Same => texts.password.present.to_owned(),
        ChangeError::Differ => texts.password.differ.to_owned(),
        ChangeError::Password(why) => of_password(*why, texts),
        ChangeError::Token(_) => texts.errors.server.to_owned(),
    }
}
