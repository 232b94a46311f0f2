//! `host dev`: a cluster to try, on this machine.
//!
//! # Steps
//!
//! 1. [`run`] takes the folder, so that nobody else uses it, and ends what an earlier one left behind there (`process`).
//! 2. `guard` starts a process that ends all others if this one is killed.
//! 3. `server` starts NATS servers and waits until they can keep streams, then hosts are started: each is a `part`, whose lines are
//!    passed on.
//! 4. One that ends while the cluster runs is started again (`falls`), so that everybody can try what a death does.
//! 5. `elastic` starts and ends workers as the load asks for.
//! 6. When somebody asks it to stop, or one does not stay, all are ended: first the hosts, so that they can write what they have.

mod elastic;
mod falls;
pub(crate) mod guard;
mod part;
mod pool;
mod process;
mod server;

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::exit::{Exit, Problem};
use crate::output::Output;
use crate::signals::Stops;
use elastic::Elastic;
use pool::Pool;

/// How often one that is to end is looked at.
const LOOK: Duration = Duration::from_millis(20);

/// What the command line says.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) hosts: usize,
    pub(crate) servers: usize,
    /// Workers that are always there, and that may come beside them when there is much to do.
    pub(crate) least_workers: usize,
    pub(crate) most_workers: usize,
    pub(crate) nats_server: Option<PathBuf>,
    pub(crate) folder: PathBuf,
    /// The configuration of the hosts, where one is named.
    pub(crate) config: Option<PathBuf>,
}

/// Runs the cluster until somebody asks it to stop.
///
/// # Errors
/// It cannot be started, or one of its processes ends again and again.
pub(crate) fn run(output: Output, settings: &Settings) -> Result<Exit, Problem> {
    let program = server::program(settings.nats_server.as_deref())?;
    let folder = folder(&settings.folder)?;
    let _only = lock(&folder)?;
    same_servers(&folder, settings)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Problem::new(Exit::Store, format!("no runtime: {error}")))?;
    let mut pool = Pool::new(output, folder, Elastic::new(settings.least_workers, settings.most_workers))?;
    runtime.block_on(async {
        let mut stops = Stops::listen()?;
        let end = tokio::select! {
            problem = pool.run(settings, &program) => Err(problem),
            why = stops.next() => {
                output.note(&format!("{why}: hosts and servers are ended; a second signal does not wait for them"));
                Ok(Exit::Done)
            }
        };
        pool.end(&mut stops).await;
        end
    })
}

/// Prints what runs in a folder.
///
/// # Errors
/// Nothing does, or not all of it yet.
pub(crate) fn status(output: Output, folder: &Path) -> Result<Exit, Problem> {
    if process::living(folder).is_none() {
        return Err(nothing(folder));
    }
    let about = std::fs::read_to_string(folder.join(pool::ABOUT)).ok().and_then(|text| serde_json::from_str(&text).ok());
    let Some(about) = about else {
        return Err(Problem::new(Exit::Store, "the cluster is being started").help("ask again in a moment"));
    };
    output.document(&about, || pool::text(&about));
    Ok(Exit::Done)
}

/// Asks the one who uses a folder to end, and waits until it has.
///
/// # Errors
/// Nobody does.
pub(crate) fn stop(folder: &Path) -> Result<Exit, Problem> {
    let process = process::living(folder).ok_or_else(|| nothing(folder))?;
    process.terminate();
    while process.lives() {
        std::thread::sleep(LOOK);
    }
    Ok(Exit::Done)
}

fn nothing(folder: &Path) -> Problem {
    Problem::new(Exit::Store, format!("no `host dev` uses the folder `{}`", folder.display()))
        .help("start one with `host dev`, or name its folder with `--folder`")
}

/// The folder, made when it is missing, by its absolute path: servers want that.
fn folder(path: &Path) -> Result<PathBuf, Problem> {
    let made = std::fs::create_dir_all(path).and_then(|()| std::fs::canonicalize(path));
    made.map_err(|error| Problem::new(Exit::Store, format!("the folder `{}` cannot be made: {error}", path.display())))
}

/// Held as long as this process uses the folder.
fn lock(folder: &Path) -> Result<File, Problem> {
    let path = folder.join("lock");
    let failed = |error: std::io::Error| Problem::new(Exit::Store, format!("`{}` cannot be locked: {error}", path.display()));
    let file = File::options().write(true).create(true).truncate(false).open(&path).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::Error(error)) => Err(failed(error)),
        Err(TryLockError::WouldBlock) => {
            Err(Problem::new(Exit::Store, format!("another `host dev` uses the folder `{}`", folder.display()))
                .help("use its cluster, or another `--folder`"))
        }
    }
}

/// What is in the folder was kept by so many servers; with another number of them it could not be read.
fn same_servers(folder: &Path, settings: &Settings) -> Result<(), Problem> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    let found = entries.filter(|entry| entry.file_name().to_string_lossy().starts_with("server-")).count();
    if found == 0 || found == settings.servers {
        return Ok(());
    }
    let message = format!("the folder `{}` has what {found} servers kept", folder.display());
    Err(Problem::usage(message).help(format!("say `--servers {found}`, use another `--folder`, or remove that one")))
}

#[cfg(test)]
mod tests {
    use super::{Settings, folder, lock, same_servers};

    #[test]
    fn a_folder_is_used_by_one_and_with_the_same_number_of_servers() {
        let site = tempfile::tempdir().unwrap();
        let path = folder(&site.path().join("a/b")).unwrap();
        let held = lock(&path).unwrap();
        assert!(lock(&path).unwrap_err().message.contains("another `host dev` uses"));
        drop(held);
        lock(&path).unwrap();
        let settings = |servers| Settings {
            hosts: 1,
            servers,
            least_workers: 0,
            most_workers: 0,
            nats_server: None,
            folder: path.clone(),
            config: None,
        };
        same_servers(&path, &settings(5)).unwrap();
        std::fs::create_dir(path.join("server-1")).unwrap();
        same_servers(&path, &settings(1)).unwrap();
        assert!(same_servers(&path, &settings(3)).unwrap_err().help.unwrap().contains("--servers 1"));
    }
}
