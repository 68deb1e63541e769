//! What `config check` says of APIs and ways that are no guards: who sends messages, who may register
//! clients, and by which managers the management APIs are used.

use castellan_issuer::{Settings, management::scim, managers::Managers, settings::Registrant};

use crate::{
    config::{Loaded, MailTls, Site},
    http::management::APIS,
    messages::MessageSender,
    startup::observers,
};

/// Prints how messages are sent; whether what is needed for that can be read.
pub(super) async fn print_messages(loaded: &Loaded) -> bool {
    let config = &loaded.config;
    let mail = config.mail.as_ref().map(|mail| match &mail.host {
        Some(host) => {
            let encryption = match mail.encryption() {
                MailTls::Starttls => "STARTTLS",
                MailTls::Tls => "TLS",
                MailTls::None => "not encrypted",
            };
            format!("by {host}, port {}, {encryption}", mail.smtp_port())
        }
        None => "not sent".to_owned(),
    });
    let mail = mail.unwrap_or_else(|| "none: no codes, no links for new passwords".to_owned());
    println!("mail     {mail}");
    if let Some(texts) = &config.text_messages {
        let host = texts.url.as_ref().and_then(|url| url.host_str());
        println!("texts    {}", host.map_or("not sent".to_owned(), |host| format!("by {host}")));
    }
    match MessageSender::open(loaded).await {
        Ok(sender) => {
            for warning in sender.iter().flat_map(|sender| sender.warnings()) {
                println!("         WARNING: {warning}");
            }
            true
        }
        Err(problem) => {
            println!("         PROBLEM: {problem}");
            false
        }
    }
}

/// Prints where traces are sent, if they are; whether what is needed for that can be read.
pub(super) async fn print_traces(loaded: &Loaded) -> bool {
    let Some(collector) = loaded.config.traces.collector() else { return true };
    println!("traces   to {}", collector.origin().ascii_serialization());
    match observers::traces_plan(loaded).await {
        Ok(_) => true,
        Err(problem) => {
            println!("         PROBLEM: {problem}");
            false
        }
    }
}

/// Prints what `site` serves besides its guards.
pub(super) fn print_apis(loaded: &Loaded, site: &Site) {
    let management = &loaded.config.management;
    let settings =
        Settings { registration: site.registration.clone(), ..loaded.config.tokens.clone() };
    if let Some(Ok(party)) = loaded.config.passkeys.as_ref().map(|it| it.relying_party(site)) {
        println!("         passkeys of {}", party.id);
    }
    if site.registration.is_on() {
        let by = [
            (Registrant::Token, "whoever has a token with the scope dcr"),
            (Registrant::Client, "clients with the scope dcr"),
            (Registrant::Open, "anybody"),
        ];
        let by: Vec<_> = by.into_iter().filter(|(one, _)| site.registration.admits(*one)).collect();
        let by: Vec<_> = by.into_iter().map(|(_, who)| who).collect();
        println!("api      /register: {}", by.join(", "));
    }
    for api in APIS.iter().filter(|api| (api.is_served)(&settings)) {
        println!("api      {}: {}", api.path, used_by(&(api.managers)(management)));
    }
    println!("api      {}: {}", scim::BASE, used_by(&management.scim_managers()));
}

/// The managers that decide about an API.
fn used_by(managers: &Managers) -> String {
    let all = [
        ("groups", managers.groups.is_some()),
        ("scopes", managers.scopes.is_some()),
        ("attributes", managers.attributes.is_some()),
        ("self_service", managers.self_service.is_some()),
    ];
    let names: Vec<_> =
        all.into_iter().filter(|(_, is_set)| *is_set).map(|(name, _)| name).collect();
    match &names[..] {
        [] => "no manager, so every request is refused".to_owned(),
        [one] => format!("manager {one}"),
        more => format!("managers {}", more.join(", ")),
    }
}
