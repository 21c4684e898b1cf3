//! Where there is a container engine, the Dockerfile makes the same files as `make image`, and runs them alike.
#![allow(clippy::print_stdout, reason = "it names what it skips")]
#![allow(clippy::expect_used, clippy::panic)]

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::process::Command;

use crate::docs::text;
use crate::image::files;
use crate::support::folder::Folder;
use crate::support::image::Image;
use crate::support::run::run;

/// buildah, and where it keeps what it builds.
struct Engine {
    program: PathBuf,
    folder: Folder,
}

impl Engine {
    async fn found() -> Option<Engine> {
        let install = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/buildah/install.sh");
        let found = run(Command::new(install), "").await;
        if found.status.code() == Some(3) {
            assert!(std::env::var_os("CI").is_none(), "CI has buildah");
            return None;
        }
        Some(Engine { program: found.ok().trim().into(), folder: Folder::new("buildah") })
    }

    async fn ask(&self, arguments: &[&str]) -> String {
        let mut command = Command::new(&self.program);
        command.args(["--storage-driver", "vfs", "--root"]).arg(self.folder.join("storage"));
        command.arg("--runroot").arg(self.folder.join("run")).args(arguments).current_dir(self.folder.path());
        run(command, "").await.ok()
    }
}

/// Paths with their modes and the hashes of what they hold.
fn tree(root: &Path) -> BTreeMap<PathBuf, (u32, String)> {
    let described = files(root).into_iter().map(|(path, is)| {
        let content = std::fs::read(root.join(&path)).expect("a file");
        (path, (is.permissions().mode() & 0o7777, hex::encode(Sha256::digest(&content))))
    });
    described.collect()
}

#[tokio::test]
async fn an_engine_makes_the_same_files_from_the_dockerfile() {
    let Some(engine) = Engine::found().await else {
        println!("SKIPPED an_engine_makes_the_same_files_from_the_dockerfile: it needs buildah, or root on Debian");
        return;
    };
    let context = engine.folder.join("context");
    let image_files = context.join("image").display().to_string();
    let ours = Image::pack(Path::new("/bin/true"), &["--root", &image_files]).await;
    let root = ours.root().await;
    assert_eq!(tree(Path::new(&image_files)), tree(&root), "--root writes what the layer holds");

    // The first stage fetches a compiler's image and runs `make image`: here its outcome stands in for it. The last one is as written.
    let dockerfile = text("Dockerfile");
    assert!(dockerfile.contains("RUN make image ") && dockerfile.contains("ROOT=/image"), "{dockerfile}");
    let (_, last) = dockerfile.split_once("\nFROM scratch\n").expect("a last stage from scratch");
    assert!(!last.contains("\nFROM "), "{last}");
    let stages = format!("FROM scratch AS build\nCOPY image/ /image/\nFROM scratch\n{last}");
    std::fs::write(context.join("Dockerfile"), stages).expect("a file");
    let policy = engine.folder.write("policy.json", r#"{"default": [{"type": "insecureAcceptAnything"}]}"#);
    let policy = policy.display().to_string();
    let policy = ["--signature-policy", policy.as_str()];
    engine.ask(&[&["build", "--isolation", "chroot", "--tag", "made"][..], &policy, &["context"]].concat()).await;
    engine.ask(&[&["push"][..], &policy, &["made", "oci:made:made"]].concat()).await;

    let read = |path: &str| -> Value {
        let file = engine.folder.join("made").join(path);
        serde_json::from_slice(&std::fs::read(file).expect("a file of the layout")).expect("JSON")
    };
    let manifest = read(&Image::blob(&read("index.json")["manifests"][0]));
    let theirs = engine.folder.join("root");
    std::fs::create_dir(&theirs).expect("a folder");
    for layer in manifest["layers"].as_array().expect("layers") {
        let mut tar = Command::new("tar");
        tar.arg("-xpf").arg(engine.folder.join("made").join(Image::blob(layer))).arg("-C").arg(&theirs);
        let _ = run(tar, "").await.ok();
    }
    assert_eq!(tree(&theirs), tree(&root));

    let (made, packed) = (read(&Image::blob(&manifest["config"])), ours.json(&Image::blob(&ours.manifest()["config"])));
    for member in ["User", "Entrypoint", "Env", "WorkingDir", "Cmd"] {
        assert_eq!(made["config"][member], packed["config"][member], "{member}");
    }
    for (label, value) in made["config"]["Labels"].as_object().expect("labels") {
        assert!(label.starts_with("io.buildah") || packed["config"]["Labels"][label] == *value, "{label}: {value}");
    }
}
