//! Documents lead to each other: links, files that they name, the index; and each thing is said in one of them.
#![allow(clippy::expect_used, clippy::panic, reason = "a helper of tests fails loudly")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use crate::docs::{pages, root, text};

/// What a heading is called in links: as hosts of repositories make it, without marks.
fn anchor(heading: &str) -> String {
    let text = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = text.chars().filter(|c| c.is_alphanumeric() || " -_".contains(*c));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// The anchors of a page: its headings outside of fenced blocks.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = std::fs::read_to_string(page).unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    let mut fenced = false;
    let headings = text.lines().filter(|line| {
        fenced ^= line.starts_with("```");
        !fenced && line.starts_with('#')
    });
    headings.map(anchor).collect()
}

#[test]
fn every_link_leads_somewhere() {
    for page in pages() {
        let text = text(&page);
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let here = root().join(&page);
            let target: PathBuf = if file.is_empty() { here } else { here.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{page}: {link}");
            assert!(anchor.is_empty() || anchors(&target).contains(anchor), "{page}: {link}");
        }
    }
}

#[test]
fn every_page_is_in_the_index() {
    let index = text("docs/README.md");
    for page in pages() {
        let Some(name) = page.strip_prefix("docs/").filter(|name| *name != "README.md") else { continue };
        assert!(index.contains(&format!("({name})")), "docs/README.md does not lead to {page}");
    }
}

/// A line of a table and a sentence of a list say a thing in one place only: others link there.
#[test]
fn no_sentence_stands_in_two_documents() {
    let mut seen = BTreeMap::<String, String>::new();
    for page in pages() {
        let mut fenced = false;
        for line in text(&page).lines() {
            fenced ^= line.starts_with("```");
            if fenced || page == "docs/api.md" || line.starts_with("|--") {
                continue;
            }
            for sentence in line.split(['|', '.']).map(|part| part.trim().trim_start_matches("- ")) {
                // Shorter ones are names and set phrases.
                if sentence.split(' ').count() < 12 {
                    continue;
                }
                let first = seen.entry(sentence.to_owned()).or_insert_with(|| page.clone());
                assert!(*first == page, "{first} and {page}: {sentence}");
            }
        }
    }
}

#[test]
fn every_file_that_a_page_names_is_there() {
    for page in pages() {
        let text = text(&page);
        for named in text.split('`').skip(1).step_by(2) {
            let begins = ["src/", "tests/", "docs/", "examples/", "crds/", "charts/", "schemas/", "scripts/"];
            let is_file = begins.iter().any(|begin| named.starts_with(begin)) && !named.contains(['<', '*', ' ', '…']);
            assert!(!is_file || root().join(named).exists(), "{page}: `{named}` is not there");
            // ARCHITECTURE names modules from src/ on.
            let module = named.ends_with(".rs") && named.contains('/') && !named.contains('*') && !is_file;
            let there = root().join("src").join(named).exists() || root().join("src/provider").join(named).exists();
            assert!(!module || there, "{page}: `{named}` is not there");
        }
    }
}
