//! A browser: it keeps cookies, and fills in forms.

use crate::support::{
    castellan::Castellan,
    fixtures::{ANN, Asking},
    wire::{Answer, Ask},
};

/// A browser with a cookie jar.
#[derive(Clone, Default)]
pub struct Browser {
    cookies: Vec<(String, String)>,
}

impl Browser {
    pub async fn get(&mut self, url: &str) -> Answer {
        self.send(Ask::get(url)).await
    }

    pub async fn post(&mut self, url: &str, pairs: &[(&str, &str)]) -> Answer {
        self.send(Ask::post(url).form(pairs)).await
    }

    pub async fn send(&mut self, ask: Ask) -> Answer {
        let ask = if self.cookies.is_empty() { ask } else { ask.header("cookie", &self.jar()) };
        let answer = ask.header("accept", "text/html").send().await;
        for cookie in answer.headers.get_all("set-cookie") {
            let pair = cookie.to_str().unwrap().split(';').next().unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(other, _)| other != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        answer
    }

    /// What it sends as `Cookie`.
    pub fn jar(&self) -> String {
        let pairs: Vec<_> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        pairs.join("; ")
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(other, _)| other == name).map(|(_, value)| &**value)
    }

    /// Signs in at the form that `answer` leads to.
    pub async fn sign_in(
        &mut self,
        castellan: &Castellan,
        answer: &Answer,
        (name, password): (&str, &str),
    ) -> Answer {
        let form = self.get(&castellan.at(answer.location())).await;
        let flow = form.hidden("flow").unwrap_or_else(|| panic!("no form: {form:?}"));
        let pairs = [("flow", &*flow), ("username", name), ("password", password)];
        self.post(&castellan.at("/auth/login"), &pairs).await
    }

    /// Answers the consent page that `answer` leads to.
    pub async fn decide(
        &mut self,
        castellan: &Castellan,
        answer: &Answer,
        decision: &str,
    ) -> Answer {
        let form = self.get(&castellan.at(answer.location())).await;
        let flow = form.hidden("flow").unwrap_or_else(|| panic!("no form: {form:?}"));
        let pairs = [("flow", &*flow), ("decision", decision)];
        self.post(&castellan.at("/auth/consent"), &pairs).await
    }

    /// Ann signs in here, without an app.
    pub async fn as_ann(castellan: &Castellan) -> Self {
        let mut browser = Self::default();
        let begun = browser.get(&castellan.at("/auth/login")).await;
        let signed_in = browser.sign_in(castellan, &begun, ANN).await;
        assert_eq!(signed_in.status, 303, "{signed_in:?}");
        browser
    }

    /// Goes where `asking` sends it, signs in as Ann and agrees, if it is asked to.
    pub async fn walk(&mut self, castellan: &Castellan, asking: &Asking) -> Answer {
        self.walk_to(castellan, &asking.at(castellan)).await
    }

    /// The same, for an address that somebody else has made.
    pub async fn walk_to(&mut self, castellan: &Castellan, url: &str) -> Answer {
        let leads = |answer: &Answer, to: &str| {
            answer.header("location").is_some_and(|location| location.starts_with(to))
        };
        let mut answer = self.get(url).await;
        if leads(&answer, "/auth/login") {
            answer = self.sign_in(castellan, &answer, ANN).await;
        }
        if leads(&answer, "/auth/consent") {
            answer = self.decide(castellan, &answer, "allow").await;
        }
        answer
    }

    /// The code that such a walk ends with.
    pub async fn code(&mut self, castellan: &Castellan, asking: &Asking) -> String {
        let answer = self.walk(castellan, asking).await;
        answer.location_param("code").unwrap_or_else(|| panic!("no code: {answer:?}"))
    }
}
