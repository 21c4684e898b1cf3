//! The image that `make image` writes, and its files as a root to run the program in.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;
use tokio::sync::OnceCell;

use super::folder::Folder;
use super::operator::binary;
use super::run::run;

/// The program that packs; built once.
async fn packer() -> &'static Path {
    static BUILT: OnceCell<PathBuf> = OnceCell::const_new();
    let built = BUILT.get_or_init(|| async {
        let target = binary().ancestors().nth(2).expect("a target folder").to_owned();
        let mut cargo = tokio::process::Command::new(env!("CARGO"));
        cargo.args(["build", "--locked", "--quiet", "--package", "hookgate-packaging", "--target-dir"]).arg(&target);
        cargo.current_dir(env!("CARGO_MANIFEST_DIR"));
        let _ = run(cargo, "").await.ok();
        target.join("debug/pack")
    });
    built.await
}

/// Packs a program into an image in a folder; says what was packed.
pub async fn pack_into(program: &Path, output: &Path, more: &[&str]) -> String {
    let target = format!("{}-unknown-linux-gnu", std::env::consts::ARCH);
    let mut pack = tokio::process::Command::new(packer().await);
    pack.arg("--program").arg(program).args(["--target", &target, "--epoch", "1700000000", "--revision", "0123abc"]);
    pack.arg("--output").arg(output).args(more).current_dir(env!("CARGO_MANIFEST_DIR"));
    run(pack, "").await.ok()
}

/// An image, unpacked into blobs.
pub struct Image {
    pub folder: Folder,
    /// `NAME:TAG@DIGEST`.
    pub reference: String,
}

impl Image {
    /// Packs the program under test.
    pub async fn of_the_program() -> Image {
        Self::pack(&binary(), &[]).await
    }

    /// Packs the packer, which is small, as if it were the program.
    pub async fn of_a_small_program() -> Image {
        Self::pack(packer().await, &[]).await
    }

    /// Packs a program, with more flags.
    pub async fn pack(program: &Path, more: &[&str]) -> Image {
        let folder = Folder::new("image");
        let told = pack_into(program, folder.path(), more).await;
        let reference = told.split(' ').next().unwrap_or_default().to_owned();
        std::fs::create_dir(folder.join("layout")).expect("a folder");
        untar(&folder.join("hookgate.tar"), &folder.join("layout")).await;
        Image { folder, reference }
    }

    /// A document of the layout.
    pub fn json(&self, path: &str) -> Value {
        let file = self.folder.join("layout").join(path);
        serde_json::from_slice(&std::fs::read(&file).expect("a file of the layout")).expect("JSON")
    }

    /// Where the blob stands that a descriptor means.
    pub fn blob(descriptor: &Value) -> String {
        let digest = descriptor["digest"].as_str().expect("a digest");
        format!("blobs/{}", digest.replace(':', "/"))
    }

    /// The manifest of the image.
    pub fn manifest(&self) -> Value {
        self.json(&Self::blob(&self.json("index.json")["manifests"][0]))
    }

    /// Unpacks the image's files, as an engine does for a container.
    pub async fn root(&self) -> PathBuf {
        let root = self.folder.join("root");
        std::fs::create_dir(&root).expect("a folder");
        untar(&self.folder.join("layout").join(Self::blob(&self.manifest()["layers"][0])), &root).await;
        root
    }
}

async fn untar(file: &Path, into: &Path) {
    let mut tar = tokio::process::Command::new("tar");
    tar.arg("-xpf").arg(file).arg("-C").arg(into);
    let _ = run(tar, "").await.ok();
}

/// By its path: the command has no environment in which it could be looked for.
const CHROOT: &str = "/usr/sbin/chroot";

/// A command that runs the image's program as its user, with nothing of this machine but the network; nothing where neither root
/// nor a user namespace lets a test change the root.
pub fn within(root: &Path) -> Option<Command> {
    let is_root = std::fs::metadata("/proc/self").is_ok_and(|this| this.uid() == 0);
    let mut command = Command::new(if is_root { CHROOT } else { "unshare" });
    match is_root {
        true => command.arg("--userspec=65532:65532"),
        false => command.args(["--map-root-user", CHROOT]),
    };
    command.arg(root).arg("/usr/bin/hookgate").env_clear();
    if is_root || namespaces() {
        return Some(command);
    }
    assert!(std::env::var_os("CI").is_none(), "CI can change the root");
    None
}

fn namespaces() -> bool {
    Command::new("unshare").args(["--map-root-user", "true"]).status().is_ok_and(|done| done.success())
}
