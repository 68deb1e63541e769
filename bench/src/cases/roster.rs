//! Every case, on one screen. The targets are those of `docs/performance.md`.

use super::{
    Case,
    Freshness::{NewDocument, NewToken, Seen},
    Kind,
    documents::Document::{Mutation, Query},
    targets::Target::{AtMost, Cpu, CpuButPasswords, Over, P99, Rate},
};
use crate::peers::{
    Format,
    Peer::{Axum, Castellan, Haproxy, Nginx, OidcProvider},
    source::Engine,
};

/// The cases, in the order in which they are run.
pub const CASES: &[Case] = &[
    Case {
        name: "hello",
        about: "a bare axum server that says hello: what this machine and driver can do at most",
        peers: &[Axum],
        targets: &[],
        kind: Kind::Hello,
    },
    Case {
        name: "token-opaque",
        about: "client_credentials, opaque token, durable when answered",
        peers: &[Castellan, OidcProvider],
        targets: &[],
        kind: Kind::Token(Format::Opaque),
    },
    Case {
        name: "token-es256",
        about: "client_credentials, JWT signed with ES256, durable when answered",
        peers: &[Castellan, OidcProvider],
        targets: &[Rate(15_000.0), P99(15.0), Cpu(79.0), Over(OidcProvider, 4.5)],
        kind: Kind::Token(Format::Es256),
    },
    Case {
        name: "token-rs256",
        about: "client_credentials, JWT signed with RS256",
        peers: &[Castellan, OidcProvider],
        targets: &[Rate(4_600.0)],
        kind: Kind::Token(Format::Rs256),
    },
    Case {
        name: "refresh",
        about: "refresh with rotation, one family per connection, no ID token",
        peers: &[Castellan, OidcProvider],
        targets: &[Rate(15_000.0), P99(15.0), Cpu(79.0), Over(OidcProvider, 4.5)],
        kind: Kind::Refresh,
    },
    Case {
        name: "introspect",
        about: "introspection of a token seen before",
        peers: &[Castellan, OidcProvider, Axum],
        targets: &[Rate(65_000.0), P99(3.0), Over(Axum, 0.75)],
        kind: Kind::Introspect,
    },
    Case {
        name: "gate-seen",
        about: "a 310-byte mutation through the gate, token and document seen before",
        peers: &[Castellan, Nginx, Haproxy],
        targets: &[Over(Nginx, 0.80), Over(Haproxy, 2.6)],
        kind: Kind::Gate(Mutation, Seen),
    },
    Case {
        name: "gate-new-document",
        about: "the same, each document new, token seen before",
        peers: &[Castellan, Nginx],
        targets: &[Over(Nginx, 0.45)],
        kind: Kind::Gate(Mutation, NewDocument),
    },
    Case {
        name: "gate-new-token",
        about: "the same, each token new, document seen before",
        peers: &[Castellan, Haproxy],
        targets: &[Over(Haproxy, 1.1)],
        kind: Kind::Gate(Mutation, NewToken),
    },
    Case {
        name: "gate-large-seen",
        about: "a 3.3 KB query through the gate, token and document seen before",
        peers: &[Castellan, Nginx],
        targets: &[Over(Nginx, 0.70)],
        kind: Kind::Gate(Query, Seen),
    },
    Case {
        name: "gate-large-new",
        about: "a 3.3 KB query through the gate, each document new, token seen before",
        peers: &[Castellan, Nginx],
        targets: &[Over(Nginx, 0.18)],
        kind: Kind::Gate(Query, NewDocument),
    },
    Case {
        name: "code-session",
        about: "code with PKCE, session and consent present (2 requests), ID token RS256",
        peers: &[Castellan, OidcProvider],
        targets: &[Cpu(450.0)],
        kind: Kind::CodeSession,
    },
    Case {
        name: "code-login",
        about: "code with PKCE, with login and consent, without the password hash, ID token RS256",
        peers: &[Castellan, OidcProvider],
        targets: &[CpuButPasswords(580.0)],
        kind: Kind::CodeLogin,
    },
    Case {
        name: "sign-in",
        about: "wrong passwords, each for another name: one Argon2id hash each",
        peers: &[Castellan],
        // 47 for each core and second.
        targets: &[Cpu(21_277.0)],
        kind: Kind::SignIn,
    },
    Case {
        name: "flood",
        about: "p99 of ES256 tokens while passwords are guessed, by p99 without",
        peers: &[Castellan],
        targets: &[AtMost(3.0)],
        kind: Kind::Flood,
    },
    Case {
        name: "start",
        about: "from the start to the first good answer, on data that is there",
        peers: &[Castellan, OidcProvider, Nginx, Haproxy],
        targets: &[AtMost(50.0)],
        kind: Kind::Start,
    },
    Case {
        name: "memory",
        about: "resident memory of an idle server; the size of our binary",
        peers: &[Castellan, OidcProvider, Nginx, Haproxy],
        targets: &[AtMost(20.0), AtMost(40.0)],
        kind: Kind::Memory,
    },
    Case {
        name: "million",
        about: "memory and start with a million live tokens",
        peers: &[Castellan, OidcProvider],
        targets: &[AtMost(64.0), AtMost(50.0)],
        kind: Kind::Million,
    },
    Case {
        name: "revocation",
        about: "from a revocation until each node refuses, one to three on SQLite or PostgreSQL",
        peers: &[Castellan],
        targets: &[AtMost(500.0)],
        kind: Kind::Revocation,
    },
    Case {
        name: "rows-sqlite",
        about: "rows of a SQLite file while a million flows are made: they stay flat",
        peers: &[Castellan],
        targets: &[AtMost(1.25)],
        kind: Kind::Rows(Engine::Sqlite),
    },
    Case {
        name: "rows-postgres",
        about: "rows of a PostgreSQL while a million flows are made: they stay flat",
        peers: &[Castellan],
        targets: &[AtMost(1.25)],
        kind: Kind::Rows(Engine::Postgres),
    },
    Case {
        name: "siege",
        about: "honest load beside silent, slow and half-open connections, junk, begun sign-ins \
                and denied documents: memory, file handles, disk, p99, and who stays too long",
        peers: &[Castellan],
        targets: &[AtMost(256.0), AtMost(960.0), AtMost(192.0), AtMost(250.0), AtMost(0.0)],
        kind: Kind::Siege,
    },
];
