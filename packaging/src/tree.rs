//! The files of the image: the program, what it loads, and who it runs as.

use std::collections::BTreeMap;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use goblin::elf::Elf;
use goblin::elf::header::{EM_AARCH64, EM_X86_64};
use lddtree::DependencyAnalyzer;
use oci_spec::image::Arch;

/// Where the program stands.
pub const PROGRAM: &str = "/usr/bin/hookgate";
/// User and group, as the chart sets them: neither root nor anyone of the node.
pub const USER: u32 = 65532;

/// A file of the image.
#[derive(Debug)]
pub struct File {
    /// What it holds.
    pub content: Vec<u8>,
    /// Whether it is run.
    pub executable: bool,
}

impl File {
    /// Everybody may read it, and run it where it is run.
    pub fn mode(&self) -> u32 {
        if self.executable { 0o755 } else { 0o644 }
    }
}

/// All files, by their path from the root on.
#[derive(Debug)]
pub struct Tree {
    /// In the order of their paths.
    pub files: BTreeMap<PathBuf, File>,
    /// The processor that the program is for.
    pub architecture: Arch,
}

impl Tree {
    /// The program alone where it is linked statically; else with its loader and libraries, at the paths where it looks for them.
    pub fn of(program: &Path) -> anyhow::Result<Self> {
        let content = fs::read(program).with_context(|| program.display().to_string())?;
        let header = Elf::parse_header(&content).with_context(|| program.display().to_string())?;
        let architecture = match header.e_machine {
            EM_X86_64 => Arch::Amd64,
            EM_AARCH64 => Arch::ARM64,
            other => bail!("{}: built for a processor that is not packed: ELF machine {other}", program.display()),
        };
        let mut tree = Self { files: BTreeMap::new(), architecture };
        tree.add(PROGRAM, content, true);
        tree.add_libraries(program)?;
        tree.add("/etc/passwd", format!("nonroot:x:{USER}:{USER}:nonroot:/nonexistent:/sbin/nologin\n").into(), false);
        tree.add("/etc/group", format!("nonroot:x:{USER}:\n").into(), false);
        // Names are asked of /etc/hosts and DNS: nothing else of the C library's ways can be loaded here.
        tree.add("/etc/nsswitch.conf", b"hosts: files dns\n".to_vec(), false);
        Ok(tree)
    }

    /// Writes the files below a folder.
    pub fn write(&self, root: &Path) -> anyhow::Result<()> {
        for (path, file) in &self.files {
            let path = root.join(path.strip_prefix("/")?);
            let told = || path.display().to_string();
            fs::create_dir_all(path.parent().unwrap_or(root)).with_context(told)?;
            fs::write(&path, &file.content).with_context(told)?;
            fs::set_permissions(&path, Permissions::from_mode(file.mode())).with_context(told)?;
        }
        Ok(())
    }

    /// What is told of the program, for those who look into the image.
    pub fn add_document(&mut self, name: &str, text: String) {
        self.add(Path::new("/usr/share/doc/hookgate").join(name), text.into_bytes(), false);
    }

    /// The program itself.
    pub fn program(&self) -> &[u8] {
        self.files.get(Path::new(PROGRAM)).map_or(&[], |file| &file.content)
    }

    fn add(&mut self, path: impl Into<PathBuf>, content: Vec<u8>, executable: bool) {
        self.files.insert(path.into(), File { content, executable });
    }

    fn add_libraries(&mut self, program: &Path) -> anyhow::Result<()> {
        let needed = DependencyAnalyzer::default().analyze(program)?;
        if let Some(library) = needed.libraries.values().find(|library| !library.found()) {
            bail!("{} loads {}, which is not on this machine", program.display(), library.name);
        }
        let libraries = needed.libraries.into_values().map(|library| library.path);
        let paths = libraries.chain(needed.interpreter.map(PathBuf::from));
        for path in paths {
            let content = fs::read(&path).with_context(|| path.display().to_string())?;
            self.add(path, content, true);
        }
        Ok(())
    }
}
