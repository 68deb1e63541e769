//! `castellan user`.

use std::{io::Read as _, process::ExitCode};

use castellan_issuer::{
    Issuer,
    resources::{Applied, Mode, ResourceKind},
    sign_in::reset::IssueError,
};
use serde_json::{Value, json};

use super::{
    Failure,
    resources::{self, Output},
};

/// Manage people.
#[derive(clap::Subcommand)]
pub(super) enum Command {
    /// Add a person. The password is read from standard input.
    Add {
        /// Id of the account, which is also the username.
        id: String,
        /// Full name.
        #[arg(long)]
        name: Option<String>,
        /// E-mail address.
        #[arg(long)]
        email: Option<String>,
        /// Group. May be repeated. Members of `administrators` may administer Castellan.
        #[arg(long = "group")]
        groups: Vec<String>,
    },
    /// Set a person's password, read from standard input.
    Password {
        /// Id of the account.
        id: String,
    },
    /// Print a link by which a person can set a new password: valid for 15 minutes, once. Links that
    /// were issued earlier are not valid any more.
    ResetPassword {
        /// Id of the account.
        id: String,
    },
    /// Let a person sign in with their password alone until they set up a second factor again: their
    /// factors and recovery codes are forgotten, and their sessions and tokens are over. Their devices
    /// stay.
    ResetMfa {
        /// Id or username of the account, or an e-mail address of it.
        name: String,
    },
    /// Deactivate a person: they can no longer sign in, and their tokens become invalid.
    Deactivate {
        /// Id of the account.
        id: String,
    },
    /// Let a person who was deactivated sign in again. Tokens that ended with the deactivation stay
    /// invalid.
    Activate {
        /// Id of the account.
        id: String,
    },
    /// Print the groups of a person, one per line, after changing them if that is asked for.
    Groups {
        /// Id of the account.
        id: String,
        /// Group to add the person to. May be repeated. Members of `administrators` may administer
        /// Castellan.
        #[arg(long, value_name = "GROUP")]
        add: Vec<String>,
        /// Group to remove the person from. May be repeated.
        #[arg(long, value_name = "GROUP")]
        remove: Vec<String>,
    },
    /// List people.
    List(Output),
}

/// What it means that somebody is deactivated: the account is there, and nothing is let in by it.
const DEACTIVATED: &str = "\
    They can no longer sign in. Their browser sessions have ended, and their access and refresh tokens \
    are refused, at every node within a second; apps that asked for it are notified of the sign-out. \
    The account, its data and its consents are kept: `castellan user activate NAME` lets the person in \
    again, who then signs in anew.";

pub(super) async fn run(issuer: &Issuer, command: Command) -> Result<ExitCode, Failure> {
    match command {
        Command::Add { id, name, email, groups } => {
            add(issuer, &id, name, email, &groups).await?;
        }
        Command::Password { id } => {
            let password = json!(password()?);
            let applied = change(issuer, &id, |user| user["password"] = password).await?;
            if applied.secret_changed {
                println!("set the password of User/{id}");
            } else {
                println!("User/{id} has that password already; nothing changed");
            }
        }
        Command::ResetPassword { id } => {
            let token = issuer.issue_reset(&id).await.map_err(|error| match error {
                IssueError::Unknown => Failure::from(format!("User {id:?} does not exist")),
                error => error.into(),
            })?;
            println!("{}", issuer.reset_url(&token));
        }
        Command::ResetMfa { name } => match issuer.reset_mfa_of(&name).await? {
            None => return Err(format!("User {name:?} does not exist").into()),
            Some(true) => println!("reset the second factor of {name}"),
            Some(false) => println!("{name} has no second factor"),
        },
        Command::Deactivate { id } => {
            let applied = change(issuer, &id, |user| user["inactive"] = json!(true)).await?;
            if applied.changed() {
                println!("deactivated User/{id}");
            } else {
                println!("User/{id} was deactivated already; nothing changed");
            }
            println!("{DEACTIVATED}");
        }
        Command::Activate { id } => {
            let applied = change(issuer, &id, |user| user["inactive"] = json!(false)).await?;
            if applied.changed() {
                println!("activated User/{id}");
            } else {
                println!("User/{id} is active already; nothing changed");
            }
        }
        Command::Groups { id, add, remove } => groups(issuer, &id, &add, &remove).await?,
        Command::List(output) => {
            return resources::list(issuer, ResourceKind::USER, &output).await;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn add(
    issuer: &Issuer,
    id: &str,
    name: Option<String>,
    email: Option<String>,
    groups: &[String],
) -> Result<(), Failure> {
    if issuer.describe(ResourceKind::USER, id).await?.is_some() {
        return Err(format!("User {id:?} already exists").into());
    }
    let mut user = json!({"resourceType": "User", "id": id, "userName": id});
    user["password"] = json!(password()?);
    user["groups"] = groups.iter().map(|group| json!({"value": group})).collect();
    if let Some(name) = name {
        user["name"] = json!({"formatted": name});
    }
    if let Some(email) = email {
        user["emails"] = json!([{"value": email, "primary": true}]);
    }
    let applied = issuer.apply(user, Mode::Write).await?;
    println!("created {}", applied.resource);
    Ok(())
}

/// Adds a person to groups, removes them from others, and prints in which they are then.
async fn groups(
    issuer: &Issuer,
    id: &str,
    add: &[String],
    remove: &[String],
) -> Result<(), Failure> {
    if let Some(both) = add.iter().find(|group| remove.contains(group)) {
        return Err(format!("group {both:?} is both to be added and to be removed").into());
    }
    let found = issuer.describe(ResourceKind::USER, id).await?;
    let mut user = found.ok_or_else(|| format!("User {id:?} does not exist"))?;
    let mut groups: Vec<Value> = user["groups"].as_array().cloned().unwrap_or_default();
    for group in remove {
        let before = groups.len();
        groups.retain(|one| one["value"] != json!(group));
        if groups.len() == before {
            return Err(format!("User {id:?} is not in the group {group:?}").into());
        }
    }
    for group in add {
        if !groups.iter().any(|one| one["value"] == json!(group)) {
            groups.push(json!({"value": group}));
        }
    }
    if !(add.is_empty() && remove.is_empty()) {
        user["groups"] = json!(groups);
        issuer.apply(user, Mode::Write).await?;
    }
    for group in groups.iter().filter_map(|group| group["value"].as_str()) {
        println!("{group}");
    }
    Ok(())
}

async fn change(
    issuer: &Issuer,
    id: &str,
    edit: impl FnOnce(&mut Value),
) -> Result<Applied, Failure> {
    let found = issuer.describe(ResourceKind::USER, id).await?;
    let mut user = found.ok_or_else(|| format!("User {id:?} does not exist"))?;
    edit(&mut user);
    Ok(issuer.apply(user, Mode::Write).await?)
}

/// One line of the standard input.
fn password() -> Result<String, Failure> {
    use std::io::IsTerminal as _;
    if std::io::stdin().is_terminal() {
        eprint!("Password (visible as you type): ");
        let mut line = String::new();
        std::io::stdin().read_line(&mut line)?;
        return Ok(line.trim_end_matches(['\r', '\n']).to_owned());
    }
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}
