//! An address is verified by a code that is sent there, and a password is set by a link.

use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use castellan_issuer::{
    Issuer,
    management::accounts::{Actor, VerificationAnswer, Whom},
    messages::{Channel, Content, Later, Message, Messenger, SendError},
    records::Account,
    sign_in::reset::ResetForm,
};
use castellan_proto::Secret;

use crate::{
    harness::{Harness, Tab},
    stories::{Notes, Story},
};

const ADDRESS: &str = "ada@work.example";

/// What was sent last.
#[derive(Default)]
struct Mailbox(Mutex<Option<Content>>);

#[async_trait]
impl Messenger for Mailbox {
    fn offers(&self, channel: Channel) -> bool {
        channel == Channel::Mail
    }

    async fn send(&self, message: &Message) -> Result<(), SendError> {
        *self.0.lock().unwrap() = Some(message.content.clone());
        Ok(())
    }

    fn later(&self, work: Later) {
        drop(work);
    }
}

impl Mailbox {
    fn taken(&self) -> Option<Content> {
        self.0.lock().unwrap().take()
    }
}

/// The issuer of `harness`, and where its messages arrive.
fn sending(harness: &Harness) -> (Issuer, Arc<Mailbox>) {
    let mailbox = Arc::new(Mailbox::default());
    (harness.issuer.sending_by(Arc::clone(&mailbox) as Arc<dyn Messenger>), mailbox)
}

async fn ada(harness: &Harness) -> Account {
    let now = harness.issuer.now();
    harness.issuer.repository().get::<Account>("ada-1", now).await.unwrap().unwrap().body
}

async fn is_verified(harness: &Harness) -> bool {
    ada(harness).await.email_entries().iter().any(|one| one.value == ADDRESS && one.is_verified())
}

/// A person verifies an address that is new to their account.
pub(crate) struct Verifying;

async fn verify(harness: &Harness, notes: &mut Notes) -> Result<(), String> {
    let (issuer, mailbox) = sending(harness);
    let actor = Actor::default();
    let started = issuer.start_email_verification(&actor, "ada-1", ADDRESS, true).await;
    let state = started.map_err(|error| error.to_string())?.unwrap();
    let Some(Content::Code { code, .. }) = mailbox.taken() else { panic!("nothing was sent") };
    notes.note("state", &state);
    notes.note("code", &code);
    let answer = VerificationAnswer { state: &state, code: &code };
    let completed = issuer.complete_email_verification(&actor, "ada-1", answer).await;
    completed.map_err(|error| error.to_string())?;
    notes.note("done", "yes");
    Ok(())
}

#[async_trait]
impl Story for Verifying {
    async fn prepare(&self, _: &Harness) -> Notes {
        Notes::new(Tab::new())
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        verify(harness, notes).await
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let is_done = is_verified(harness).await;
        assert!(is_done || !notes.has("done"), "what was said to be verified is not");
        // An answer that was lost does not make the code good for a second time.
        if let (true, Some(state), Some(code)) = (is_done, notes.get("state"), notes.get("code")) {
            let actor = Actor::default();
            let answer = VerificationAnswer { state, code };
            let again = harness.issuer.complete_email_verification(&actor, "ada-1", answer);
            assert!(again.await.is_err());
        }
        verify(harness, &mut Notes::new(Tab::new())).await.unwrap();
        assert!(is_verified(harness).await);
    }
}

/// A person sets a new password by a link that came by mail.
pub(crate) struct Forgetting;

async fn forget(harness: &Harness, password: &str, notes: &mut Notes) -> Result<(), String> {
    let (issuer, mailbox) = sending(harness);
    let sent = issuer.send_password_reset(Whom::Id("ada-1"), None, true).await;
    assert!(sent.map_err(|error| error.to_string())?);
    let Some(Content::PasswordLink { link, .. }) = mailbox.taken() else { panic!("no link") };
    let (_, token) = link.split_once("token=").unwrap();
    notes.note("token", token);
    set(harness, token, password).await?;
    notes.note("done", "yes");
    Ok(())
}

async fn set(harness: &Harness, token: &str, password: &str) -> Result<(), String> {
    let password = || Secret::new(password.to_owned());
    let form = ResetForm { token: token.to_owned(), password: password(), again: password() };
    harness.issuer.reset_password(&form).await.map_err(|error| error.to_string())
}

#[async_trait]
impl Story for Forgetting {
    async fn prepare(&self, harness: &Harness) -> Notes {
        let before = ada(harness).await.password.unwrap();
        Notes::with("before", &before)
    }

    async fn play(&self, harness: &Harness, notes: &mut Notes) -> Result<(), String> {
        forget(harness, "quite another password", notes).await
    }

    async fn check(&self, harness: &Harness, notes: &Notes) {
        let is_new = ada(harness).await.password.as_deref() != notes.get("before");
        assert!(is_new || !notes.has("done"), "what was said to be set is not");
        if let (true, Some(token)) = (is_new, notes.get("token")) {
            assert!(
                set(harness, token, "a third password").await.is_err(),
                "a link was used twice"
            );
        }
        forget(harness, "one more password", &mut Notes::new(Tab::new())).await.unwrap();
    }
}
