//! Black-box tests over HTTP against the real binary, filed by what they hold on to.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "a test stops at the first surprise")]

mod aidbox;
mod aidbox_tokens;
mod asked;
mod assertion;
mod bad_input;
mod bad_input_edges;
mod bad_input_pages;
mod browser;
mod cases;
mod castellan;
mod commands;
mod cut;
mod decidim;
mod decidim_machines;
mod decidim_oauth;
mod device;
mod dpop;
mod fixtures;
mod jose;
mod keys;
mod killed;
mod listing;
mod liveness;
mod logout;
mod master_key;
mod moving;
mod nodes;
mod older;
mod own_postgres;
mod pushed;
mod relying_party;
mod resources;
mod schemas;
mod scopes;
mod sites;
mod smoke;
mod snapshots;
mod told;
mod trompa;
mod trompa_keys;
mod upstream;
mod upstream_bytes;
mod wire;
