//! Which items are instances of one thing, by their names: `web-1` and `web-2`, the pods of one deployment. When
//! several of them fail alike, it is rarely each by itself.

/// Letters and digits of the last part of a pod's name. Kubernetes leaves out vowels and what looks like another
/// letter, so that no name is a word by chance (apimachinery, `util/rand`).
const POD_SUFFIX: &str = "bcdfghjklmnpqrstvwxz2456789";
const POD_SUFFIX_LEN: usize = 5;
/// Lengths of the hash of a deployment's template.
const HASH_LEN: std::ops::RangeInclusive<usize> = 8..=10;

/// The name without what tells one instance from the others; a domain stays.
pub fn stem(name: &str) -> String {
    let (host, domain) = name.split_once('.').unwrap_or((name, ""));
    let mut stem = host;
    while let Some(shorter) = shortened(stem) {
        stem = shorter;
    }
    if domain.is_empty() { stem.to_owned() } else { format!("{stem}.{domain}") }
}

fn shortened(name: &str) -> Option<&str> {
    if let Some((before, last)) = name.rsplit_once(['-', '_']).filter(|(before, _)| !before.is_empty())
        && is_generated(last)
    {
        return Some(before);
    }
    let counted = name.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (counted.len() < name.len() && !counted.is_empty()).then_some(counted)
}

fn is_generated(last: &str) -> bool {
    let is_number = !last.is_empty() && last.chars().all(|letter| letter.is_ascii_digit());
    let is_pod = last.len() == POD_SUFFIX_LEN && last.chars().all(|letter| POD_SUFFIX.contains(letter));
    let is_hash = HASH_LEN.contains(&last.len())
        && last.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit())
        && last.chars().any(|letter| letter.is_ascii_digit());
    is_number || is_pod || is_hash
}

#[cfg(test)]
mod tests {
    use super::stem;

    #[test]
    fn instances_of_one_thing_share_a_stem() {
        for (name, expected) in [
            ("shop/api-7fc04063-crrvv", "shop/api"),
            ("web1", "web"),
            ("web-12", "web"),
            ("db-01.example.com", "db.example.com"),
            ("mongodb-profile-0", "mongodb-profile"),
            ("fra1-r01-h06", "fra1-r01-h"),
            ("rtr", "rtr"),
            ("api-production", "api-production"),
            ("42", "42"),
        ] {
            assert_eq!(stem(name), expected, "{name}");
        }
    }
}
