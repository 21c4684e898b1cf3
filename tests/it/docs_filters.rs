//! The page on filters says what the program says.
#![allow(clippy::expect_used, reason = "a test that cannot go on fails loudly")]

use std::collections::BTreeSet;

use hookgate::route::filter::{Filter, Places, VARIABLES};

use crate::docs::text;

#[test]
fn the_filters_shown_as_refused_are_refused_in_these_words() {
    let page = text("docs/filters.md");
    let below = page.split_once("\n## What is refused\n").expect("the section").1;
    let rows: Vec<(&str, &str)> = below
        .lines()
        .take_while(|line| !line.starts_with("## "))
        .filter_map(|line| line.strip_prefix("| `")?.strip_suffix(" |")?.split_once("` | "))
        .collect();
    for (filter, sentence) in &rows {
        let said = Filter::compile(filter, &mut Places::default()).expect_err(filter);
        assert!(said.starts_with(sentence), "{filter}: {said}");
    }
    assert!(rows.len() >= 9, "{} rows were found", rows.len());
}

#[test]
fn the_variables_of_filters_are_all_told() {
    let told: BTreeSet<String> = text("docs/filters.md")
        .lines()
        .skip_while(|line| !line.starts_with("| variable"))
        .take_while(|line| line.starts_with('|'))
        .flat_map(|line| line.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2))
        .map(str::to_owned)
        .collect();
    assert_eq!(told, VARIABLES.map(str::to_owned).into_iter().collect());
}
