//! Lists of accounts (`docs/contracts/curity.md` §5): what a page costs, and that it is right while
//! accounts come and go.

use std::collections::{BTreeMap, BTreeSet};

use castellan_issuer::{
    Versioned,
    management::accounts::AccountsQuery,
    records::{Account, login_name},
    resources::search::{
        Filter, FilterAttribute, FilterType, Listed, Sort, SortAttribute, SortOrder,
    },
    store::{Kind, Notice},
    transfer::begin_orders,
};
use castellan_proto::Timestamp;
use proptest::prelude::*;

use crate::harness::{Harness, START};

const SORTS: [SortAttribute; 3] =
    [SortAttribute::Created, SortAttribute::LastModified, SortAttribute::Name];
const ORDERS: [SortOrder; 2] = [SortOrder::Ascending, SortOrder::Descending];

fn account(name: &str, times: (u64, u64), active: bool) -> Account {
    Account {
        user_name: name.to_owned(),
        emails: vec![format!("{name}@example.org")],
        created: Timestamp(START + times.0),
        modified: Timestamp(START + times.1),
        active,
        ..Account::default()
    }
}

fn query(active_only: bool, sort: Option<Sort>, first: usize) -> AccountsQuery {
    AccountsQuery { active_only, filter: None, sort, first, after: None }
}

#[expect(clippy::unnecessary_wraps, reason = "queries have an optional filter")]
fn starts(by: FilterAttribute, value: &str) -> Option<Filter> {
    Some(Filter { by, how: FilterType::StartsWith, value: value.to_owned() })
}

fn ids(listed: &Listed) -> Vec<String> {
    let id = |document: &serde_json::Value| document["id"].as_str().unwrap().to_owned();
    listed.documents.iter().map(id).collect()
}

/// A harness without people but `count` of these, whose ids and names run in opposite directions,
/// and every tenth of whom is inactive.
async fn with_people(count: u64) -> Harness {
    let harness = Harness::empty().await;
    for n in 0..count {
        let account = account(&format!("p{:04}", count - n), (n / 3, n / 2), n % 10 != 9);
        let repository = harness.issuer.repository();
        repository.insert(&format!("id-{n:04}"), &account, harness.issuer.now()).await.unwrap();
    }
    harness
}

/// What a page costs after the one with the cursor `after`, and the page.
async fn cost(harness: &Harness, query: AccountsQuery) -> (Listed, Vec<&'static str>) {
    harness.store.arm(None);
    let listed = harness.issuer.list_accounts(query).await.unwrap();
    (listed, harness.store.verbs())
}

/// The number of round trips is that of the list, whatever its page is and however long.
#[tokio::test]
async fn a_page_of_accounts_costs_what_its_list_costs_and_no_more() {
    let harness = with_people(400).await;
    assert!(harness.issuer.order_accounts().await.unwrap());
    let sorted = |by, order| Some(Sort { by, order });
    let up = SortOrder::Ascending;
    let mut lists = vec![
        (query(false, None, 1), vec!["page"]),
        (query(true, None, 1), vec!["page"; 1]),
        (
            AccountsQuery {
                filter: starts(FilterAttribute::UserName, "P"),
                ..query(true, None, 1)
            },
            vec!["page_by_name"],
        ),
        (
            AccountsQuery {
                filter: starts(FilterAttribute::UserName, "p0"),
                ..query(true, sorted(SortAttribute::Name, SortOrder::Descending), 1)
            },
            vec!["page_by_name"],
        ),
    ];
    for by in SORTS {
        for order in ORDERS {
            lists.push((query(true, sorted(by, order), 1), vec!["page_by_name"]));
            lists.push((query(false, sorted(by, order), 1), vec!["page_by_name"; 3]));
        }
    }
    // Everybody who matches is looked at, as long as that is less than 500 names at a time.
    let filter = starts(FilterAttribute::Email, "p01");
    lists.push((
        AccountsQuery { filter, ..query(true, sorted(SortAttribute::Created, up), 1) },
        vec!["page_by_name"],
    ));
    for (list, verbs) in lists {
        for first in [1, 20, 80] {
            let mut list = AccountsQuery { first, ..list.clone() };
            for page in 0..3 {
                let (listed, mut cost) = cost(&harness, list.clone()).await;
                // Where not all that is read is shown, what is missing is read in one more.
                assert!(cost.len() <= verbs.len() + usize::from(list.active_only), "{list:?}");
                cost.truncate(verbs.len());
                assert_eq!(cost, verbs, "page {page}: {list:?}");
                let Some(cursor) = listed.end_cursor else { break };
                assert_eq!(listed.documents.len(), first, "{list:?}");
                list.after = Some(cursor);
            }
        }
    }
    for (active_only, total, verbs) in
        [(true, 360, vec!["page_by_name", "count"]), (false, 400, vec!["count"])]
    {
        harness.store.arm(None);
        let counted = harness.issuer.count_accounts(query(active_only, None, 1)).await.unwrap();
        assert_eq!((counted, harness.store.verbs()), (Some(total), verbs));
    }
    // By their end, this store reads all; others have an index.
    let filter =
        Filter { by: FilterAttribute::UserName, how: FilterType::EndsWith, value: "7".to_owned() };
    let (listed, verbs) =
        cost(&harness, AccountsQuery { filter: Some(filter), ..query(false, None, 5) }).await;
    assert_eq!((listed.documents.len(), verbs), (5, vec!["page_by_name", "page"]));
}

/// Active accounts are all but the others: of these alone, 500 at a time are read.
#[tokio::test]
async fn accounts_are_counted_however_many_there_are() {
    let harness = with_people(10_600).await;
    assert!(harness.issuer.order_accounts().await.unwrap());
    for (active_only, total, verbs) in [(true, 9_540, 4), (false, 10_600, 1)] {
        harness.store.arm(None);
        let counted = harness.issuer.count_accounts(query(active_only, None, 1)).await.unwrap();
        assert_eq!((counted, harness.store.verbs().len()), (Some(total), verbs));
    }
}

/// However few are admitted, a page reads so much and then ends early, with a cursor.
#[tokio::test]
async fn a_page_that_admits_nobody_ends_early_and_the_next_goes_on() {
    let harness = with_people(0).await;
    for n in 0..10_600_u64 {
        let mut one = account(&format!("q{n:05}"), (n, n), n == 10_550);
        one.emails =
            vec![format!("{}@example.org", if n == 10_550 { "x" } else { &one.user_name })];
        let repository = harness.issuer.repository();
        repository.insert(&format!("{n:05}"), &one, harness.issuer.now()).await.unwrap();
    }
    assert!(harness.issuer.order_accounts().await.unwrap());
    let up = |by| Some(Sort { by, order: SortOrder::Ascending });
    let filter = starts(FilterAttribute::UserName, "q");
    for (list, most) in [
        (query(true, None, 5), 22),
        (AccountsQuery { filter: filter.clone(), ..query(true, None, 5) }, 22),
        (
            AccountsQuery { filter: filter.clone(), ..query(true, up(SortAttribute::Created), 5) },
            21,
        ),
    ] {
        let (first, verbs) = cost(&harness, list.clone()).await;
        assert!(verbs.len() <= most, "{}", verbs.len());
        let (mut found, mut after) = (ids(&first), first.end_cursor);
        while let Some(cursor) = after {
            let next = AccountsQuery { after: Some(cursor), ..list.clone() };
            let (page, verbs) = cost(&harness, next).await;
            assert!(verbs.len() <= most, "{}", verbs.len());
            found.extend(ids(&page));
            after = page.end_cursor;
        }
        assert_eq!(found, ["10550"], "{list:?}");
    }
    let total = harness.issuer.count_accounts(query(true, None, 5)).await.unwrap();
    assert_eq!(total, None, "too many are looked at");
}

/// Accounts of before have no names for orders: until they do, lists read all of them.
#[tokio::test]
async fn accounts_of_before_are_brought_into_order_without_changing() {
    let harness = with_people(30).await;
    let now = harness.issuer.now();
    let store = harness.issuer.repository().store();
    let before = crate::harness::all(&harness.issuer, Kind::Account).await;
    for record in before.clone() {
        let unique = record.unique.into_iter().filter(|name| !name.starts_with('\u{10ffff}'));
        let draft = castellan_issuer::store::Draft {
            key: record.key,
            body: record.body,
            unique: unique.collect(),
            expires_at: None,
        };
        store.replace(draft, record.version, Notice::Silent, now).await.unwrap();
    }
    let sort = Some(Sort { by: SortAttribute::Name, order: SortOrder::Ascending });
    let list = query(true, sort, 7);
    let walked = harness.issuer.list_accounts(list.clone()).await.unwrap();
    assert_eq!(walked.documents.len(), 7);
    // An older version that still writes accounts would write them without these names.
    harness.store.admit_older(true);
    assert!(!harness.issuer.order_accounts().await.unwrap());
    harness.store.admit_older(false);
    // Interrupted, and begun again, on another node.
    harness.store.arm(crate::faulty_store::Plan {
        verb: 12,
        moment: crate::faulty_store::Moment::After,
        extent: crate::faulty_store::Extent::Forever,
    });
    assert!(harness.issuer.order_accounts().await.is_err());
    harness.store.arm(None);
    let node = harness.again().await;
    assert!(node.issuer.order_accounts().await.unwrap());
    let (indexed, verbs) = cost(&node, list.clone()).await;
    assert_eq!((ids(&indexed), verbs), (ids(&walked), vec!["page_by_name"]));
    // A cursor of before goes on.
    let next = AccountsQuery { after: walked.end_cursor, ..list };
    assert_eq!(node.issuer.list_accounts(next).await.unwrap().documents.len(), 7);
    let after = crate::harness::all(&node.issuer, Kind::Account).await;
    for (before, after) in before.iter().zip(&after) {
        assert_eq!((&before.body, &before.unique), (&after.body, &after.unique));
    }
}

/// What happens between two pages.
#[derive(Clone, Debug)]
enum Event {
    Insert(u8, u8),
    Delete(u8),
    Rename(u8, u8),
    Touch(u8, u8),
    Toggle(u8),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        (any::<u8>(), any::<u8>()).prop_map(|(one, time)| Event::Insert(one, time)),
        any::<u8>().prop_map(Event::Delete),
        (any::<u8>(), any::<u8>()).prop_map(|(one, name)| Event::Rename(one, name)),
        (any::<u8>(), any::<u8>()).prop_map(|(one, time)| Event::Touch(one, time)),
        any::<u8>().prop_map(Event::Toggle),
    ]
}

/// Does `event`; the id of the account that it was about.
async fn happens(harness: &Harness, event: &Event, number: usize) -> String {
    let (repository, now) = (harness.issuer.repository(), harness.issuer.now());
    let one = match event {
        Event::Insert(one, time) => {
            let id = format!("new-{one:03}-{number}");
            let times = (u64::from(*time) / 16, u64::from(*time) / 8);
            let account = account(&format!("n{one:03}-{number}"), times, one % 3 != 0);
            repository.insert(&id, &account, now).await.unwrap();
            return id;
        }
        Event::Delete(one) | Event::Rename(one, _) | Event::Touch(one, _) | Event::Toggle(one) => {
            format!("id-{:04}", one % 40)
        }
    };
    if matches!(event, Event::Delete(_)) {
        repository.delete(Kind::Account, &one, now).await.unwrap();
        return one;
    }
    let Some(mut stored): Option<Versioned<Account>> = repository.get(&one, now).await.unwrap()
    else {
        return one;
    };
    match event {
        Event::Rename(_, name) => stored.body.user_name = format!("r{name:03}-{number}"),
        Event::Touch(_, time) => stored.body.modified = Timestamp(START + u64::from(*time) / 8),
        _ => stored.body.active = !stored.body.active,
    }
    repository.replace(&stored, Notice::Silent, now).await.unwrap();
    one
}

/// What an account is sorted by.
fn key(by: SortAttribute, account: &Account) -> (u64, String) {
    match by {
        SortAttribute::Created => (account.created.0, String::new()),
        SortAttribute::LastModified => (account.modified.max(account.created).0, String::new()),
        _ => (0, login_name(&account.user_name)),
    }
}

/// Reads `list` page by page while `events` happen between the pages.
async fn is_right_while(list: AccountsQuery, events: &[Vec<Event>]) {
    let harness = with_people(40).await;
    assert!(harness.issuer.order_accounts().await.unwrap());
    let accounts = async || {
        let mut found = BTreeMap::new();
        for record in crate::harness::all(&harness.issuer, Kind::Account).await {
            let account: Account = serde_json::from_slice(&record.body).unwrap();
            found.insert(record.key.id, account);
        }
        found
    };
    let before = accounts().await;
    let (mut list, mut seen, mut touched) = (list, Vec::new(), BTreeSet::new());
    for number in 0.. {
        assert!(number < 100, "a list ends");
        let page = harness.issuer.list_accounts(list.clone()).await.unwrap();
        assert!(page.documents.len() <= list.first);
        seen.extend(ids(&page));
        list.after = page.end_cursor;
        if list.after.is_none() {
            break;
        }
        for (at, event) in events.get(number).into_iter().flatten().enumerate() {
            touched.insert(happens(&harness, event, number * 100 + at).await);
        }
    }
    let stayed: Vec<&String> = before
        .iter()
        .filter(|(id, account)| {
            let is_meant = list
                .filter
                .as_ref()
                .is_none_or(|filter| login_name(&account.user_name).starts_with(&filter.value));
            !touched.contains(*id) && is_meant && (account.active || !list.active_only)
        })
        .map(|(id, _)| id)
        .collect();
    let of_them: Vec<&String> = seen.iter().filter(|id| stayed.contains(id)).collect();
    let mut wanted = stayed.clone();
    if let Some(sort) = list.sort {
        wanted.sort_by_key(|id| (key(sort.by, &before[*id]), (*id).clone()));
        if sort.order == SortOrder::Descending {
            wanted.reverse();
        }
    } else if list.filter.is_some() {
        wanted.sort_by_key(|id| key(SortAttribute::Name, &before[*id]));
    }
    assert_eq!(of_them, wanted, "none that stayed is lost, repeated or out of order");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_list_is_right_while_accounts_come_and_go(
        events in prop::collection::vec(prop::collection::vec(event(), 0..4), 0..20),
        (by, descending) in (0_usize..4, any::<bool>()),
        (active_only, filtered, first) in (any::<bool>(), any::<bool>(), 1_usize..9),
    ) {
        let order = if descending { SortOrder::Descending } else { SortOrder::Ascending };
        let sort = SORTS.get(by).map(|by| Sort { by: *by, order });
        let filter = starts(FilterAttribute::UserName, "p").filter(|_| filtered);
        let list = AccountsQuery { filter, ..query(active_only, sort, first) };
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        runtime.block_on(is_right_while(list, &events));
    }
}

#[tokio::test]
async fn a_cursor_is_good_for_its_list_alone() {
    let harness = with_people(40).await;
    assert!(harness.issuer.order_accounts().await.unwrap());
    let sort = |by, order| Some(Sort { by, order });
    let up = SortOrder::Ascending;
    let of_names = || starts(FilterAttribute::UserName, "p");
    let lists = [
        query(true, None, 3),
        query(false, None, 3),
        query(true, sort(SortAttribute::Created, up), 3),
        query(true, sort(SortAttribute::Created, SortOrder::Descending), 3),
        query(false, sort(SortAttribute::Created, up), 3),
        query(true, sort(SortAttribute::Name, up), 3),
        AccountsQuery { filter: of_names(), ..query(true, None, 3) },
        AccountsQuery { filter: of_names(), ..query(true, sort(SortAttribute::Name, up), 3) },
        AccountsQuery { filter: starts(FilterAttribute::Email, "p"), ..query(true, None, 3) },
    ];
    for (one, list) in lists.iter().enumerate() {
        let page = harness.issuer.list_accounts(list.clone()).await.unwrap();
        let cursor = page.end_cursor.unwrap();
        for (other, list) in lists.iter().enumerate() {
            let with = AccountsQuery { after: Some(cursor.clone()), ..list.clone() };
            let is_good = harness.issuer.list_accounts(with.clone()).await.is_ok();
            assert_eq!(is_good, one == other, "{one} at {other}");
            // A count alone looks at the cursor as well.
            assert_eq!(harness.issuer.check_accounts_cursor(with).is_ok(), is_good);
            let longer = AccountsQuery { first: 9, after: Some(cursor.clone()), ..list.clone() };
            assert_eq!(harness.issuer.list_accounts(longer).await.is_ok(), one == other);
        }
        // Made up, cut off, or changed.
        let mut bytes = cursor.clone().into_bytes();
        *bytes.last_mut().unwrap() ^= 1;
        let changed = String::from_utf8(bytes).unwrap();
        for wrong in ["x", &cursor[..cursor.len() - 2], &changed] {
            let with = AccountsQuery { after: Some(wrong.to_owned()), ..list.clone() };
            assert!(harness.issuer.list_accounts(with).await.is_err(), "{wrong}");
        }
    }
}

/// Where nobody was, whoever arrives by an import is in order at once; where somebody was, that is found
/// out first.
#[tokio::test]
async fn an_import_into_an_empty_site_needs_no_look_through_it() {
    for begins_empty in [true, false] {
        let harness = Harness::empty().await;
        let now = harness.issuer.now();
        let repository = harness.issuer.repository();
        let write = async |id: &str| {
            repository.insert(id, &account(id, (1, 1), true), now).await.unwrap();
        };
        if !begins_empty {
            write("before").await;
        }
        let sites = [repository.site().clone()];
        begin_orders(repository.store(), &sites, now).await.unwrap();
        write("bo").await;
        let sort = Some(Sort { by: SortAttribute::Created, order: SortOrder::Ascending });
        cost(&harness, query(true, sort, 5)).await;
        let (_, verbs) = cost(&harness, query(true, sort, 5)).await;
        assert_eq!(verbs.contains(&"page_by_name"), begins_empty, "{verbs:?}");
    }
}
