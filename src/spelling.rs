//! How far two names are apart, for messages that ask "did you mean". Knows no names; must never decide what is right.

/// Letters of a name that are looked at: what is longer is no slip of somebody who meant a name of ours.
const LONGEST: usize = 64;

/// How many letters must be put in, taken out or replaced to make one name of the other (Levenshtein), case aside.
pub(crate) fn distance(one: &str, other: &str) -> usize {
    let letters = |name: &str| name.to_lowercase().chars().take(LONGEST).collect::<Vec<char>>();
    let other = letters(other);
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (line, letter) in letters(one).into_iter().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], line + 1);
        for (column, beside) in other.iter().enumerate() {
            let replaced = corner + usize::from(letter != *beside);
            corner = row[column + 1];
            row[column + 1] = replaced.min(corner + 1).min(row[column] + 1);
        }
    }
    row[other.len()]
}

/// Whether one was probably meant where the other is written: at most a third of the letters differ; two of four, for two that changed
/// places are two.
pub(crate) fn is_near(one: &str, other: &str) -> bool {
    let length = one.chars().count().max(other.chars().count());
    distance(one, other) <= if length < 4 { 1 } else { 2.max(length / 3) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_counted_and_case_is_none() {
        for (one, other, far) in
            [("github", "GitHub", 0), ("github", "gihtub", 2), ("", "abc", 3), ("size", "sizes", 1), ("xyz", "abc", 3)]
        {
            assert_eq!((distance(one, other), distance(other, one)), (far, far), "{one} {other}");
        }
        for (one, other, near) in [
            ("gihtub", "github", true),
            ("nosuch", "xosum", false),
            ("a", "b", true),
            ("size", "sizes", true),
            ("paht", "path", true),
        ] {
            assert_eq!(is_near(one, other), near, "{one} {other}");
        }
        assert_eq!(distance(&"a".repeat(10_000), "a"), LONGEST - 1);
    }
}
