//! Checks the texts of all languages against each other and against what they are for.

use castellan_issuer::language::Language;

use super::Texts;

#[test]
fn each_language_names_itself() {
    for (language, texts) in Language::ALL.into_iter().zip(Texts::ALL) {
        assert_eq!((Texts::of(language).tag, texts.tag), (language.tag(), language.tag()));
    }
}

#[test]
fn days_are_written_as_people_write_them() {
    for (language, first, leap, late) in [
        (Language::English, "1 January 1970", "29 February 2000", "23 November 2026"),
        (Language::Catalan, "1 de gener de 1970", "29 de febrer de 2000", "23 de novembre de 2026"),
        (
            Language::Spanish,
            "1 de enero de 1970",
            "29 de febrero de 2000",
            "23 de noviembre de 2026",
        ),
        (Language::German, "1. Januar 1970", "29. Februar 2000", "23. November 2026"),
        (Language::French, "1er janvier 1970", "29 février 2000", "23 novembre 2026"),
    ] {
        let texts = Texts::of(language);
        for (seconds, day) in [(0, first), (951_782_400, leap), (1_795_392_000, late)] {
            assert_eq!(texts.day(seconds), day);
        }
    }
}

/// What a text is made of is not left out of it.
#[test]
fn texts_say_what_they_are_given() {
    for language in Language::ALL {
        let Texts { common, password, account, scopes, errors, messages, .. } = Texts::of(language);
        let given = [
            ((common.throttled)(4711), "4711"),
            ((errors.too_many_sign_ins_text)(4711), "4711"),
            ((password.hint)(4711), "4711"),
            ((password.short)(4711), "4711"),
            ((password.link_sent)(4711), "4711"),
            ((account.password_hint)(4711), "4711"),
            ((account.used)("one day", "4711"), "4711"),
            ((account.used)("4711", "one day"), "4711"),
            ((account.since)("4711"), "4711"),
            ((scopes.read_every)("4711"), "4711"),
            ((scopes.read_with)("4711"), "4711"),
            ((scopes.use_scope)("4711"), "4711"),
            ((scopes.other_claim)("4711"), "4711"),
            ((scopes.phrases.done_to)("4711", "it"), "4711"),
            ((scopes.phrases.done_to)("use", "4711"), "4711"),
            ((scopes.phrases.and_more)(4711), "4711"),
            ((messages.code_subject)("4711"), "4711"),
            ((messages.code_intro)("4711"), "4711"),
            ((messages.code_short)("4711", "123", 9), "4711"),
            ((messages.code_short)("Aurora", "4711", 9), "4711"),
            ((messages.code_short)("Aurora", "123", 4711), "4711"),
            ((messages.code_valid)(4711), "4711"),
            ((messages.reset_subject)("4711"), "4711"),
            ((messages.reset_intro)("4711"), "4711"),
            ((messages.reset_short)("4711", "link"), "4711"),
            ((messages.reset_short)("Aurora", "4711"), "4711"),
            ((messages.reset_valid)(4711), "4711"),
            ((messages.activation_subject)("4711"), "4711"),
            ((messages.activation_intro)("4711"), "4711"),
            ((messages.activation_short)("4711", "link"), "4711"),
            ((messages.activation_short)("Aurora", "4711"), "4711"),
            ((messages.activation_valid)(4711), "4711"),
            ((messages.trial_subject)("4711"), "4711"),
            ((messages.trial_intro)("4711"), "4711"),
            ((messages.trial_short)("4711"), "4711"),
        ];
        for (text, part) in given {
            assert!(text.contains(part) && text.len() > part.len(), "{}: {text}", language.tag());
        }
    }
}

/// Names stand apart from the words around them.
#[test]
fn words_around_a_name_end_and_begin_with_a_space() {
    for language in Language::ALL {
        let Texts { login, consent, account, device, sign_out, errors, setup, .. } =
            Texts::of(language);
        for around in [
            &login.to_app,
            &login.to_site,
            &consent.title,
            &consent.wants_identity,
            &consent.wants_access,
            &consent.device_code,
            &consent.never_asked,
            &consent.sent_to,
            &account.signed_in_to,
            &account.revoke_of,
            &device.shows,
            &sign_out.signed_in_as,
            &sign_out.continue_to,
            &errors.withheld_text,
            &errors.return_to,
            &setup.crowd,
        ] {
            let opens = |text: &str| {
                text.is_empty() || text.ends_with([' ', '«', '“', '„', '¿', '\u{a0}', '\u{202f}'])
            };
            let closes = |text: &str| {
                text.is_empty() || text.starts_with(|letter: char| !letter.is_alphanumeric())
            };
            assert!(opens(around.before), "{}: {:?}", language.tag(), around.before);
            assert!(closes(around.after), "{}: {:?}", language.tag(), around.after);
        }
    }
}

/// A text that was copied and not translated, among those that no two of the languages share.
#[test]
fn every_language_says_it_in_its_own_words() {
    let said = |language| {
        let Texts { common, login, consent, setup, password, account, device, errors, .. } =
            Texts::of(language);
        vec![
            common.show_password,
            common.to_account,
            common.reference,
            login.failed,
            login.forgot,
            consent.administers_warning,
            consent.revocable,
            consent.reads,
            consent.writes,
            setup.lede,
            setup.done_text,
            password.lede,
            password.differ,
            password.link_spent.text,
            account.no_apps,
            account.sign_out_others,
            device.lede,
            device.connected.text,
            errors.expired.text,
            errors.invalid.text,
            errors.broken.text,
        ]
    };
    for language in Language::ALL {
        for other in Language::ALL.into_iter().filter(|other| *other != language) {
            for (one, two) in said(language).into_iter().zip(said(other)) {
                assert_ne!(one, two, "{} and {}", language.tag(), other.tag());
            }
        }
    }
}
