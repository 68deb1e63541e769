//! What messages say, in the languages that the pages have: English.

use askama::Template;
use castellan_issuer::messages::{Content, Message};

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
    /// `message` in words.
    pub(super) fn of(message: &Message) -> Self {
        let site = &line(&message.site);
        Self::from(match &message.content {
            Content::Code { code, minutes } => code_parts(site, code, *minutes),
            Content::PasswordLink { link, minutes } => reset_parts(site, link, *minutes),
            Content::ActivationLink { link, hours } => activation_parts(site, link, *hours),
        })
    }

    /// A message that says that mail works.
    pub(super) fn trial(site: &str) -> Self {
        let site = line(site);
        Self::from(Parts {
            subject: format!("Test message from {site}"),
            intro: format!("This is a test message from {site}. Sending mail works."),
            code: None,
            link: None,
            outro: vec!["You do not need to do anything.".to_owned()],
            short: format!("Test message from {site}."),
        })
    }
}

fn code_parts<'a>(site: &str, code: &str, minutes: u64) -> Parts<'a> {
    let shown = match code.split_at_checked(4) {
        Some((first, second)) if !second.is_empty() => format!("{first} {second}"),
        _ => code.to_owned(),
    };
    Parts {
        subject: format!("Your code for {site}"),
        intro: format!("Enter this code at {site} to confirm that this address is yours:"),
        short: format!(
            "{site}: your code is {shown}. It is valid for {minutes} minutes. Do not share it."
        ),
        code: Some(shown),
        link: None,
        outro: vec![
            format!("The code is valid for {minutes} minutes and can be used once."),
            "Do not share it with anybody. If you did not ask for it, ignore this message."
                .to_owned(),
        ],
    }
}

fn reset_parts<'a>(site: &str, link: &'a str, minutes: u64) -> Parts<'a> {
    Parts {
        subject: format!("Set a new password for {site}"),
        intro: format!("Somebody asked to set a new password for your account at {site}."),
        code: None,
        short: format!("{site}: set a new password at {link}"),
        link: Some((link, "Set a new password")),
        outro: vec![
            format!("The link is valid for {minutes} minutes and can be used once."),
            "If you did not ask for it, ignore this message; your password stays as it is."
                .to_owned(),
        ],
    }
}

fn activation_parts<'a>(site: &str, link: &'a str, hours: u64) -> Parts<'a> {
    Parts {
        subject: format!("Activate your account at {site}"),
        intro: format!("An account at {site} was set up for you. Set a password to activate it."),
        code: None,
        short: format!("{site}: activate your account at {link}"),
        link: Some((link, "Set a password")),
        outro: vec![
            format!("The link is valid for {hours} hours and can be used once."),
            "If you do not know what this is about, ignore this message.".to_owned(),
        ],
    }
}

impl From<Parts<'_>> for MessageText {
    fn from(parts: Parts<'_>) -> Self {
        let middle = parts.code.as_deref().or(parts.link.map(|(link, _)| link));
        let blocks = std::iter::once(parts.intro.as_str())
            .chain(middle)
            .chain(parts.outro.iter().map(String::as_str));
        let text = blocks.collect::<Vec<_>>().join("\n\n");
        let html = Html {
            subject: &parts.subject,
            intro: &parts.intro,
            code: parts.code.as_deref(),
            link: parts.link,
            outro: &parts.outro,
        };
        // Without it, the text alone says everything.
        let html = html.render().unwrap_or_default();
        Self { subject: parts.subject, text: format!("{text}\n"), html, short: parts.short }
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
        MessageText::of(&Message { channel: Channel::Mail, to, site, locale: None, content })
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
