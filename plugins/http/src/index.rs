//! An index page's links: names directly below it, as nginx and Apache write them. Understands no other
//! HTML and follows nothing.

use std::collections::HashSet;

use crate::place::resolve;

/// What stands for a character in an attribute; servers write no others in links.
const ENTITIES: [(&str, &str); 6] =
    [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&#x27;", "'"), ("&amp;", "&")];

/// The links of a page to what is directly below it, each once, in the page's order. A folder's ends
/// with a slash.
pub(crate) fn links(page: &str, html: &str) -> Vec<String> {
    let mut seen = HashSet::new();
    let links = hrefs(html).filter_map(|href| {
        let href = ENTITIES.iter().fold(href.to_owned(), |text, (from, to)| text.replace(from, to));
        let url = resolve(page, &href)?;
        let name = url.strip_prefix(page)?;
        let is_below = !name.trim_end_matches('/').is_empty() && !name.trim_end_matches('/').contains('/');
        let is_name = is_below && !name.contains(['?', '#']) && !name.ends_with("//") && !name.starts_with("../");
        (is_name && seen.insert(url.clone())).then_some(url)
    });
    links.collect()
}

/// The values of `href` in tags `<a`.
fn hrefs(html: &str) -> impl Iterator<Item = &str> {
    html.split('<').filter_map(|tag| {
        let rest =
            tag.strip_prefix(['a', 'A']).filter(|rest| rest.starts_with(|letter: char| letter.is_whitespace()))?;
        let tag = rest.split('>').next()?;
        let at = tag.to_ascii_lowercase().find("href=")?;
        let value = &tag[at + "href=".len()..];
        let mark = value.chars().next().filter(|mark| ['"', '\''].contains(mark))?;
        value[1..].split(mark).next()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_of_nginx() {
        let html = "<html><h1>Index of /pub/</h1><hr><pre><a href=\"../\">../</a>\n\
                    <a href=\"deep/\">deep/</a>  24-Nov-2026 10:00   -\n\
                    <a href=\"a%20b%26c.bin\">a b&amp;c.bin</a>  24-Nov-2026 10:00   5\n\
                    <a href=\"it's%3F\">it's?</a>\n</pre></html>";
        let page = "http://a.example/pub/";
        let expected = ["deep/", "a%20b&c.bin", "it's%3F"].map(|name| format!("{page}{name}"));
        assert_eq!(links(page, html), expected);
    }

    #[test]
    fn the_names_of_apache_without_its_own_links() {
        let html = "<A HREF=\"?C=N;O=D\">Name</A> <a href=\"/\">Parent Directory</a> \
                    <a href=\"x.iso\"><img src=\"/icons/x.gif\"></a> <a href='x.iso'>x.iso</a> \
                    <a href=\"/pub/y\">y</a> <a href=\"/pub/z/w\">w</a> <a href=\"http://other.example/\">o</a> \
                    <a name=\"top\">t</a> <abbr href=\"q\">q</abbr>";
        let page = "http://a.example/pub/";
        assert_eq!(links(page, html), ["x.iso", "y"].map(|name| format!("{page}{name}")));
    }
}
