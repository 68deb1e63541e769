//! Lists of `castellan get` and of the resources over HTTP: filtered, sorted, page by page, and on
//! each data source what it can (`docs/contracts/curity.md` §§4.3 and 10).

use serde_json::{Value, json};

use crate::{
    operations::nodes::{address, config},
    support::{
        castellan::{Castellan, Plan},
        wire::{Answer, Ask},
    },
};

/// Made in this order, a second apart.
const PEOPLE: [(&str, &str, &[&str]); 6] = [
    ("u1", "John", &["john@example.org"]),
    ("u2", "bob", &["bob@example.test", "johnny@example.org"]),
    ("u3", "johanna", &[]),
    ("u4", "Zoë", &["zoe@example.org", "zoe@mail.example.org"]),
    ("u5", "johnson", &["J.Johnson@EXAMPLE.ORG"]),
    ("u6", "ann", &["ann@example.test"]),
];

fn document((id, name, emails): (&str, &str, &[&str])) -> String {
    let emails: Vec<Value> = emails.iter().map(|value| json!({"value": value})).collect();
    json!({"resourceType": "User", "id": id, "userName": name, "emails": emails}).to_string()
}

/// A server on the data source at `url` (its own without one) that knows [`PEOPLE`].
async fn with_people(url: Option<&str>, data: &str) -> Castellan {
    let tables = url.map(config).unwrap_or_default();
    let (head, site) = tables.split_at(tables.find("[[site]]").unwrap_or(tables.len()));
    let castellan = Castellan::start(Plan {
        config: format!("{head}{data}{site}"),
        // A variable that no setting names is refused.
        environment: url.map(|_| ("CASTELLAN_KEY", "Q".repeat(43))).into_iter().collect(),
        ..Plan::default()
    })
    .await;
    for (second, person) in (1_800_000_000..).zip(PEOPLE) {
        castellan.advance_to(second);
        let said = castellan.cli_with(&["apply", "-f", "-"], &document(person));
        assert!(said.status.success(), "{said:?}");
    }
    castellan
}

/// The ids that `castellan get User` prints with `arguments`.
fn ids(castellan: &Castellan, arguments: &[&str]) -> Vec<String> {
    let said = castellan.said(&[&["get", "User", "--format", "json"], arguments].concat());
    let document = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    said.lines().map(|line| document(line)["id"].as_str().unwrap().to_owned()).collect()
}

/// What `castellan get User` says that prints nothing.
#[cfg(feature = "full")]
fn refusal(castellan: &Castellan, arguments: &[&str]) -> String {
    let said = castellan.cli(&[&["get", "User", "--format", "json"], arguments].concat());
    assert!(!said.status.success() && said.stdout.is_empty(), "{said:?}");
    String::from_utf8(said.stderr).unwrap()
}

fn people_are_filtered(castellan: &Castellan) {
    for (arguments, wanted) in [
        (&["--starts-with", "userName=joh"][..], &["u3", "u1", "u5"][..]),
        (&["--starts-with", "userName=JOHN"], &["u1", "u5"]),
        (&["--starts-with", "userName=zoë"], &["u4"]),
        (&["--starts-with", "userName=john%"], &[]),
        (&["--starts-with", "email=john"], &["u1", "u2"]),
        (&["--starts-with", "email=zoe@"], &["u4"]),
        (&["--starts-with", "userName=joh", "--limit", "2"], &["u3", "u1"]),
    ] {
        assert_eq!(ids(castellan, arguments), wanted, "{arguments:?}");
    }
}

fn people_are_sorted(castellan: &Castellan) {
    // A document that changes nothing is no change; the other one is the last.
    castellan.advance_to(1_800_000_100);
    castellan.cli_with(&["apply", "-f", "-"], &document(PEOPLE[3]));
    castellan.cli_with(&["apply", "-f", "-"], &document(("u2", "bob", &["bob@example.test"])));
    castellan.cli_with(&["apply", "-f", "-"], &document(PEOPLE[1]));
    for (arguments, wanted) in [
        (&[][..], &["u1", "u2", "u3", "u4", "u5", "u6"][..]),
        (&["--sort", "name"], &["u6", "u2", "u3", "u1", "u5", "u4"]),
        (&["--sort", "name", "--descending"], &["u4", "u5", "u1", "u3", "u2", "u6"]),
        (&["--sort", "created", "--descending", "--limit", "2"], &["u6", "u5"]),
        (&["--sort", "lastModified"], &["u1", "u3", "u4", "u5", "u6", "u2"]),
        (&["--ends-with", "email=@example.org"], &["u1", "u2", "u4", "u5"]),
        (&["--ends-with", "userName=n", "--sort", "name"], &["u6", "u1", "u5"]),
        (&["--starts-with", "userName=joh", "--sort", "created"], &["u1", "u3", "u5"]),
    ] {
        let mut found = ids(castellan, arguments);
        if arguments == ["--ends-with", "email=@example.org"] {
            // In the order of the addresses read backwards, which nobody asked for.
            found.sort_unstable();
        }
        assert_eq!(found, wanted, "{arguments:?}");
    }
}

#[tokio::test]
async fn sqlite_people_are_filtered_and_sorted() {
    let castellan = with_people(None, "").await;
    people_are_filtered(&castellan);
    people_are_sorted(&castellan);
    assert_eq!(ids(&castellan, &["--starts-with", "userName=j"]), ["u3", "u1", "u5"]);
}

#[tokio::test]
async fn postgres_people_are_filtered_and_sorted() {
    let castellan = with_people(Some(&address("CASTELLAN_TEST_POSTGRES")), "").await;
    people_are_filtered(&castellan);
    people_are_sorted(&castellan);
    assert_eq!(ids(&castellan, &["--starts-with", "userName=j"]), ["u3", "u1", "u5"]);
}

#[cfg(feature = "full")]
#[tokio::test]
async fn mongodb_people_are_filtered_and_sorted() {
    let server = address("CASTELLAN_TEST_MONGODB");
    let url = format!("{}/listing_{}", server.trim_end_matches('/'), std::process::id());
    let castellan = with_people(Some(&url), "").await;
    people_are_filtered(&castellan);
    people_are_sorted(&castellan);
    let why = refusal(&castellan, &["--starts-with", "userName=jo"]);
    assert!(
        why.contains("FILTERING_FILTER_TOO_SMALL") && why.contains("three characters"),
        "{why}"
    );
    assert_eq!(ids(&castellan, &["--ends-with", "userName=ë"]), ["u4"], "of any length");
}

#[cfg(feature = "full")]
#[tokio::test]
async fn dynamodb_says_what_it_does_not_do() {
    let server = address("CASTELLAN_TEST_DYNAMODB");
    let table = format!("listing_{}", std::process::id());
    let url = format!("dynamodb://local?table={table}&endpoint={server}");
    let castellan = with_people(Some(&url), "").await;
    people_are_filtered(&castellan);
    for (arguments, cause) in [
        (&[][..], "FILTERING_ABSENT"),
        (&["--sort", "created"], "FILTERING_ABSENT"),
        (&["--ends-with", "userName=om"], "FILTERING_ENDS_WITH"),
        (&["--starts-with", "userName=joh", "--sort", "name"], "SORTING"),
        (&["--starts-with", "userName=jo"], "FILTERING_FILTER_TOO_SMALL"),
    ] {
        let why = refusal(&castellan, arguments);
        assert!(why.contains(cause), "{arguments:?}: {why}");
    }
    assert!(castellan.cli(&["get", "Client"]).status.success(), "apps are few");

    let scanning = with_people(Some(&url), "allow_table_scans = true\n").await;
    let everybody = ["u1", "u2", "u3", "u4", "u5", "u6"];
    assert_eq!(ids(&scanning, &[]), everybody);
    assert_eq!(ids(&scanning, &["--sort", "name", "--descending"]), everybody, "as they come");
}

#[tokio::test]
async fn nonsense_is_told_from_what_is_not_supported() {
    let castellan = with_people(None, "").await;
    for (arguments, said) in [
        (&["get", "User", "--starts-with", "ann"][..], "must be ATTRIBUTE=TEXT"),
        (&["get", "User", "--starts-with", "phone=1"], "the attribute must be userName or email"),
        (&["get", "Client", "--starts-with", "userName=a"], "only User can be filtered"),
        (&["get", "User", "u1", "--sort", "name"], "cannot be used with"),
        (&["get", "User", "--descending"], "--sort"),
    ] {
        let refused = castellan.cli(arguments);
        let why = String::from_utf8(refused.stderr).unwrap();
        assert!(!refused.status.success() && why.contains(said), "{arguments:?}: {why}");
    }
}

/// The link of `bundle` with that relation.
fn link(bundle: &Value, relation: &str) -> Option<String> {
    let links = bundle["link"].as_array().unwrap();
    let link = links.iter().find(|link| link["relation"] == relation)?;
    Some(link["url"].as_str().unwrap().to_owned())
}

/// Everybody's page of `castellan`, at `path`.
async fn page(castellan: &Castellan, token: &str, path: &str) -> Answer {
    Ask::get(&castellan.at(path)).bearer(token).send().await
}

#[tokio::test]
async fn pages_follow_their_link_and_no_made_up_cursor() {
    let mut documents: Vec<String> =
        (0..450).map(|n| document((&format!("p{n:03}"), &format!("person-{n}"), &[]))).collect();
    documents.push(
        json!({
            "resourceType": "Client", "id": "admin-tool", "secret": "a-secret-for-the-tool",
            "grant_types": ["client_credentials"], "scope": ["Castellan:*"],
        })
        .to_string(),
    );
    let castellan = Castellan::with_documents(&documents.join("\n---\n")).await;
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    let token = castellan.token(&pairs).await.json()["access_token"].as_str().unwrap().to_owned();
    let (mut path, mut found, mut cursors) =
        ("/User?_count=200".to_owned(), Vec::new(), Vec::new());
    loop {
        let answer = page(&castellan, &token, &path).await;
        assert_eq!(answer.status, 200, "{answer:?}");
        let bundle = answer.json();
        for entry in bundle["entry"].as_array().unwrap() {
            found.push(entry["resource"]["id"].as_str().unwrap().to_owned());
        }
        let Some(next) = link(&bundle, "next") else { break };
        path = next.strip_prefix(&castellan.url).unwrap().to_owned();
        cursors.push(path.split_once("_after=").unwrap().1.to_owned());
    }
    let wanted: Vec<String> = (0..450).map(|n| format!("p{n:03}")).collect();
    assert_eq!(found, wanted);

    let cursor = &cursors[0];
    let mut changed = cursor.clone().into_bytes();
    let last = changed.len() - 6;
    changed[last] = if changed[last] == b'A' { b'B' } else { b'A' };
    let changed = String::from_utf8(changed).unwrap();
    for path in [
        format!("/User?_after={changed}"),
        format!("/User?_after={}", &cursor[..20]),
        "/User?_after=p199".to_owned(),
        "/User?_after=%00".to_owned(),
        // Of another question.
        format!("/Client?_after={cursor}"),
    ] {
        let refused = page(&castellan, &token, &path).await;
        assert_eq!(refused.status, 400, "{path}: {refused:?}");
        assert!(refused.body.contains("the cursor does not belong to this list"), "{refused:?}");
    }
}

const ADMIN: &str = r#"
resourceType: Client
id: admin-tool
name: The tool
secret: a-secret-for-the-tool
grant_types: [client_credentials]
scope: ["Castellan:*"]
"#;

async fn admin(castellan: &Castellan) -> String {
    let pairs = [
        ("grant_type", "client_credentials"),
        ("client_id", "admin-tool"),
        ("client_secret", "a-secret-for-the-tool"),
    ];
    castellan.token(&pairs).await.json()["access_token"].as_str().unwrap().to_owned()
}

fn ids_of(bundle: &Value) -> Vec<&str> {
    let entries = bundle["entry"].as_array().unwrap();
    entries.iter().map(|entry| entry["resource"]["id"].as_str().unwrap()).collect()
}

/// [`PEOPLE`] with details, and an app that administers.
async fn with_details() -> (Castellan, String) {
    let castellan = with_people(None, "").await;
    for (id, more) in [
        (
            "u1",
            json!({"name": {"givenName": "Johannes", "familyName": "van Dam"}, "gender": "male"}),
        ),
        ("u4", json!({"phone_number": "+31 20 1", "inactive": true})),
    ] {
        let person = PEOPLE.into_iter().find(|person| person.0 == id).unwrap();
        let mut document: Value = serde_json::from_str(&document(person)).unwrap();
        document.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let said = castellan.cli_with(&["apply", "-f", "-"], &document.to_string());
        assert!(said.status.success(), "{said:?}");
    }
    assert!(castellan.cli_with(&["apply", "-f", "-"], ADMIN).status.success());
    let token = admin(&castellan).await;
    (castellan, token)
}

#[tokio::test]
async fn people_are_searched_over_http() {
    let (castellan, token) = with_details().await;
    for (query, wanted) in [
        ("userName=JOHN", &["u1"][..]),
        ("userName=john,ann,nobody", &["u1", "u6"]),
        ("email=johnny@example.org", &["u2"]),
        // A name that is somebody's, and no address.
        ("email=john", &[]),
        ("name=johannes", &["u1"]),
        ("name=dam", &["u1"]),
        ("name=am", &[]),
        ("gender=male", &["u1"]),
        ("phoneNumber=%2B31%2020%201", &["u4"]),
        ("inactive=true", &["u4"]),
        ("active=false", &["u4"]),
        ("active=true&_sort=-_id&_count=2", &["u6", "u5"]),
        ("_id=u3,u1,nobody", &["u1", "u3"]),
        ("_id=u3,u1&_sort=-_id", &["u3", "u1"]),
        ("_id=u3,u1&userName=john", &["u1"]),
        (".name.familyName=van%20Dam", &["u1"]),
        (".emails.value=bob@example.test", &["u2"]),
        (".emails.0.value=johnny@example.org", &[]),
        (".inactive=true", &["u4"]),
        (".nothing.here=1", &[]),
        ("_sort=name", &["u6", "u2", "u3", "u1", "u5", "u4"]),
        ("_sort=-createdAt&_count=2", &["u6", "u5"]),
        ("_sort=name&_count=2&_page=2", &["u3", "u1"]),
        ("_count=2&_page=3", &["u5", "u6"]),
        ("_count=2&_page=4", &[]),
        ("_sort=name&_count=4&_page=3", &[]),
    ] {
        let answer = page(&castellan, &token, &format!("/User?{query}")).await;
        assert_eq!(answer.status, 200, "{query}: {answer:?}");
        assert_eq!(ids_of(&answer.json()), wanted, "{query}: {answer:?}");
    }
    let apps = page(&castellan, &token, "/Client?name=tool&grant_types=client_credentials").await;
    assert_eq!(ids_of(&apps.json()), ["admin-tool"], "{apps:?}");
}

#[tokio::test]
async fn a_search_that_is_not_understood_is_refused() {
    let (castellan, token) = with_details().await;
    for (query, said) in [
        ("nope=1", r#"\"nope\" is not a search parameter of User; it has userName, email"#),
        ("userName:contains=j", "is not a search parameter"),
        ("_include=User:x", "is not a search parameter"),
        ("_lastUpdated=gt2020", "is not a search parameter"),
        ("_summary=count", "is not a search parameter"),
        ("_has:Grant:user:client=x", "is not a search parameter"),
        ("user=u1", "is not a search parameter of User"),
        ("inactive=yes", "inactive: must be true or false"),
        ("userName=", "userName: a value is missing"),
        (".name..x=1", ".name..x: a member is missing"),
        (".=1", "a member is missing"),
        ("_count=-1", "_count: must be 0 to 200"),
        ("_totalMethod=all", "_totalMethod: must be count or estimate"),
        ("_count=201", "_count: must be 0 to 200"),
        ("_count=1&_count=2", "_count must not be repeated"),
        ("_page=0", "_page: must be a number"),
        ("_page=9999999999", "follow the link next"),
        ("_sort=email", "_sort: must be one of"),
        ("_total=yes", "_total: must be"),
        ("_elements=", "_elements: the name"),
    ] {
        let answer = page(&castellan, &token, &format!("/User?{query}")).await;
        assert_eq!(answer.status, 400, "{query}: {answer:?}");
        assert!(answer.body.contains(said), "{query}: {answer:?}");
    }
}

#[tokio::test]
async fn a_page_has_links_a_total_and_what_is_wanted_of_it() {
    let (castellan, token) = with_details().await;
    let get = async |path: String| {
        let answer = page(&castellan, &token, &path).await;
        assert_eq!(answer.status, 200, "{path}: {answer:?}");
        answer.json()
    };
    let at = |url: String| url.strip_prefix(&castellan.url).unwrap().to_owned();
    for (order, wanted) in [
        ("", [["u1", "u2"], ["u3", "u4"], ["u5", "u6"]]),
        ("&_sort=-createdAt", [["u6", "u5"], ["u4", "u3"], ["u2", "u1"]]),
    ] {
        let first = get(format!("/User?_count=2{order}&_total=accurate")).await;
        assert_eq!(first["total"], 6, "{first}");
        assert_eq!(ids_of(&first), wanted[0]);
        assert_eq!(link(&first, "previous"), None);
        let second = get(at(link(&first, "next").unwrap())).await;
        assert_eq!(ids_of(&second), wanted[1]);
        let third = get(at(link(&second, "next").unwrap())).await;
        assert_eq!((ids_of(&third), link(&third, "next")), (wanted[2].to_vec(), None));
        let back = get(at(link(&third, "previous").unwrap())).await;
        assert_eq!(ids_of(&back), wanted[1]);
        for bundle in [&first, &second, &third, &back] {
            let relations = ["first", "self", "last"].map(|name| link(bundle, name).unwrap());
            assert_eq!(ids_of(&get(at(relations[0].clone())).await), wanted[0]);
            assert_eq!(&get(at(relations[1].clone())).await, bundle);
            assert_eq!(ids_of(&get(at(relations[2].clone())).await), wanted[2]);
        }
    }
    // Without being asked for it is given where it costs nothing.
    assert_eq!(get("/User?_count=2".to_owned()).await.get("total"), None);
    assert_eq!(get("/User?_count=6".to_owned()).await["total"], 6);
    assert_eq!(get("/User?_total=none".to_owned()).await.get("total"), None);
    assert_eq!(get("/User?userName=nobody".to_owned()).await["total"], 0);
    let trimmed = get("/User?_elements=userName,gender&_id=u1".to_owned()).await;
    let resource = &trimmed["entry"][0]["resource"];
    let wanted = json!({"resourceType": "User", "id": "u1", "userName": "John", "gender": "male"});
    assert_eq!(resource, &wanted);
    // Of another question.
    let cursor = link(&get("/User?_count=2&active=true".to_owned()).await, "next").unwrap();
    let other = at(cursor).replace("active=true", "active=false");
    assert_eq!(page(&castellan, &token, &other).await.status, 400);
}
