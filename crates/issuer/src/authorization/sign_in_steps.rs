//! The steps in which a person proves who they are: by a way to sign in, and by a second factor if they
//! opted in to one (`docs/second-factor.md`).

use super::{
    flow::{Flow, Settled},
    half_sign_in::HalfSignIn,
};
use crate::{
    Issuer,
    authorization::next::{FlowError, Next, SignInOutcome},
    records::{Account, Amr, repository::Versioned},
    request::params::Params,
    session::browser::Browser,
};

impl Issuer {
    /// The person says who they are, in the form of one of the [`SignInMethod`]s.
    ///
    /// # Errors
    /// [`FlowError::Expired`] if there is no such flow in this browser, or no such method.
    ///
    /// [`SignInMethod`]: crate::sign_in::SignInMethod
    pub async fn sign_in(
        &self,
        flow: &str,
        form: &Params,
        browser: &Browser,
    ) -> Result<SignInOutcome, FlowError> {
        // Before anything is used up.
        self.may_issue()?;
        let stored = self.flow(flow, browser).await?;
        let method = self.sign_in_method(form).ok_or(FlowError::Expired)?;
        let checked = method.check(self, (flow, form), browser).await;
        let Some(account) = self.audit_failure(checked, method.name())? else {
            return Ok(SignInOutcome::No(method.problem()));
        };
        // The flow first, so that a form sent twice leaves nothing behind the second time.
        self.use_up(&stored.id, browser).await?;
        self.proven(stored.body, account, Amr::of(method.amr()), browser).await
    }

    /// The person who has proved a first factor shows a second one, in the form of one of the
    /// [`SecondFactor`]s or a recovery code.
    ///
    /// # Errors
    /// [`FlowError::Expired`] if there is no such flow in this browser, if nobody has proved a first
    /// factor in it, or if that does not count any more; [`MustChangePassword`] if the factor
    /// is right and the password has to be changed first.
    ///
    /// [`SecondFactor`]: crate::sign_in::second_factor::SecondFactor
    /// [`MustChangePassword`]: crate::error::OAuthError::MustChangePassword
    pub async fn show_second_factor(
        &self,
        flow: &str,
        form: &Params,
        browser: &Browser,
    ) -> Result<SignInOutcome, FlowError> {
        self.may_issue()?;
        let stored = self.flow(flow, browser).await?;
        let half = stored.body.half.clone().ok_or(FlowError::Expired)?;
        let account = self.half_signed_in(&half).await?.ok_or(FlowError::Expired)?;
        let factor = self.second_factor(&account.body, form).ok_or(FlowError::Expired)?;
        let checked = self.check_second_factor(factor, &account, (flow, form), browser).await;
        let checked = checked.map(|is_right| is_right.then_some(()));
        if self.audit_failure(checked, factor.name())?.is_none() {
            return Ok(SignInOutcome::No(factor.problem()));
        }
        self.use_up(&stored.id, browser).await?;
        self.past_forced_change(&account)?;
        self.proven(stored.body, account, half.amr.and(factor.amr()), browser).await
    }

    /// Goes on with `flow`, which is used up: `account` has proved who they are by `amr`. A session
    /// begins if that is all that they have to prove.
    async fn proven(
        &self,
        flow: Flow,
        account: Versioned<Account>,
        amr: Amr,
        browser: &Browser,
    ) -> Result<SignInOutcome, FlowError> {
        if account.body.needs_second_factor() && !amr.is_multi_factor() {
            let generation = account.body.generation;
            let half = HalfSignIn { account: account.id, generation, at: self.now(), amr };
            // As long as the flow would have lasted, so that this prolongs nothing.
            let ends = flow.ends;
            let flow = Flow { half: Some(half), session: None, ..flow };
            let next = Next::SecondFactor(self.save_flow_until(flow, browser, ends).await?);
            return Ok(SignInOutcome::Further(next));
        }
        // A previous session in this browser, perhaps somebody else's, ends now.
        let (cookie, signed_in) = self.take_over(browser, account, amr).await?;
        let Some(request) = flow.request else {
            let next = flow.destination.map_or(Next::Home, Next::Go);
            return Ok(SignInOutcome::Yes(cookie, next));
        };
        let next = async {
            let client = self.client_of(&request).await?;
            // No authentication can be more recent than this one.
            let settled = Settled { proven: true, ..Settled::default() };
            self.advance((request, client), Some(signed_in), browser, settled).await
        };
        match next.await {
            Ok(next) => Ok(SignInOutcome::Yes(cookie, next)),
            Err(error) => {
                // The cookie is not handed out, so the session ends, for its apps as well.
                self.sign_out_of(&cookie).await?;
                Err(error)
            }
        }
    }
}
