//! What an answer says, written as JSON or as XML (`docs/contracts/ibexa.md` §1).

use quick_xml::{
    Writer,
    events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event},
};
use serde_json::{Map, Value, json};

use super::{media::Format, xml::is_character};

/// An element with its attributes, and the text or the elements in it.
pub(super) struct Element {
    name: &'static str,
    attributes: Vec<(&'static str, String)>,
    content: Content,
}

enum Content {
    Text(String),
    /// A number in JSON.
    Number(u16),
    Elements(Vec<Element>),
}

impl Element {
    fn of(name: &'static str, content: Content) -> Self {
        Self { name, attributes: Vec::new(), content }
    }

    /// One with a text in it.
    pub(super) fn text(name: &'static str, text: impl Into<String>) -> Self {
        Self::of(name, Content::Text(text.into()))
    }

    /// One with a number in it.
    pub(super) fn number(name: &'static str, number: u16) -> Self {
        Self::of(name, Content::Number(number))
    }

    /// A resource with `members`, of the type that it is called.
    pub(super) fn resource(name: &'static str, format: Format, members: Vec<Self>) -> Self {
        Self::of(name, Content::Elements(members)).with("media-type", format.media_type(name))
    }

    /// The same with an attribute.
    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.attributes.push((name, value.into()));
        self
    }

    /// What it is called.
    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    /// As a whole document.
    pub(super) fn write(&self, format: Format) -> String {
        match format {
            Format::Json => {
                let document: Map<_, _> =
                    [(self.name.to_owned(), self.json())].into_iter().collect();
                Value::Object(document).to_string()
            }
            Format::Xml => self.xml(),
        }
    }

    fn json(&self) -> Value {
        let attributes = self.attributes.iter();
        let attributes = attributes.map(|(name, value)| (format!("_{name}"), json!(value)));
        let text = match &self.content {
            Content::Elements(members) => {
                let members = members.iter().map(|one| (one.name.to_owned(), one.json()));
                return Value::Object(attributes.chain(members).collect());
            }
            Content::Text(text) => json!(text),
            Content::Number(number) => json!(number),
        };
        if self.attributes.is_empty() {
            return text;
        }
        Value::Object(attributes.chain([("#text".to_owned(), text)]).collect())
    }

    fn xml(&self) -> String {
        let mut writer = Writer::new(Vec::new());
        // Writing to memory does not fail.
        let _ = writer.write_event(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
        writer.get_mut().push(b'\n');
        self.write_to(&mut writer);
        let mut text = String::from_utf8(writer.into_inner()).unwrap_or_default();
        text.push('\n');
        text
    }

    fn write_to(&self, writer: &mut Writer<Vec<u8>>) {
        let mut start = BytesStart::new(self.name);
        for (name, value) in &self.attributes {
            start.push_attribute((*name, &*characters(value)));
        }
        let text = match &self.content {
            Content::Elements(members) if members.is_empty() => {
                let _ = writer.write_event(Event::Empty(start));
                return;
            }
            Content::Elements(members) => {
                let _ = writer.write_event(Event::Start(start));
                for one in members {
                    one.write_to(writer);
                }
                let _ = writer.write_event(Event::End(BytesEnd::new(self.name)));
                return;
            }
            Content::Text(text) => characters(text),
            Content::Number(number) => number.to_string(),
        };
        let _ = writer.write_event(Event::Start(start));
        let _ = writer.write_event(Event::Text(BytesText::new(&text)));
        let _ = writer.write_event(Event::End(BytesEnd::new(self.name)));
    }
}

/// `text` without what no XML document may contain (XML 1.0 §2.2).
fn characters(text: &str) -> String {
    let allowed = |c| if is_character(c) { c } else { char::REPLACEMENT_CHARACTER };
    text.chars().map(allowed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(format: Format) -> Element {
        let user = Element::resource("User", format, Vec::new()).with("href", "/u/ann");
        let members = vec![
            Element::text("name", "a<b & \"c\"\u{0}"),
            Element::number("errorCode", 401),
            Element::text("label", "text").with("lang", "en'\"<"),
            user,
        ];
        Element::resource("Session", format, members).with("href", "/s/1")
    }

    #[test]
    fn json_and_xml_say_the_same() {
        let json = "{\"Session\":{\"_media-type\":\"application/vnd.ibexa.api.Session+json\",\
                    \"_href\":\"/s/1\",\"name\":\"a<b & \\\"c\\\"\\u0000\",\"errorCode\":401,\
                    \"label\":{\"_lang\":\"en'\\\"<\",\"#text\":\"text\"},\
                    \"User\":{\"_media-type\":\"application/vnd.ibexa.api.User+json\",\
                    \"_href\":\"/u/ann\"}}}";
        assert_eq!(sample(Format::Json).write(Format::Json), json);
        let xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                   <Session media-type=\"application/vnd.ibexa.api.Session+xml\" href=\"/s/1\">\
                   <name>a&lt;b &amp; &quot;c&quot;\u{fffd}</name><errorCode>401</errorCode>\
                   <label lang=\"en&apos;&quot;&lt;\">text</label>\
                   <User media-type=\"application/vnd.ibexa.api.User+xml\" href=\"/u/ann\"/>\
                   </Session>\n";
        assert_eq!(sample(Format::Xml).write(Format::Xml), xml);
    }
}
