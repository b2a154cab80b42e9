//! XML of a store's answer as a small tree. Knows no namespace and no attribute, which such answers
//! don't need, and refuses what is nested deeper than they are.

use std::borrow::Cow;

use quick_xml::{Reader, escape::resolve_xml_entity, events::Event};

/// S3 and OSS nest four deep.
const MAX_DEPTH: usize = 16;

/// An element with what is in it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Element {
    pub name: String,
    text: String,
    children: Vec<Element>,
}

/// The document's root; none if it isn't XML, or breaks off.
pub fn parse(bytes: &[u8]) -> Option<Element> {
    let mut reader = Reader::from_reader(bytes);
    // The elements that are open; the first holds the root once that is closed.
    let mut open = vec![Element::default()];
    loop {
        match reader.read_event().ok()? {
            Event::Start(tag) => {
                if open.len() > MAX_DEPTH {
                    return None;
                }
                open.push(Element::named(tag.name().as_ref()));
            }
            Event::Empty(tag) => open.last_mut()?.children.push(Element::named(tag.name().as_ref())),
            Event::End(_) => {
                let closed = open.pop()?;
                open.last_mut()?.children.push(closed);
            }
            Event::Text(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::CData(text) => open.last_mut()?.text.push_str(&text.decode().ok()?),
            Event::GeneralRef(entity) => {
                let text = &mut open.last_mut()?.text;
                match entity.resolve_char_ref().ok()? {
                    Some(character) => text.push(character),
                    None => text.push_str(resolve_xml_entity(&entity.decode().ok()?)?),
                }
            }
            Event::Eof if open.len() == 1 => return open.pop()?.children.pop(),
            Event::Eof => return None,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) | Event::DocType(_) => {}
        }
    }
}

/// A text as it stands in a request's XML.
pub fn escaped(text: &str) -> Cow<'_, str> {
    quick_xml::escape::escape(text)
}

// === impl Element ===

impl Element {
    fn named(name: &[u8]) -> Self {
        Self { name: String::from_utf8_lossy(name).into_owned(), ..Self::default() }
    }

    /// All elements of this name in this one.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }

    /// The same, without the rest.
    pub fn into_all(self, name: &str) -> impl Iterator<Item = Self> {
        self.children.into_iter().filter(move |child| child.name == name)
    }

    /// The text of the first element of this name.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.children.iter().find(|child| child.name == name).map(|child| child.text.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listing_is_a_tree() {
        let root = parse(
            b"<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult>\n <Name>a&amp;b&#233;</Name><Empty/>\
              <Contents><Key>one</Key></Contents>\n<Contents><Key><![CDATA[<two>]]></Key></Contents></ListBucketResult>",
        );
        let root = root.unwrap_or_default();
        assert_eq!((root.name.as_str(), root.text("Name")), ("ListBucketResult", Some("a&b\u{e9}")));
        let keys: Vec<_> = root.all("Contents").filter_map(|it| it.text("Key")).collect();
        assert_eq!(keys, ["one", "<two>"]);
        assert_eq!((root.text("Empty"), root.text("Missing")), (Some(""), None));
    }

    #[test]
    fn what_breaks_off_or_is_too_deep_is_refused() {
        for text in ["", "<a>", "<a><b></a>", "plain", "<a>&unknown;</a>", "</a>"] {
            assert_eq!(parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parse("<a>".repeat(40).as_bytes()), None);
    }
}
