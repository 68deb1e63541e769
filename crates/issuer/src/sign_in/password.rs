//! A name and a password.

use async_trait::async_trait;
use castellan_proto::{Opaque, Secret, is_identifier};

use super::{Field, FieldKind, SignInMethod, credential::as_wrong};
use crate::{
    Issuer,
    error::OAuthError,
    language::Text,
    records::{Account, login_name, repository::Versioned},
    request::params::Params,
    secrets::{hashing::Match, policy::SecretPolicy},
    session::{
        browser::{Browser, SignedIn},
        site_access::Proven,
    },
    sign_in::name_and_password::NameAndPassword,
    store::{Notice, StoreError},
    throttle::per_account::GuessFrom,
};

/// What people have known since they signed up.
pub(super) struct Password;

#[async_trait]
impl SignInMethod for Password {
    fn name(&self) -> &'static str {
        "password"
    }

    fn amr(&self) -> &'static [&'static str] {
        &["pwd"]
    }

    fn fields(&self) -> &'static [Field] {
        const FIELDS: &[Field] = &[
            Field {
                name: "username",
                label: Text {
                    en: "Username or e-mail",
                    ca: "Nom d’usuari o correu electrònic",
                    es: "Nombre de usuario o correo electrónico",
                    de: "Benutzername oder E-Mail-Adresse",
                    fr: "Nom d’utilisateur ou adresse e-mail",
                },
                kind: FieldKind::UserName,
                autocomplete: "username",
            },
            Field {
                name: "password",
                label: Text {
                    en: "Password",
                    ca: "Contrasenya",
                    es: "Contraseña",
                    de: "Passwort",
                    fr: "Mot de passe",
                },
                kind: FieldKind::Secret,
                autocomplete: "current-password",
            },
        ];
        FIELDS
    }

    fn problem(&self) -> Text {
        // The same words whether the name or the password is wrong.
        Text {
            en: "Incorrect username or password.",
            ca: "El nom d’usuari o la contrasenya no són correctes.",
            es: "El nombre de usuario o la contraseña no son correctos.",
            de: "Benutzername oder Passwort ist falsch.",
            fr: "Nom d’utilisateur ou mot de passe incorrect.",
        }
    }

    async fn check(
        &self,
        issuer: &Issuer,
        (_, form): (&str, &Params),
        browser: &Browser,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        let name = form.get("username").unwrap_or_default();
        let password = form.secret("password").unwrap_or_else(|| Secret::new(String::new()));
        let found =
            issuer.check_password(NameAndPassword { name, password: &password }, browser).await?;
        Ok(found.filter(|stored| stored.body.active))
    }
}

impl Issuer {
    /// Signs a person in by password. `None` if the name or the password is wrong: the same
    /// answer at the same time.
    ///
    /// # Errors
    /// [`OAuthError::SecondFactorNeeded`] if that is not enough, [`OAuthError::Busy`] or
    /// [`OAuthError::Store`]; nobody is signed in then.
    pub async fn sign_in_with_password(
        &self,
        name: &str,
        password: &Secret,
    ) -> Result<Option<(Opaque, SignedIn)>, OAuthError> {
        self.may_issue()?;
        let browser = Browser::default();
        let found = self.check_password_alone(NameAndPassword { name, password }, &browser).await;
        let found = found.map(|found| found.filter(|stored| stored.body.active));
        let Some(stored) = self.audit_failure(found, "password")? else { return Ok(None) };
        Ok(Some(self.open_session((stored.id, stored.body), &browser).await?))
    }

    /// The person whom `name` and `password`, which `browser` sent, prove. `None` if the name or the
    /// password is wrong, or the person may not sign in: the same answer at the same time. The guess is
    /// counted before it is checked. Nobody is signed in by this.
    ///
    /// # Errors
    /// [`OAuthError::SecondFactorNeeded`] if the password is right and not enough; otherwise
    /// [`OAuthError`] if that cannot be determined, or not now.
    pub async fn prove_by_password(
        &self,
        name: &str,
        password: &Secret,
        browser: &Browser,
    ) -> Result<Option<Proven>, OAuthError> {
        self.may_issue()?;
        // Programs that sign people in have no mark: where they come from stands in its place.
        let from = match &browser.mark {
            Some(_) => GuessFrom::Browser(browser),
            None => GuessFrom::Program(browser.source),
        };
        let found =
            as_wrong(self.check_password_alone(NameAndPassword { name, password }, from).await);
        let found = found.map(|found| found.filter(|stored| stored.body.active));
        Ok(self.audit_failure(found, "password")?.map(Proven::of))
    }

    /// The account that `name` and `password`, sent by `from`, lead to; it may be inactive. It may have
    /// a second factor, which whoever calls this has to ask for next.
    ///
    /// # Errors
    /// [`OAuthError::MustChangePassword`] if the password is right, is all that is asked for, and has to
    /// be changed first, and the others as they say.
    pub(super) async fn check_password(
        &self,
        NameAndPassword { name, password }: NameAndPassword<'_>,
        from: impl Into<GuessFrom<'_>> + Send,
    ) -> Result<Option<Versioned<Account>>, OAuthError> {
        let found = self.find_account(name).await?;
        let account = found.as_ref().map(|stored| &*stored.id);
        let guess = self.count_guess(&login_name(name), account, from).await?;
        let phc = found.as_ref().and_then(|stored| stored.body.password.as_deref());
        let phc = phc.filter(|_| !guess.is_refused);
        let matched = self.passwords().compare_evenly(password, phc).await?;
        let right = matched != Match::No;
        if right {
            self.guess_was_good(guess).await?;
        }
        let found = found.filter(|_| right);
        let active = found.as_ref().filter(|stored| stored.body.active);
        if let (Match::OtherForm, Some(stored)) = (matched, active) {
            self.hash_anew(stored, password).await;
        }
        // Who has a second factor shows that first: a password alone changes nothing.
        if let Some(stored) = found.as_ref().filter(|stored| !stored.body.needs_second_factor()) {
            self.past_forced_change(stored)?;
        }
        Ok(found)
    }

    /// Replaces a hash of an earlier version, or of another program, with that of the same password in
    /// NFC. The password does not change, so sessions continue. A failure is ignored; the next sign-in
    /// tries again.
    async fn hash_anew(&self, stored: &Versioned<Account>, password: &Secret) {
        let is_imported =
            stored.body.password.as_deref().is_some_and(|hash| !self.passwords().made(hash));
        let policy = match self.settings().secrets {
            // However short it is: its hash gets better, and it gets no worse.
            policy if is_imported => {
                SecretPolicy { password_min_length: 1, credential: None, ..policy }
            }
            // A password that is now too short could not be set again, and keeps its old hash.
            policy => policy,
        };
        let Ok(storable) = policy.password(password) else { return };
        let Ok(phc) = self.passwords().hash(&storable).await else { return };
        let body = Account { password: Some(phc), ..stored.body.clone() };
        let anew = Versioned { id: stored.id.clone(), version: stored.version, body };
        if let Err(error) = self.repository().replace(&anew, Notice::Silent, self.now()).await {
            tracing::warn!(%error, "could not store the hash of a password anew");
        }
    }

    /// The account that `name` signs in to: its user name, an e-mail address, or its id as long as it
    /// was not renamed. An id often is the first user name, which a rename gives up.
    pub(crate) async fn find_account(
        &self,
        name: &str,
    ) -> Result<Option<Versioned<Account>>, StoreError> {
        let now = self.now();
        let named = self.repository().find::<Account>(&login_name(name), now).await?;
        if !is_identifier(name) {
            return Ok(named);
        }
        // Read even if it is not needed: a name that is known costs what an unknown one does.
        let by_id = self.repository().get::<Account>(name, now).await?;
        Ok(named.or(by_id.filter(|stored| !stored.body.is_renamed)))
    }
}
