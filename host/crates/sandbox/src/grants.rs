//! What a guest can reach, from what flow and operator grant.
//!
//! A guest that was granted nothing is pure: its clocks stand still, its random numbers are the same each time, its
//! environment is empty and it has no files and no network.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use catalog::Name;
use engine::ports::GrantedCapability;
use lang::plan::{FolderAccess, MailUse, topics_within};
use wasmtime_wasi::{FsPerms, HostMonotonicClock, HostWallClock, WasiCtx};

use crate::log::{Log, LogStream, Stream};

/// The grants of an attempt, ready for use.
#[derive(Default)]
pub(crate) struct Grants {
    folders: Vec<Folder>,
    env: Vec<(String, String)>,
    hosts: Arc<[Name]>,
    env_granted: bool,
    clock: bool,
    random: bool,
    mail: Vec<(MailUse, Name)>,
}

struct Folder {
    host_path: Arc<str>,
    guest_path: Arc<str>,
    access: FolderAccess,
}

impl Grants {
    /// Sorts the grants; reads the granted variables of this process.
    pub(crate) fn new(granted: &[GrantedCapability]) -> Self {
        if granted.is_empty() {
            return Self::default();
        }
        let mut grants = Self::default();
        let mut hosts = Vec::new();
        for capability in granted {
            match capability {
                GrantedCapability::Folder { host_path, access } => grants.add_folder(host_path, *access),
                GrantedCapability::Http(host) => hosts.push(host.clone()),
                GrantedCapability::Env(name) => {
                    grants.env_granted = true;
                    // A variable that is not set or not text is simply not there for the guest.
                    if let Ok(value) = std::env::var(&**name) {
                        grants.env.push((name.to_string(), value));
                    }
                }
                GrantedCapability::Clock => grants.clock = true,
                GrantedCapability::Random => grants.random = true,
                GrantedCapability::Mail(of, subject) => grants.mail.push((*of, subject.clone())),
            }
        }
        grants.hosts = hosts.into();
        grants
    }

    fn add_folder(&mut self, host_path: &Arc<str>, access: FolderAccess) {
        if let Some(known) = self.folders.iter_mut().find(|folder| same_path(&folder.host_path, host_path)) {
            known.access = known.access.max(access);
            return;
        }
        let guest_path = self.free_guest_path(host_path);
        self.folders.push(Folder { host_path: host_path.clone(), guest_path, access });
    }

    fn free_guest_path(&self, host_path: &str) -> Arc<str> {
        let wanted = guest_path(host_path);
        let taken = |path: &str| self.folders.iter().any(|folder| &*folder.guest_path == path);
        if !taken(&wanted) {
            return wanted.into();
        }
        let numbered = (2_u64..).map(|number| format!("{wanted}-{number}")).find(|path| !taken(path));
        numbered.unwrap_or(wanted).into()
    }

    /// The guest's path for a folder of the host: where it is, or where it would be if it were granted.
    pub(crate) fn to_guest_path(&self, host_path: &str) -> String {
        match self.folders.iter().find(|folder| same_path(&folder.host_path, host_path)) {
            Some(folder) => folder.guest_path.to_string(),
            None => guest_path(host_path),
        }
    }

    pub(crate) fn has_folders(&self) -> bool {
        !self.folders.is_empty()
    }

    pub(crate) fn can_write(&self) -> bool {
        self.folders.iter().any(|folder| folder.access == FolderAccess::ReadWrite)
    }

    /// Whether it may send on this topic, take from it, or ask this role.
    pub(crate) fn may_mail(&self, of: MailUse, subject: &str) -> bool {
        self.mail.iter().any(|(granted, pattern)| *granted == of && topics_within(pattern, subject))
    }

    /// Whether it may ask any role.
    pub(crate) fn may_ask(&self) -> bool {
        self.mail.iter().any(|(granted, _)| *granted == MailUse::Ask)
    }

    pub(crate) fn has_env(&self) -> bool {
        self.env_granted
    }

    pub(crate) fn env(&self) -> &[(String, String)] {
        &self.env
    }

    pub(crate) fn hosts(&self) -> Arc<[Name]> {
        self.hosts.clone()
    }

    /// Whether the folders are there, so that a guest is not started in vain. The error is the folder and what is wrong.
    pub(crate) fn check_folders(&self) -> Result<(), (Arc<str>, String)> {
        for folder in &self.folders {
            let problem = |reason: String| Err((folder.host_path.clone(), reason));
            match std::fs::metadata(&*folder.host_path) {
                Ok(found) if found.is_dir() => {}
                Ok(_) => return problem("it is not a folder".to_owned()),
                Err(error) => return problem(error.to_string()),
            }
        }
        Ok(())
    }

    /// The WASI context of a guest.
    pub(crate) fn wasi(&self, log: &Log) -> WasiCtx {
        let mut wasi = WasiCtx::builder();
        wasi.stdout(LogStream(log.clone(), Stream::Out)).stderr(LogStream(log.clone(), Stream::Err)).max_random_size(1 << 20);
        if !self.clock {
            wasi.wall_clock(Frozen).monotonic_clock(Frozen);
        }
        if !self.random {
            wasi.secure_random(Seeded(1)).insecure_random(Seeded(2)).insecure_random_seed(3);
        }
        for folder in &self.folders {
            let permissions = match folder.access {
                FolderAccess::Read => FsPerms::ReadOnly,
                FolderAccess::ReadWrite => FsPerms::ReadWrite,
            };
            if let Err(error) = wasi.preopened_dir(&*folder.host_path, &*folder.guest_path, permissions) {
                log.line("warn", &format!("the folder `{}` cannot be opened: {error:#}", folder.host_path));
            }
        }
        wasi.build()
    }
}

/// `/docs` for `./some/docs/`. Only characters that every guest can handle.
fn guest_path(host_path: &str) -> String {
    let name = std::path::Path::new(host_path).file_name().map(|name| name.to_string_lossy()).unwrap_or_default();
    let clean = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') { c } else { '_' };
    let name: String = name.chars().map(clean).collect();
    if name.trim_matches('.').is_empty() { "/folder".to_owned() } else { format!("/{name}") }
}

fn same_path(a: &str, b: &str) -> bool {
    let trimmed = |path: &'_ str| -> usize { path.trim_end_matches('/').len() };
    a.get(..trimmed(a)) == b.get(..trimmed(b))
}

/// A clock that stands still at the beginning of 1970. Sleeping is real all the same.
struct Frozen;

impl HostWallClock for Frozen {
    fn resolution(&self) -> Duration {
        Duration::from_nanos(1)
    }

    fn now(&self) -> Duration {
        Duration::ZERO
    }
}

impl HostMonotonicClock for Frozen {
    fn resolution(&self) -> u64 {
        1
    }

    fn now(&self) -> u64 {
        0
    }
}

/// The same random numbers each time (`SplitMix64`), written out here so that they never change with a library.
struct Seeded(u64);

impl Seeded {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let x = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        x ^ (x >> 31)
    }
}

impl rand_core::TryRng for Seeded {
    type Error = Infallible;

    fn try_next_u32(&mut self) -> Result<u32, Infallible> {
        let [a, b, c, d, ..] = self.next().to_le_bytes();
        Ok(u32::from_le_bytes([a, b, c, d]))
    }

    fn try_next_u64(&mut self) -> Result<u64, Infallible> {
        Ok(self.next())
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
        for piece in bytes.chunks_mut(8) {
            for (byte, random) in piece.iter_mut().zip(self.next().to_le_bytes()) {
                *byte = random;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use engine::ports::GrantedCapability;
    use lang::plan::FolderAccess;

    use super::{Grants, guest_path};

    #[test]
    fn guest_paths_are_plain() {
        assert_eq!(guest_path("./some/docs/"), "/docs");
        assert_eq!(guest_path("/a/my notes: 1"), "/my_notes__1");
        assert_eq!(guest_path("/"), "/folder");
        assert_eq!(guest_path("a/.."), "/folder");
    }

    #[test]
    fn folders_of_one_name_are_told_apart() {
        let folder = |path: &str| GrantedCapability::Folder { host_path: path.into(), access: FolderAccess::Read };
        let grants = Grants::new(&[folder("a/docs"), folder("b/docs/"), folder("c/docs"), folder("b/docs")]);
        assert_eq!(grants.to_guest_path("a/docs"), "/docs");
        assert_eq!(grants.to_guest_path("b/docs"), "/docs-2");
        assert_eq!(grants.to_guest_path("c/docs/"), "/docs-3");
        assert_eq!(grants.to_guest_path("elsewhere/docs"), "/docs");
    }
}
