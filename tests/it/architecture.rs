//! The borders that the design draws hold in the code: dependencies point inward, and no vendor is named in Rust.
#![allow(clippy::expect_used, clippy::panic)]

use std::fs;
use std::path::{Path, PathBuf};

use hookgate::provider::catalogue::built_ins;

/// Every Rust file of a module that is compiled into the product.
fn files(module: &str) -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let single = root.join(format!("{module}.rs"));
    if single.exists() {
        found.push(single);
    }
    let mut folders = vec![root.join(module)];
    while let Some(folder) = folders.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries {
            let path = entry.expect("a readable folder").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "rs") {
                found.push(path);
            }
        }
    }
    assert!(!found.is_empty(), "module {module} has no files");
    found
}

/// The code of a file less its tests.
fn code(path: &Path) -> String {
    let name = path.to_string_lossy();
    if name.ends_with("/tests.rs") || name.contains("/tests/") {
        return String::new();
    }
    let text = fs::read_to_string(path).expect("a readable file");
    let (mut code, mut lines) = (String::new(), text.lines());
    while let Some(line) = lines.next() {
        if line.trim_start() != "#[cfg(test)]" {
            code.push_str(line);
            code.push('\n');
            continue;
        }
        // An item ends with a line, or where its brace is closed: the formatter puts that below its beginning.
        let indent = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indent}}}");
        let mut item = lines.by_ref().skip_while(|line| line.trim_start().starts_with("#["));
        if item.next().is_some_and(|first| !first.ends_with([';', ',', '}'])) {
            lines.by_ref().find(|line| line.starts_with(&end));
        }
    }
    code
}

#[test]
fn what_stands_behind_an_item_of_tests_is_judged_too() {
    for (file, word) in [("src/deliver/guard/mod.rs", "impl Delivery"), ("src/receive/bodies.rs", "impl Hold")] {
        let code = code(&Path::new(env!("CARGO_MANIFEST_DIR")).join(file));
        assert!(code.contains(word) && !code.contains("#[test]") && !code.contains("proptest!"), "{file}");
    }
}

/// A room, the rooms that it may know, and the libraries of the outside world that it may.
struct Room {
    name: &'static str,
    rooms: &'static [&'static str],
    outside: &'static [&'static str],
}

const fn room(name: &'static str, rooms: &'static [&'static str], outside: &'static [&'static str]) -> Room {
    Room { name, rooms, outside }
}

/// Every room, in the order of the map in ARCHITECTURE.md: each knows only some of those before it.
const ROOMS: &[Room] = &[
    room("spelling", &[], &[]),
    room("api", &["spelling"], &["kube"]),
    room("glob", &[], &[]),
    room("account", &["glob"], &[]),
    room("template", &[], &[]),
    room("json", &[], &[]),
    room("secret", &[], &[]),
    room("subject", &[], &[]),
    room("deadline", &[], &[]),
    room("authorities", &[], &[]),
    room("metrics", &[], &[]),
    room("manifest", &["api", "secret"], &[]),
    room("provider", &["spelling", "api", "glob", "template", "json", "secret"], &[]),
    room("event", &["api", "json", "provider"], &[]),
    room(
        "route",
        &["spelling", "api", "glob", "template", "json", "secret", "subject", "metrics", "provider", "event"],
        &[],
    ),
    room("fetch", &["authorities", "provider"], &["hyper"]),
    room("deliver", &["subject", "deadline", "authorities", "event"], &["async_nats"]),
    room(
        "control",
        &["api", "glob", "account", "secret", "subject", "metrics", "manifest", "provider", "event", "route"],
        &["kube"],
    ),
    room("receive", &["api", "deadline", "metrics", "provider", "event", "route", "fetch", "deliver"], &["hyper"]),
    room("admin", &["metrics", "route", "receive"], &["axum", "hyper"]),
    room(
        "cli",
        &[
            "api",
            "glob",
            "account",
            "subject",
            "authorities",
            "metrics",
            "manifest",
            "provider",
            "event",
            "route",
            "deliver",
            "control",
            "receive",
        ],
        &["async_nats", "hyper"],
    ),
    room(
        "app",
        &["account", "authorities", "metrics", "route", "fetch", "deliver", "control", "receive", "admin", "cli"],
        &["kube"],
    ),
];

/// The rooms that a line names, as `crate::room` or within `crate::{…}`.
fn named(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(list) => {
                found.extend(list.split(['}', ',']).map(|one| one.trim().split(':').next().unwrap_or_default()))
            }
            None => found.push(rest.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default()),
        }
    }
    found
}

#[test]
fn dependencies_point_inward() {
    const OUTSIDE: [&str; 4] = ["kube", "axum", "async_nats", "hyper"];
    let mut wrong = Vec::new();
    for (position, room) in ROOMS.iter().enumerate() {
        for known in room.rooms {
            assert!(
                ROOMS[..position].iter().any(|before| before.name == *known),
                "{} knows {known}, outward",
                room.name
            );
        }
        for file in files(room.name) {
            for (number, line) in code(&file).lines().enumerate() {
                let line = line.trim();
                if line.starts_with("//") {
                    continue;
                }
                let rooms = named(line).into_iter().filter(|name| ROOMS.iter().any(|room| room.name == *name));
                let forbidden =
                    rooms.filter(|name| *name != room.name && !room.rooms.contains(name)).map(str::to_owned);
                let libraries = OUTSIDE.iter().filter(|name| {
                    line.match_indices(*name).any(|(at, _)| {
                        let before = line[..at].chars().next_back();
                        let after = &line[at + name.len()..];
                        !before.is_some_and(|c| c.is_alphanumeric() || c == '_' || c == '"') && after.starts_with("::")
                    })
                });
                let libraries = libraries.filter(|name| !room.outside.contains(name)).map(|name| (*name).to_owned());
                // Types that a resource is derived from are no client.
                let client = ["kube::Client", "kube::runtime"]
                    .into_iter()
                    .filter(|name| room.name == "api" && line.contains(name));
                for name in forbidden.chain(libraries).chain(client.map(str::to_owned)) {
                    wrong.push(format!(
                        "{}:{}: {} must not know {name}: {line}",
                        file.display(),
                        number + 1,
                        room.name
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_map_shows_every_room_in_the_order_in_which_they_know_each_other() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut rooms: Vec<String> = fs::read_dir(root.join("src"))
        .expect("src")
        .map(|entry| entry.expect("a file").file_name().to_string_lossy().trim_end_matches(".rs").to_owned())
        .filter(|name| name != "lib" && name != "main")
        .collect();
    rooms.sort();
    let mut known: Vec<&str> = ROOMS.iter().map(|room| room.name).collect();
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md");
    let map = map.split("## The map").nth(1).and_then(|rest| rest.split("## ").next()).expect("the map");
    let rows = map.lines().filter_map(|line| line.strip_prefix("| `")).filter_map(|row| row.split(" | ").next());
    let shown: Vec<&str> = rows.flat_map(|row| row.split(", ")).map(|room| room.trim_matches('`')).collect();
    assert_eq!(shown, known);
    known.sort_unstable();
    assert_eq!(rooms, known);
}

#[test]
fn no_vendor_is_named_in_code() {
    let ids: Vec<&str> = built_ins().map(|built_in| built_in.id).collect();
    assert!(ids.len() > 5);
    let mut wrong = Vec::new();
    for room in ROOMS.iter().filter(|room| room.name != "api") {
        for file in files(room.name) {
            for (number, line) in code(&file).lines().enumerate() {
                if line.trim_start().starts_with("//") {
                    continue;
                }
                if let Some(id) = ids.iter().find(|id| line.contains(&format!("\"{id}\""))) {
                    wrong.push(format!("{}:{}: names {id}: {}", file.display(), number + 1, line.trim()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "providers are data:\n{}", wrong.join("\n"));
}
