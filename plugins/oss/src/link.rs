//! Symlink objects: a bucket's names its target by the target's whole key, a file system's by a way
//! from the folder that it's in. Resolves text alone; whether anything is there isn't its business.

/// The target of a bucket's symlink as a file system would have it. Both keys are below the same root.
pub(crate) fn relative(link: &str, target: &str) -> String {
    let mut here: Vec<&str> = link.split('/').collect();
    here.pop();
    let there: Vec<&str> = target.split('/').collect();
    let shared = here.iter().zip(&there[..there.len() - 1]).take_while(|(one, other)| one == other).count();
    let up = std::iter::repeat_n("..", here.len() - shared);
    up.chain(there[shared..].iter().copied()).collect::<Vec<_>>().join("/")
}

/// The key that a file system's symlink leads to; none where it leaves the root or leads to it.
pub(crate) fn resolved(link: &str, target: &str) -> Option<String> {
    if target.starts_with('/') {
        return None;
    }
    let mut way: Vec<&str> = link.split('/').collect();
    way.pop();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(way.pop()?),
            name => way.push(name),
        }
    }
    (!way.is_empty()).then(|| way.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_way_leads_to_its_key_and_back() {
        for (link, target, way) in [
            ("l", "x", "x"),
            ("a/l", "a/x", "x"),
            ("a/b/l", "a/c/x", "../c/x"),
            ("a/b/l", "x", "../../x"),
            ("l", "a/x", "a/x"),
        ] {
            assert_eq!(relative(link, target), way);
            assert_eq!(resolved(link, way).as_deref(), Some(target));
        }
    }

    #[test]
    fn what_leaves_the_root_leads_nowhere() {
        for (link, way) in [("l", "/etc/passwd"), ("l", "../x"), ("a/l", "../../x"), ("a/l", ".."), ("l", "")] {
            assert_eq!(resolved(link, way), None, "{link} -> {way}");
        }
        assert_eq!(resolved("a/l", "./b//c").as_deref(), Some("a/b/c"));
    }
}
