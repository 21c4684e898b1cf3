//! What runs on GitHub is well formed, is pinned, and does what `make` does.
#![allow(clippy::expect_used, clippy::panic)]

use std::path::Path;

use serde_json::Value;

use crate::docs::text;
use crate::support::run::run;

/// The files of `.github/workflows`.
fn workflows() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(".github/workflows");
    let files = std::fs::read_dir(folder).expect("workflows");
    files.map(|file| format!(".github/workflows/{}", file.expect("a file").file_name().to_string_lossy())).collect()
}

/// Every step of every job, with the file it stands in.
fn steps() -> Vec<(String, Value)> {
    let mut found = Vec::new();
    for file in workflows() {
        let workflow: Value = serde_saphyr::from_str(&text(&file)).expect("YAML");
        for job in workflow["jobs"].as_object().expect("jobs").values() {
            let steps = job["steps"].as_array().expect("steps");
            found.extend(steps.iter().map(|step| (file.clone(), step.clone())));
        }
    }
    assert!(found.len() > 10, "{}", found.len());
    found
}

#[tokio::test]
async fn every_workflow_is_well_formed() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut actionlint = tokio::process::Command::new(root.join("scripts/tool.sh"));
    // shellcheck judges scripts on machines that have it; here each is one command.
    actionlint.args(["actionlint", "actionlint", "-shellcheck="]).args(workflows()).current_dir(root);
    let _ = run(actionlint, "").await.ok();
}

#[test]
fn every_step_is_a_make_target_or_what_github_alone_can_do() {
    let makefile = text("Makefile");
    for (file, step) in steps() {
        let Some(command) = step["run"].as_str() else { continue };
        assert_eq!(command.trim().lines().count(), 1, "{file}: {command}");
        match command.strip_prefix("make ") {
            Some(rest) => {
                let target = rest.split(' ').next().unwrap_or_default();
                assert!(makefile.contains(&format!("\n{target}:")), "{file}: make {target}");
            }
            None => assert!(
                ["gh release ", "git checkout"].iter().any(|begin| command.starts_with(begin)),
                "{file}: {command}"
            ),
        }
    }
}

#[test]
fn every_action_is_pinned_by_its_commit() {
    for (file, step) in steps() {
        let Some(action) = step["uses"].as_str() else { continue };
        let commit = action.split_once('@').map(|(_, commit)| commit).unwrap_or_default();
        assert!(commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()), "{file}: {action}");
        assert!(text(&file).contains(&format!("{action} # v")), "{file}: {action} without its version");
    }
}
