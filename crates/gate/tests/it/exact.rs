//! What is passed on is what was sent, digit by digit, and a value fits a type as graphql-js has it.

use std::fmt::Write as _;

use castellan_gate::{OnDeny, Rules};
use http::StatusCode;

use crate::wire::{Reply, Rig, json_answer, post, rules};

const SDL: &str = "
scalar JSON
enum Size { SMALL LARGE }
input Where {
  int: Int, float: Float = 1.5, id: ID, sizes: [Size!], any: JSON = 1e400, must: Boolean! = true
}
type Query {
  any(of: JSON, list: [JSON]): JSON
  secret: String
  int(of: Int): Int
  float(of: Float): Float
  id(of: ID): ID
  text(of: String): String
  flag(of: Boolean): Boolean
  size(of: Size): Size
  matrix(of: [[Int]]): Int
  find(where: Where): JSON
}
type Mutation { change(of: JSON): Payload }
type Payload { any: JSON query: Query }
";

fn rig() -> Rig {
    let rules = Rules {
        on_deny: OnDeny::Null,
        ..rules(&["Query:{any,int,float,id,text,flag,size,matrix,find,JSON}:*", "Mutation:*"])
    };
    Rig::new(SDL, rules, &[])
}

/// Values of JSON that a reader may have changed by the time it writes them.
const VALUES: [&str; 15] = [
    "0.1234567890123456789012345",
    "1.10",
    "-0",
    "-0.0",
    "1E+2",
    "1e400",
    "-1e-400",
    "18446744073709551616",
    "123456789012345678901234567890",
    r#""\ud800""#,
    r#""\/\u0041\u00e9é\u2028""#,
    r#""\u0000""#,
    r#"{"\u0061":1.0,"\udc00":[2.50,{"":null}]}"#,
    "[[],{},[1.0]]",
    "null",
];

/// `text` as a value in a URL.
fn percent(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02x}");
        out
    })
}

#[tokio::test]
async fn variables_arrive_as_they_were_written() {
    // Sent on as it came, and with something taken out of it.
    for document in ["query($v: JSON) { any(of: $v) }", "query($v: JSON) { any(of: $v) secret }"] {
        let rig = rig().answering_with(|_| json_answer(200, r#"{"data":{"any":1}}"#));
        for value in VALUES {
            let body = format!(r#"{{"query":"{document}","variables":{{"v": {value} }}}}"#);
            let reply = rig.send(post(None, &body)).await;
            assert_eq!(reply.status, 200, "{value}: {}", reply.text);
            let sent = rig.only().text;
            let expected = format!(r#""variables":{{"v":{value}}}}}"#);
            assert!(sent.ends_with(&expected), "{sent}");
            // And in a URL.
            let encoded = percent(&format!(r#"{{"v":{value}}}"#));
            let query = percent(document);
            let uri = format!("/graphql?query={query}&variables={encoded}");
            let by_get = http::Request::get(uri).body(http_body_util::Full::default()).unwrap();
            assert_eq!(rig.send(by_get).await.status, 200);
            assert!(rig.only().text.ends_with(&expected));
        }
    }
}

#[tokio::test]
async fn answers_arrive_as_they_were_written() {
    for value in VALUES {
        let answer = format!(
            "{{\"extensions\": {{\"cost\": {value}}},\n \"data\": {{\"any\": {value}, \"b\": [{value} ]}}, \"errors\": [{{\"message\": {value}}}]}}"
        );
        let rig = rig().answering_with(move |_| json_answer(200, &answer));
        let reply = rig.ask(None, "{ secret b: any any }").await;
        let text = reply.text.as_str();
        assert_eq!(reply.status, 200, "{text}");
        assert!(text.starts_with(&format!(r#"{{"errors":[{{"message": {value}}},{{"#)), "{text}");
        let rest = format!(
            r#""data":{{"secret":null,"b":[{value} ],"any":{value}}},"extensions":{{"cost": {value}}}}}"#
        );
        assert!(text.ends_with(&rest), "{text}");
        // Nulls below a root field: only the objects around them are written anew.
        let nested =
            format!(r#"{{"data":{{"change":{{"any": {value} ,"query":{{"any":[{value}]}}}}}}}}"#);
        let rig = self::rig().answering_with(move |_| json_answer(200, &nested));
        let reply = rig.ask(None, "mutation { change { any query { any secret } } }").await;
        let rest = format!(
            r#""data":{{"change":{{"any":{value},"query":{{"any":[{value}],"secret":null}}}}}}}}"#
        );
        assert!(reply.text.ends_with(&rest), "{}", reply.text);
    }
}

#[tokio::test]
async fn an_answer_that_can_be_read_in_two_ways_is_a_502() {
    for answer in [
        r#"{"data":{"any":1},"data":{"any":2}}"#,
        r#"{"data":{"any":1,"any":2}}"#,
        r#"{"data":{"any":1,"\u0061ny":2}}"#,
        r#"{"data":{"any":1},"errors":[],"errors":[]}"#,
        r#"{"data":{"any":1e}}"#,
        r#"{"data":{"any":"\ud80"}}"#,
        r#"[{"any":1},[],null]"#,
    ] {
        let rig = rig().answering_with(move |_| json_answer(200, answer));
        let reply = rig.ask(None, "{ any secret }").await;
        assert_eq!((reply.status, &*reply.codes()[0]), (StatusCode::BAD_GATEWAY, "UPSTREAM"));
    }
    // Where nothing of ours goes, it is the API's own affair, as in an answer that is streamed.
    let answer = r#"{"data":{"any":{"a":1,"a":2}}}"#;
    let rig = rig().answering_with(move |_| json_answer(200, answer));
    let reply = rig.ask(None, "{ any secret }").await;
    assert!(reply.text.contains(r#""any":{"a":1,"a":2}"#), "{}", reply.text);
}

/// `value` as the variable of a field that takes a `ty`.
async fn given(field: &str, ty: &str, value: &str) -> Reply {
    let rig = rig().answering_with(|_| json_answer(200, r#"{"data":{}}"#));
    let query = format!("query($v: {ty}) {{ {field}(of: $v) }}").replace("find(of:", "find(where:");
    let body = format!(r#"{{"query":"{query}","variables":{{"v":{value}}}}}"#);
    let reply = rig.send(post(None, &body)).await;
    if reply.status == StatusCode::OK {
        assert!(rig.only().text.ends_with(&format!(r#""variables":{{"v":{value}}}}}"#)));
    } else {
        assert!(rig.nothing_sent());
    }
    reply
}

/// GraphQL specification §3.5, as graphql-js does it.
#[tokio::test]
async fn a_number_fits_where_graphql_js_takes_it() {
    let integers = ["0", "-0", "1.0", "1e0", "10E-1", "2147483647", "-2147483648.0"];
    let large =
        ["2147483648", "9007199254740992", "-9007199254740993", "18446744073709551616", "1e30"];
    let fractions = ["1.5", "0.1234567890123456789012345", "-1e-3", "1e-400"];
    let infinite = ["1e400", "-1e309"];
    let others = ["true", "[1.5,{}]", "{}"];
    let strings = [r#""1""#, r#""\ud800""#];
    for (field, ty, good, bad) in [
        (
            "int",
            "Int",
            vec![&integers[..]],
            vec![&large[..], &fractions[..3], &infinite, &others, &strings],
        ),
        ("float", "Float", vec![&integers, &large, &fractions], vec![&infinite, &others, &strings]),
        ("id", "ID", vec![&integers, &large, &strings], vec![&fractions[..3], &infinite, &others]),
        ("text", "String", vec![&strings], vec![&integers, &large, &fractions, &infinite, &others]),
        ("flag", "Boolean", vec![&["true", "false"]], vec![&integers, &strings, &infinite]),
        ("size", "Size", vec![&[r#""SMALL""#, r#""\u0053MALL""#]], vec![&integers, &strings]),
        ("any", "JSON", vec![&integers, &large, &fractions, &infinite, &others, &strings], vec![]),
        (
            "matrix",
            "[[Int]]",
            vec![&["1.0", "[1]", "[[1.0],null,[2,3e0]]"]],
            vec![&["[[1.5]]", "[\"1\"]"]],
        ),
    ] {
        for value in good.concat() {
            let reply = given(field, ty, value).await;
            assert_eq!(reply.status, 200, "{ty} {value}: {}", reply.text);
        }
        for value in bad.concat() {
            let reply = given(field, ty, value).await;
            assert_eq!(reply.status, 400, "{ty} {value}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn an_input_object_fits_member_by_member() {
    for value in [
        "null",
        "{}",
        r#"{"int":1.0,"float":9007199254740993,"id":123456789012345678901234567890}"#,
        r#"{"\u0069nt":null,"sizes":"SMALL","any":{"int":1e999},"must":false}"#,
        r#"{"sizes":["SMALL","LARGE"]}"#,
    ] {
        let reply = given("find", "Where", value).await;
        assert_eq!(reply.status, 200, "{value}: {}", reply.text);
    }
    for (value, message) in [
        (r#"{"int":1.5}"#, "could not coerce input field Where.int: 1.5 to type Int"),
        (r#"{"nothing":1}"#, "Input object has key nothing not in type Where"),
        (r#"{"\ud800":1}"#, "not in type Where"),
        (r#"{"must":null}"#, "null value for input field Where.must of non-null type Boolean!"),
        (r#"{"sizes":[null]}"#, "null value for input field Where.sizes of non-null type Size!"),
        (
            r#"{"sizes":["HUGE"]}"#,
            r#"could not coerce input field Where.sizes: \"HUGE\" to type Size"#,
        ),
        ("[]", "could not coerce variable v: [] to type Where"),
    ] {
        let reply = given("find", "Where", value).await;
        assert_eq!(reply.status, 400, "{value}: {}", reply.text);
        assert!(reply.text.contains(message), "{}", reply.text);
    }
    let reply = rig().ask(None, "query($v: Int!) { int(of: $v) }").await;
    let error = &reply.json()["errors"][0];
    assert_eq!(error["message"], "missing value for non-null variable 'v'");
    assert_eq!(error["locations"][0]["column"], 7, "{error}");
}

/// GraphQL specification of September 2025, §3.13.5: every schema has the directive.
#[tokio::test]
async fn one_of_needs_no_definition_and_takes_one() {
    let fields = "type Query { one(by: By): Int } input By @oneOf { a: Int b: Int }";
    for definition in ["", "directive @oneOf on INPUT_OBJECT "] {
        let sdl = format!("{definition}{fields}");
        let rig = Rig::new(&sdl, rules(&["Query:*"]), &[])
            .answering_with(|_| json_answer(200, r#"{"data":{"one":1}}"#));
        let reply = rig.ask(None, "{ one(by: {a: 1}) }").await;
        assert_eq!(reply.text, r#"{"data":{"one":1}}"#);
    }
}

/// GraphQL specification §3.5.2 and §3.5.5: literals and defaults have no bound but that of a `Float`.
#[tokio::test]
async fn literals_and_defaults_fit_as_values_do() {
    for (document, status) in [
        ("{ id(of: 123456789012345678901234567890) }", 200),
        ("{ float(of: 9007199254740993) any(of: 1e400) }", 200),
        ("query($v: ID = 99999999999999999999) { id(of: $v) }", 200),
        ("query($v: Float = 9007199254740993) { float(of: $v) }", 200),
        ("query($v: JSON = [1e400, 1.10]) { any(of: $v) }", 200),
        ("{ int(of: 1.0) }", 400),
        ("{ int(of: 2147483648) }", 400),
        ("{ float(of: 1e400) }", 400),
    ] {
        let rig = rig().answering_with(|_| json_answer(200, r#"{"data":{}}"#));
        let reply = rig.ask(None, document).await;
        assert_eq!(reply.status, status, "{document}: {}", reply.text);
        if status == 200 {
            assert_eq!(rig.only().query(), document);
        }
    }
}
