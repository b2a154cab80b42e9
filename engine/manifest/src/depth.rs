//! Whether a text nests too deep to be handed to the TOML parser, whose own limits (80 brackets, 80
//! segments of a key) allow 6,400 levels together: enough to overflow a stack when they are dropped.
//! Reads brackets and dots, nothing else, and takes any text.

/// Deepest nesting in levels: far above what a reader of the tree takes, far below what a stack holds.
const MAX_LEVELS: usize = 128;

/// Where in the text the nesting goes too deep; none if it nowhere does.
pub(crate) fn too_deep(text: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    // The level outside each open bracket.
    let mut outside = Vec::new();
    let mut level = 0;
    let mut index = 0;
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'"' | b'\'' => {
                index = after_string(bytes, index);
                continue;
            }
            b'#' => {
                index = line_end(bytes, index);
                continue;
            }
            b'.' => level += 1,
            b'[' | b'{' => {
                outside.push(level);
                level += 1;
            }
            b']' | b'}' => level = outside.pop().unwrap_or(0),
            b',' => level = outside.last().map_or(0, |level| level + 1),
            b'\n' if outside.is_empty() => level = 0,
            _ => {}
        }
        if level > MAX_LEVELS {
            return Some(index);
        }
        index += 1;
    }
    None
}

fn line_end(bytes: &[u8], start: usize) -> usize {
    bytes[start..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |length| start + length)
}

/// Behind the string that starts here; one that isn't closed ends with its line, or with the text.
fn after_string(bytes: &[u8], start: usize) -> usize {
    let quote = bytes[start];
    let is_long = bytes[start..].starts_with(&[quote; 3]);
    let mut index = start + if is_long { 3 } else { 1 };
    while let Some(byte) = bytes.get(index) {
        match byte {
            b'\\' if quote == b'"' => index += 1,
            b'\n' if !is_long => return index,
            byte if *byte == quote && !is_long => return index + 1,
            byte if *byte == quote && bytes[index..].starts_with(&[quote; 3]) => return index + 3,
            _ => {}
        }
        index += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_brackets_and_dots_together() {
        let dots = ["a"; 79].join(".");
        assert!(too_deep(&format!("x = {{{dots} = {{{dots} = 1}}}}")).is_some());
        assert!(too_deep(&"[".repeat(MAX_LEVELS + 1)).is_some());
        assert!(too_deep(&format!("a = 1 # end\n{dots} = [{}]", "[1.5, 2.5], ".repeat(1000))).is_none());
    }

    #[test]
    fn strings_and_comments_nest_nothing() {
        let brackets = "[".repeat(1000);
        for text in [
            format!("a = \"{brackets}\""),
            format!("a = '{brackets}'"),
            format!("a = \"\\\"{brackets}\""),
            format!("a = \"\"\"\n\"{brackets}\"\n\"\"\""),
            format!("# {brackets}\na = 1"),
            format!("a = \"open\n# {brackets}"),
        ] {
            assert_eq!(too_deep(&text), None, "{text}");
        }
        assert!(too_deep(&format!("a = \"open\n{brackets}")).is_some(), "a line ends a string");
    }
}
