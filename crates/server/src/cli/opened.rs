//! The issuer that a command works on.

use std::process::ExitCode;

use castellan_issuer::Issuer;

use super::Failure;
use crate::{
    background::{
        audit::{Audit, AuditLines},
        logout_delivery::LogoutDelivery,
    },
    config::Loaded,
    startup::assemble,
};

/// Does `work`, which may change what there is and end sessions: records that, and tells apps, before
/// the process ends.
pub(super) async fn recorded(
    loaded: &Loaded,
    work: impl AsyncFnOnce(&Issuer) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let issuer = open(loaded).await?;
    // Standard output is the command's own.
    let plan = assemble::audit_plan(loaded, AuditLines::stderr)?;
    let work = async {
        let done = work(&issuer).await;
        LogoutDelivery::finish(issuer.clone()).await;
        done
    };
    Box::pin(Audit::of_command(&issuer, &plan, work)).await
}

pub(super) async fn open(loaded: &Loaded) -> Result<Issuer, Failure> {
    Ok(assemble::open_issuer(loaded).await?)
}
