//! What messages say, in the languages of the pages.

use askama::Template;
use castellan_issuer::{
    language::{Language, accepted},
    messages::{Content, Message},
};

use crate::texts::{MessageTexts, Texts};

/// A message in words, in each form that is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct MessageText {
    pub(super) subject: String,
    /// The whole text, for mail.
    pub(super) text: String,
    /// The same as a simple page, for mail.
    pub(super) html: String,
    /// One line, for text messages.
    pub(super) short: String,
}

/// What the templates show.
#[derive(Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    language: &'a str,
    subject: &'a str,
    intro: &'a str,
    code: Option<&'a str>,
    /// An address, and what stands on it.
    link: Option<(&'a str, &'a str)>,
    outro: &'a [String],
}

/// The parts of a message.
struct Parts<'a> {
    subject: String,
    intro: String,
    code: Option<String>,
    link: Option<(&'a str, &'a str)>,
    outro: Vec<String>,
    short: String,
}

impl MessageText {
    /// `message` in words: in the language that its recipient prefers, else in the first of those that
    /// the site offers.
    pub(super) fn of(message: &Message) -> Self {
        let site = &line(&message.site);
        let wanted = accepted(message.locale.as_deref().unwrap_or_default());
        let language = Language::lookup(wanted, &message.languages)
            .or_else(|| message.languages.first().copied())
            .unwrap_or(Language::English);
        let texts = Texts::of(language);
        let t = &texts.messages;
        let parts = match &message.content {
            Content::Code { code, minutes } => code_parts(site, code, *minutes, t),
            Content::PasswordLink { link, minutes } => Parts {
                subject: (t.reset_subject)(site),
                intro: (t.reset_intro)(site),
                code: None,
                short: (t.reset_short)(site, link),
                link: Some((link, t.reset_label)),
                outro: vec![(t.reset_valid)(*minutes), t.reset_ignore.to_owned()],
            },
            Content::ActivationLink { link, hours } => Parts {
                subject: (t.activation_subject)(site),
                intro: (t.activation_intro)(site),
                code: None,
                short: (t.activation_short)(site, link),
                link: Some((link, t.activation_label)),
                outro: vec![(t.activation_valid)(*hours), t.activation_ignore.to_owned()],
            },
        };
        Self::from_parts(&parts, texts.tag)
    }

    /// A message that says that mail works, for whoever runs the server.
    pub(super) fn trial(site: &str) -> Self {
        let site = &line(site);
        let texts = Texts::of(Language::English);
        let t = &texts.messages;
        let parts = Parts {
            subject: (t.trial_subject)(site),
            intro: (t.trial_intro)(site),
            code: None,
            link: None,
            outro: vec![t.trial_ignore.to_owned()],
            short: (t.trial_short)(site),
        };
        Self::from_parts(&parts, texts.tag)
    }

    fn from_parts(parts: &Parts<'_>, language: &str) -> Self {
        let middle = parts.code.as_deref().or(parts.link.map(|(link, _)| link));
        let blocks = std::iter::once(parts.intro.as_str())
            .chain(middle)
            .chain(parts.outro.iter().map(String::as_str));
        let text = blocks.collect::<Vec<_>>().join("\n\n");
        let html = Html {
            language,
            subject: &parts.subject,
            intro: &parts.intro,
            code: parts.code.as_deref(),
            link: parts.link,
            outro: &parts.outro,
        };
        // Without it, the text alone says everything.
        let html = html.render().unwrap_or_default();
        let (subject, short) = (parts.subject.clone(), parts.short.clone());
        Self { subject, text: format!("{text}\n"), html, short }
    }
}

fn code_parts<'a>(site: &str, code: &str, minutes: u64, t: &MessageTexts) -> Parts<'a> {
    let shown = match code.split_at_checked(4) {
        Some((first, second)) if !second.is_empty() => format!("{first} {second}"),
        _ => code.to_owned(),
    };
    Parts {
        subject: (t.code_subject)(site),
        intro: (t.code_intro)(site),
        short: (t.code_short)(site, &shown, minutes),
        code: Some(shown),
        link: None,
        outro: vec![(t.code_valid)(minutes), t.code_secret.to_owned()],
    }
}

/// `text` on one line: what a site is called ends no header.
fn line(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use castellan_issuer::messages::Channel;

    use super::*;

    fn wording(site: &str, content: Content) -> MessageText {
        let (site, to) = (site.to_owned(), "ada@example.org".to_owned());
        MessageText::of(&Message {
            channel: Channel::Mail,
            to,
            site,
            locale: None,
            languages: Language::ALL.to_vec(),
            content,
        })
    }

    #[test]
    fn a_code_is_shown_in_two_groups_everywhere() {
        let code = Content::Code { code: "20406080".to_owned(), minutes: 10 };
        let wording = wording("Casa Aurora", code);
        assert_eq!(wording.subject, "Your code for Casa Aurora");
        for part in [&wording.text, &wording.html, &wording.short] {
            assert!(part.contains("2040 6080") && part.contains("10 minutes"), "{part}");
        }
    }

    #[test]
    fn names_and_links_break_out_of_nothing() {
        let link = "https://id.example.org/?a=1&b=\"<x>".to_owned();
        let content = Content::PasswordLink { link, minutes: 15 };
        let wording = wording("<b>Casa</b>\r\nBcc: eve@example.org", content);
        assert!(!wording.subject.contains(['\r', '\n']), "{}", wording.subject);
        assert!(
            !wording.html.contains("<b>") && !wording.html.contains("\"<x>"),
            "{}",
            wording.html
        );
    }
}
