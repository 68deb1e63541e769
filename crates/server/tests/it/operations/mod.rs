//! What an operator works with: commands, configuration, data sources, nodes.

pub(crate) mod added_dialect;
pub(crate) mod added_resource_kind;
pub(crate) mod clocks;
pub(crate) mod commands;
pub(crate) mod connections;
pub(crate) mod crashes;
pub(crate) mod environment;
pub(crate) mod health_checks;
pub(crate) mod https;
pub(crate) mod mass_assignment;
pub(crate) mod master_key;
pub(crate) mod nodes;
pub(crate) mod older_formats;
pub(crate) mod readiness;
pub(crate) mod reload;
pub(crate) mod resources;
pub(crate) mod scopes_lint;
pub(crate) mod search;
pub(crate) mod secret_policy;
pub(crate) mod secrets_in_errors;
pub(crate) mod sites;
pub(crate) mod slow_sources;
pub(crate) mod stalled_clients;
pub(crate) mod standard_output;
pub(crate) mod transfer;
pub(crate) mod unenforced_settings;
