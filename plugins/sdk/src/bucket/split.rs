//! Where the next pages of a flat listing will probably begin, judged by how far the last page went. A
//! wrong guess costs a request or a page, never a key: ranges between bounds leave nothing out.

/// The characters that keys count with, each set in the order of its bytes: a key that has only digits
/// where it changes will go on with digits.
const ALPHABETS: [&[u8]; 5] = [
    b"0123456789",
    b"0123456789abcdef",
    b"0123456789ABCDEF",
    b"0123456789abcdefghijklmnopqrstuvwxyz",
    b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz",
];

/// At most `count` ascending bounds behind `to`, each about `times` as far from the one before as `to` is
/// from `from`; fewer, or none, where the keys don't count in a way that's understood.
pub(super) fn bounds(from: &str, to: &str, count: usize, times: usize) -> Vec<String> {
    let differs = from.bytes().zip(to.bytes()).position(|(from, to)| from != to);
    let Some(place) = differs.filter(|_| from < to) else { return Vec::new() };
    // The number that changes, from the last separator on, and no character of more than a byte.
    let head = &to.as_bytes()[..=place];
    let start = head.iter().rposition(|byte| !byte.is_ascii_alphanumeric()).map_or(0, |separator| separator + 1);
    let first = from.as_bytes()[place];
    if start > place || !first.is_ascii_alphanumeric() {
        return Vec::new();
    }
    let fits = |alphabet: &&&[u8]| head[start..].iter().chain([&first]).all(|digit| alphabet.contains(digit));
    let Some(alphabet) = ALPHABETS.iter().find(fits) else { return Vec::new() };
    let value = |digit: u8| alphabet.iter().position(|each| *each == digit).unwrap_or(0);
    let stride = value(head[place]).saturating_sub(value(first)).max(1) * times;
    let mut counted: Vec<usize> = head[start..].iter().map(|digit| value(*digit)).collect();
    let mut bounds = Vec::new();
    while bounds.len() < count && add(&mut counted, stride, alphabet.len()) {
        let tail: String = counted.iter().map(|digit| char::from(alphabet[*digit])).collect();
        bounds.push(format!("{}{tail}", &to[..start]));
    }
    // What follows the changed digit may sort behind the first bound only.
    bounds.retain(|bound| bound.as_str() > to);
    bounds
}

/// Adds to a number of this base, its last digit being the last; false where it would need another.
fn add(digits: &mut [usize], mut carry: usize, base: usize) -> bool {
    for digit in digits.iter_mut().rev() {
        let sum = *digit + carry;
        (*digit, carry) = (sum % base, sum / base);
        if carry == 0 {
            return true;
        }
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_on_as_the_last_page_did() {
        assert_eq!(bounds("0003/0003999", "0004/0004999", 3, 1), ["0005", "0006", "0007"]);
        assert_eq!(bounds("nas/0008/x", "nas/0009/x", 2, 1), ["nas/0010", "nas/0011"]);
        assert_eq!(bounds("0003/0003999", "0004/0004999", 2, 4), ["0008", "0012"]);
        assert_eq!(bounds("02c1", "05aa", 3, 1), ["08", "11", "14"]);
        assert_eq!(bounds("02cf", "0caa", 2, 1), ["16", "20"]);
        assert_eq!(bounds("img-0998.jpg", "img-0999.jpg", 2, 1), ["img-1000", "img-1001"]);
    }

    #[test]
    fn guesses_nothing_where_keys_do_not_count() {
        for (from, to) in [("x", "x"), ("b", "a"), ("a", "ab"), ("\u{e8}", "\u{e9}"), ("a/", "a0"), ("99", "9~")] {
            assert_eq!(bounds(from, to, 4, 1), Vec::<String>::new(), "{from} {to}");
        }
    }

    #[test]
    fn bounds_ascend_behind_what_was_listed() {
        let keys = ["", "0", "00", "0z", "9", "A", "Zz", "a/0", "a/9z", "zz", "zzz", "a-b", "\u{e9}1", "f/ff/fe"];
        for (from, to) in keys.iter().flat_map(|from| keys.iter().map(move |to| (*from, *to))) {
            let found = bounds(from, to, 8, 3);
            assert!(found.is_sorted() && found.iter().all(|bound| bound.as_str() > to), "{from} {to}: {found:?}");
        }
    }
}
