//! `contracts/decidim.md`: reads are public, a token's scopes replace what is public, mutations
//! need `user`, `api:read` and `api:write` together (§5.2).

use castellan_gate::{Manner, Root, Rules, Wording};

use super::patterns;

pub(super) fn rules(plain: Rules) -> Rules {
    let all = ["user", "api:read", "api:write"].map(ToOwned::to_owned).to_vec();
    Rules {
        public: patterns(&["Query:*"]),
        requires: [(Root::Mutation, all)].into(),
        manner: Manner { scopes_replace_public: true, denied_query_is_null: true },
        wording: Wording {
            insufficient: ("This token may not use this field.", "INSUFFICIENT_SCOPE"),
            ..Wording::default()
        },
        ..plain
    }
}
