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
    startup::assemble::{self, Access},
};

/// Does `work`. If it may change what there is and end sessions, records that, and tells apps, before
/// the process ends; one that looks leaves not even an empty file for audit records.
pub(super) async fn recorded(
    loaded: &Loaded,
    access: Access,
    work: impl AsyncFnOnce(&Issuer) -> Result<ExitCode, Failure>,
) -> Result<ExitCode, Failure> {
    let issuer = open(loaded, access).await?;
    if access == Access::Look {
        return work(&issuer).await;
    }
    // Standard output is the command's own.
    let plan = assemble::audit_plan(loaded, AuditLines::stderr)?;
    let work = async {
        let done = work(&issuer).await;
        LogoutDelivery::finish(issuer.clone(), &loaded.roots).await;
        done
    };
    Box::pin(Audit::of_command(&issuer, &plan, work)).await
}

pub(super) async fn open(loaded: &Loaded, access: Access) -> Result<Issuer, Failure> {
    Ok(assemble::open_issuer(loaded, access).await?)
}
