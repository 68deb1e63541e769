//! `castellan doctor`: whether what is configured works, and what its data source can do.

use std::{process::ExitCode, sync::atomic::Ordering, time::Instant};

use castellan_issuer::{
    Issuer,
    readiness::Heartbeat,
    resources::{ResourceKind, empty_secrets::EmptySecrets, search::Cause},
    settings::{Registrant, registration::REGISTER},
    store::StoreError,
};

use super::{
    Failure,
    doctor_checks::{WARNED, audit_output, certificates, file_rights, signing_keys, warn},
};
use crate::{
    config::Loaded,
    guards::{self, Trouble},
    messages::MessageSender,
    startup::assemble::{self, Access},
};

/// Apps that are named in a warning at most.
const NAMED: usize = 10;

/// Passwords and secrets that are checked unless all are asked for: each takes as long as a
/// sign-in.
const CHECKED: usize = 1_000;

/// Check the configuration, the data source, the clock and the stored secrets.
#[derive(clap::Args)]
pub(super) struct Arguments {
    /// Accept this machine's clock although the data source contains later times. Use it after the
    /// clock was ahead by mistake; stop the server first.
    #[arg(long)]
    accept_clock: bool,
    /// Check all passwords and secrets for being empty, however long it takes. Default: the first
    /// 1000 of each site.
    #[arg(long)]
    all_secrets: bool,
    /// Send a test message to this e-mail address.
    #[arg(long, value_name = "ADDRESS")]
    mail: Option<String>,
}

/// What it does with the data source: with `--accept-clock` it writes.
pub(super) const fn access(arguments: &Arguments) -> Access {
    if arguments.accept_clock { Access::Change } else { Access::Look }
}

/// Prints what it finds, good and bad.
pub(super) async fn run(loaded: &Loaded, arguments: &Arguments) -> Result<ExitCode, Failure> {
    if let Some(card) = castellan_stores::capabilities(&loaded.config.data.url) {
        println!("{card}\n");
    }
    let began = Instant::now();
    let issuers = assemble::open_issuers(loaded, access(arguments)).await?;
    println!("data source      opens in {} ms", began.elapsed().as_millis());
    file_rights(loaded);
    if arguments.accept_clock {
        for issuer in &issuers {
            issuer.forget_heartbeats().await?;
        }
        println!("clock            accepted: the newest time in the data source was reset");
    }
    let mut good = certificates(loaded) & audit_output(loaded);
    good &= messages(loaded, arguments.mail.as_deref()).await?;
    for issuer in &issuers {
        println!(
            "\nsite             {} at {}",
            issuer.repository().site(),
            issuer.address().issuer
        );
        good &= feed(issuer).await;
        good &= clocks(issuer).await & writes(issuer).await & guards_of(loaded, issuer).await;
        policies(loaded, issuer).await?;
        site_accesses(issuer).await?;
        if let Some(text) = open_templates(issuer).await? {
            warn("registration", &text);
        }
        lists(issuer);
        good &= signing_keys(issuer);
        good &= other_issuers(loaded, issuer).await?;
        for kind in [ResourceKind::USER, ResourceKind::CLIENT] {
            let some = !issuer.list(kind, None, 1).await?.is_empty();
            println!("{:<16} {}", kind.as_str(), if some { "present" } else { "none yet" });
        }
        good &= secrets(issuer, arguments).await?;
        registration(issuer).await?;
        let endless = issuer.apps_without_end(NAMED).await?;
        if !endless.is_empty() {
            let text = format!(
                "refresh tokens of {} never expire; set `refresh_token_expiration` for these apps, or \
                 `tokens.refresh_longest` for all",
                endless.join(", ")
            );
            warn("refresh tokens", &text);
        }
    }
    let said = match (good, WARNED.load(Ordering::Relaxed)) {
        (false, _) => "Problems found; see above.",
        (true, true) => "No problems found, but warnings; see above.",
        (true, false) => "No problems found.",
    };
    println!("\n{said}");
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Whether the feed of `issuer`'s data source answers.
async fn feed(issuer: &Issuer) -> bool {
    let began = Instant::now();
    match issuer.repository().store().feed(None).await {
        Ok(_) => {
            println!("feed             answers in {} ms", began.elapsed().as_millis());
            true
        }
        Err(error) => {
            println!("feed             PROBLEM: {error}");
            false
        }
    }
}

/// Warns if clients can be registered only by such as there are none of.
async fn registration(issuer: &Issuer) -> Result<(), StoreError> {
    let settings = &issuer.settings().registration;
    let needs = settings.admits(Registrant::Token) || settings.admits(Registrant::Client);
    if needs && !issuer.has_registrant().await? {
        let text = format!(
            "registration.by has \"token\" or \"client\", but no client has the scope {REGISTER}, so \
             that nobody can register one that way"
        );
        warn("registration", &text);
    }
    Ok(())
}

/// What is to be said of templates that give strangers tokens.
pub(super) async fn open_templates(issuer: &Issuer) -> Result<Option<String>, StoreError> {
    let templates = issuer.templates_for_strangers(NAMED).await?;
    Ok((!templates.is_empty()).then(|| {
        format!(
            "anybody may register (`registration.by` has \"open\"), and so anybody gets tokens with \
             the scopes of the template {}, which has the client_credentials grant; remove that \
             grant, or \"open\"",
            templates.join(", ")
        )
    }))
}

/// Prints at which SiteAccesses nobody can sign in, and why.
async fn site_accesses(issuer: &Issuer) -> Result<(), StoreError> {
    let closed = issuer.closed_site_accesses().await?;
    let tell = |names: &[String], whose: &str| {
        if !names.is_empty() {
            let it = if names.len() == 1 { "it" } else { "them" };
            let names = names.join(", ");
            let text = format!(
                "nobody can sign in at SiteAccess {names}: no role {whose}has {it} in login"
            );
            warn("roles", &text);
        }
    };
    tell(&closed.to_people, "");
    let others = closed.to_anonymous.into_iter().filter(|name| !closed.to_people.contains(name));
    tell(&others.collect::<Vec<_>>(), "with anonymous = true ");
    Ok(())
}

/// Prints whether messages can be sent, and sends one to `trial`; whether that works.
async fn messages(loaded: &Loaded, trial: Option<&str>) -> Result<bool, Failure> {
    let Some(message_sender) = MessageSender::open(loaded).await? else {
        println!("mail             not configured: no codes, no links for new passwords");
        return match trial {
            Some(_) => Err("--mail needs a [mail] table in the configuration".into()),
            None => Ok(true),
        };
    };
    for warning in message_sender.warnings() {
        warn("messages", &warning);
    }
    let mut good = match message_sender.probe_mail().await {
        Ok(state) => {
            println!("mail             {state}");
            true
        }
        Err(problem) => {
            println!("mail             PROBLEM: {problem}");
            false
        }
    };
    if let Some(to) = trial {
        match message_sender.send_trial(to, &loaded.site.title).await {
            Ok(outcome) => println!("mail             {outcome}"),
            Err(error) => {
                good = false;
                println!("mail             PROBLEM: {error}");
            }
        }
    }
    Ok(good)
}

/// Prints what lists are refused for (`docs/contracts/curity.md` §10).
fn lists(issuer: &Issuer) {
    let may_scan = issuer.settings().allow_table_scans;
    let refused = issuer.repository().store().abilities().unsupported(may_scan);
    let refused: Vec<_> = refused.into_iter().map(Cause::as_str).collect();
    let refused = if refused.is_empty() { "nothing".to_owned() } else { refused.join(", ") };
    println!("lists refuse     {refused}");
}

/// Prints whether tokens of other issuers can be verified; whether all can.
async fn other_issuers(loaded: &Loaded, issuer: &Issuer) -> Result<bool, StoreError> {
    let mut good = true;
    for (id, state) in assemble::foreign_tokens(loaded, Vec::new()).probe(issuer).await? {
        let state = state.unwrap_or_else(|error| {
            good = false;
            format!("PROBLEM: {error}")
        });
        println!("introspector     {id}: {state}");
    }
    Ok(good)
}

/// Prints which guards of a site are open, and what is wrong with them; whether nothing is.
async fn guards_of(loaded: &Loaded, issuer: &Issuer) -> bool {
    let mut good = true;
    let site = loaded.sites.iter().find(|site| *site.name == **issuer.repository().site());
    for guard in site.map(|site| loaded.guards(site)).unwrap_or_default() {
        let (state, trouble) =
            match guards::build_schema(&guard, &loaded.folder, &loaded.roots).await {
                Ok(built) => ("open", Trouble::of(&built).map(|trouble| trouble.text)),
                Err(problem) => ("closed", Some(problem.to_string())),
            };
        good &= trouble.is_none();
        let problem = trouble.map_or_else(String::new, |text| format!("; PROBLEM: {text}"));
        println!("guard            {} at {} is {state}{problem}", guard.name, guard.path);
    }
    good
}

/// Prints which policies are asked nowhere, and which guards ask for policies that are not there.
async fn policies(loaded: &Loaded, issuer: &Issuer) -> Result<(), Failure> {
    let site = loaded.sites.iter().find(|site| *site.name == **issuer.repository().site());
    let guards = site.map(|site| loaded.guards(site)).unwrap_or_default();
    for (subject, text) in guards::misplaced(&guards, &issuer.policy_places().await?) {
        warn("policies", &format!("{subject} {text}"));
    }
    Ok(())
}

/// Prints who has an empty password or secret; whether nobody has.
async fn secrets(issuer: &Issuer, arguments: &Arguments) -> Result<bool, Failure> {
    let most = (!arguments.all_secrets).then_some(CHECKED);
    let EmptySecrets { found, unreadable, checked, is_partial } =
        issuer.empty_secrets(most).await?;
    let rest = if is_partial { "; use `doctor --all-secrets` to check all" } else { "" };
    let named = |found: &[String]| {
        let named: Vec<_> = found.iter().take(NAMED).map(String::as_str).collect();
        format!("{}{}", named.join(", "), if found.len() > NAMED { ", …" } else { "" })
    };
    if !unreadable.is_empty() {
        println!(
            "secrets          PROBLEM: {} are empty, or stored in a form that is no hash: {}. They \
             are rejected at sign-in and may be readable in the data source; set new ones",
            unreadable.len(),
            named(&unreadable)
        );
    }
    if found.is_empty() {
        println!("secrets          {checked} checked, none empty{rest}");
        return Ok(unreadable.is_empty());
    }
    println!(
        "secrets          PROBLEM: {} of {checked} are empty: {}. They are rejected at sign-in; \
         set new ones{rest}",
        found.len(),
        named(&found)
    );
    Ok(false)
}

/// Prints how far the clocks are apart; whether that is little enough.
async fn clocks(issuer: &Issuer) -> bool {
    let clock = &issuer.readiness().clock;
    let compared = match clock.compare(issuer.repository().store(), issuer.clock()).await {
        Ok(None) => issuer.newest_heartbeat().await.map(|newest| {
            clock.has_been(newest);
            "local (the data source has none of its own)"
        }),
        Ok(Some(_)) => Ok("agrees with the data source"),
        Err(error) => Err(error),
    };
    let problem = match (compared, issuer.check_clock()) {
        (Ok(good), Ok(())) => {
            println!("clock            {good}");
            return true;
        }
        (Err(error), _) => error.to_string(),
        (_, Err(wrong)) => wrong.to_string(),
    };
    println!("clock            PROBLEM: {problem}");
    false
}

/// Prints whether the data source can be written.
async fn writes(issuer: &Issuer) -> bool {
    let began = Instant::now();
    match Heartbeat::new(issuer).beat().await {
        Ok(()) => println!("write            succeeds in {} ms", began.elapsed().as_millis()),
        Err(StoreError(cause)) => {
            println!(
                "write            PROBLEM: {cause}; check that this is the primary and that its \
                 disk is not full"
            );
            return false;
        }
    }
    true
}
