//! WASI 0.2, with every call counted and every denial noticed.

use wasmtime::StoreContextMut;
use wasmtime::component::{HasData, HasSelf, Linker, Resource, ResourceTable};
use wasmtime_wasi::WasiView as _;
use wasmtime_wasi::cli::{WasiCli, WasiCliView as _};
use wasmtime_wasi::clocks::{WasiClocks, WasiClocksView as _};
use wasmtime_wasi::filesystem::{Descriptor, WasiFilesystem, WasiFilesystemView as _};
use wasmtime_wasi::p2::bindings::filesystem::types::{
    DescriptorFlags, ErrorCode as FileError, HostDescriptor as _, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::bindings::sockets::network::{ErrorCode as NetworkError, IpAddress, IpAddressFamily, Network};
use wasmtime_wasi::p2::bindings::sockets::{ip_name_lookup, tcp_create_socket, udp_create_socket};
use wasmtime_wasi::p2::bindings::{cli, clocks, filesystem, random, sockets};
use wasmtime_wasi::p2::{DynPollable, FsError, FsResult, SocketError, SocketResult, TcpSocket, UdpSocket};
use wasmtime_wasi::random::WasiRandom;
use wasmtime_wasi::sockets::{WasiSockets, WasiSocketsView as _};
use wasmtime_wasi_io::bindings::wasi::io;

use crate::denials::Asked;
use crate::state::State;

/// The interface of files, as the linker knows it: this crate's functions take the place of some of it.
const FILES: &str = "wasi:filesystem/types@0.2.12";

struct HasIo;

impl HasData for HasIo {
    type Data<'a> = &'a mut ResourceTable;
}

pub(super) fn link(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    link_plain(linker)?;
    cli::environment::add_to_linker::<_, HasSelf<State>>(linker, State::called)?;
    filesystem::preopens::add_to_linker::<_, HasSelf<State>>(linker, State::called)?;
    tcp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, State::called)?;
    udp_create_socket::add_to_linker::<_, HasSelf<State>>(linker, State::called)?;
    ip_name_lookup::add_to_linker::<_, HasSelf<State>>(linker, State::called)?;
    linker.allow_shadowing(true);
    link_file_changes(linker)?;
    linker.allow_shadowing(false);
    Ok(())
}

/// What is offered as wasmtime has it.
fn link_plain(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    type S = State;
    io::error::add_to_linker::<_, HasIo>(linker, |s: &mut S| s.called().ctx().table)?;
    io::poll::add_to_linker::<_, HasIo>(linker, |s: &mut S| s.called().ctx().table)?;
    io::streams::add_to_linker::<_, HasIo>(linker, |s: &mut S| s.called().ctx().table)?;
    clocks::wall_clock::add_to_linker::<_, WasiClocks>(linker, |s: &mut S| s.called().clocks())?;
    clocks::monotonic_clock::add_to_linker::<_, WasiClocks>(linker, |s: &mut S| s.called().clocks())?;
    filesystem::types::add_to_linker::<_, WasiFilesystem>(linker, |s: &mut S| s.called().filesystem())?;
    random::random::add_to_linker::<_, WasiRandom>(linker, |s: &mut S| s.called().ctx().ctx.random())?;
    random::insecure::add_to_linker::<_, WasiRandom>(linker, |s: &mut S| s.called().ctx().ctx.random())?;
    random::insecure_seed::add_to_linker::<_, WasiRandom>(linker, |s: &mut S| s.called().ctx().ctx.random())?;
    cli::exit::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::stdin::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::stdout::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::stderr::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::terminal_input::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::terminal_output::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::terminal_stdin::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::terminal_stdout::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    cli::terminal_stderr::add_to_linker::<_, WasiCli>(linker, |s: &mut S| s.called().cli())?;
    sockets::instance_network::add_to_linker::<_, WasiSockets>(linker, |s: &mut S| s.called().sockets())?;
    let options = sockets::network::LinkOptions::default();
    sockets::network::add_to_linker::<_, WasiSockets>(linker, &options, |s: &mut S| s.called().sockets())?;
    sockets::tcp::add_to_linker::<_, WasiSockets>(linker, |s: &mut S| s.called().sockets())?;
    sockets::udp::add_to_linker::<_, WasiSockets>(linker, |s: &mut S| s.called().sockets())
}

/// Notices when a guest is not allowed to open or change something.
fn link_file_changes(linker: &mut Linker<State>) -> wasmtime::Result<()> {
    let mut files = linker.instance(FILES)?;
    files.func_wrap_async("[method]descriptor.open-at", |store, params| Box::new(open_at(store, params)))?;
    files.func_wrap_async(
        "[method]descriptor.create-directory-at",
        |mut store: StoreContextMut<'_, State>, (folder, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let state = store.data_mut().called();
                let done = state.filesystem().create_directory_at(folder, path.clone()).await;
                Ok((state.noticed(done, &path, true)?,))
            })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.unlink-file-at",
        |mut store: StoreContextMut<'_, State>, (folder, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let state = store.data_mut().called();
                let done = state.filesystem().unlink_file_at(folder, path.clone()).await;
                Ok((state.noticed(done, &path, true)?,))
            })
        },
    )?;
    files.func_wrap_async(
        "[method]descriptor.remove-directory-at",
        |mut store: StoreContextMut<'_, State>, (folder, path): (Resource<Descriptor>, String)| {
            Box::new(async move {
                let state = store.data_mut().called();
                let done = state.filesystem().remove_directory_at(folder, path.clone()).await;
                Ok((state.noticed(done, &path, true)?,))
            })
        },
    )?;
    Ok(())
}

type OpenAt = (Resource<Descriptor>, PathFlags, String, OpenFlags, DescriptorFlags);

async fn open_at(
    mut store: StoreContextMut<'_, State>,
    (folder, path_flags, path, open_flags, flags): OpenAt,
) -> wasmtime::Result<(Result<Resource<Descriptor>, FileError>,)> {
    let state = store.data_mut().called();
    let changes = flags.intersects(DescriptorFlags::WRITE | DescriptorFlags::MUTATE_DIRECTORY)
        || open_flags.intersects(OpenFlags::CREATE | OpenFlags::TRUNCATE);
    let opened = state.filesystem().open_at(folder, path_flags, path.clone(), open_flags, flags).await;
    Ok((state.noticed(opened, &path, changes)?,))
}

impl State {
    /// Records a refused access; the guest gets the error.
    fn noticed<T>(&mut self, done: FsResult<T>, path: &str, changes: bool) -> wasmtime::Result<Result<T, FileError>> {
        let error: FsError = match done {
            Ok(value) => return Ok(Ok(value)),
            Err(error) => error,
        };
        let code = error.downcast()?;
        // Also what a path that leads out of the folder gets, and a link out of it.
        if matches!(code, FileError::NotPermitted | FileError::ReadOnly) {
            let asked = if changes && !self.grants.can_write() { Asked::Write } else { Asked::Outside };
            self.denials.add(asked, path);
        }
        Ok(Err(code))
    }
}

impl cli::environment::Host for State {
    fn get_environment(&mut self) -> wasmtime::Result<Vec<(String, String)>> {
        if !self.grants.has_env() {
            self.denials.add(Asked::Env, "");
        }
        Ok(self.grants.env().to_vec())
    }

    fn get_arguments(&mut self) -> wasmtime::Result<Vec<String>> {
        Ok(Vec::new())
    }

    fn initial_cwd(&mut self) -> wasmtime::Result<Option<String>> {
        Ok(None)
    }
}

impl filesystem::preopens::Host for State {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        if !self.grants.has_folders() {
            self.denials.add(Asked::Files, "");
        }
        filesystem::preopens::Host::get_directories(&mut self.filesystem())
    }
}

/// The linker wants these beside the interfaces that use their errors; they are wasmtime's own.
impl sockets::network::Host for State {
    fn convert_error_code(&mut self, error: SocketError) -> wasmtime::Result<NetworkError> {
        sockets::network::Host::convert_error_code(&mut self.sockets(), error)
    }

    fn network_error_code(&mut self, error: Resource<wasmtime::Error>) -> wasmtime::Result<Option<NetworkError>> {
        sockets::network::Host::network_error_code(&mut self.sockets(), error)
    }
}

impl sockets::network::HostNetwork for State {
    fn drop(&mut self, network: Resource<Network>) -> wasmtime::Result<()> {
        sockets::network::HostNetwork::drop(&mut self.sockets(), network)
    }
}

impl tcp_create_socket::Host for State {
    fn create_tcp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<TcpSocket>> {
        self.denials.add(Asked::Sockets, "tcp");
        Err(NetworkError::AccessDenied.into())
    }
}

impl udp_create_socket::Host for State {
    async fn create_udp_socket(&mut self, _family: IpAddressFamily) -> SocketResult<Resource<UdpSocket>> {
        self.denials.add(Asked::Sockets, "udp");
        Err(NetworkError::AccessDenied.into())
    }
}

impl ip_name_lookup::Host for State {
    fn resolve_addresses(
        &mut self,
        _network: Resource<Network>,
        name: String,
    ) -> SocketResult<Resource<ip_name_lookup::ResolveAddressStream>> {
        self.denials.add(Asked::Sockets, &name);
        Err(NetworkError::AccessDenied.into())
    }
}

/// No such stream is ever made; the linker wants its functions all the same.
impl ip_name_lookup::HostResolveAddressStream for State {
    fn resolve_next_address(
        &mut self,
        stream: Resource<ip_name_lookup::ResolveAddressStream>,
    ) -> SocketResult<Option<IpAddress>> {
        self.sockets().resolve_next_address(stream)
    }

    fn subscribe(&mut self, stream: Resource<ip_name_lookup::ResolveAddressStream>) -> wasmtime::Result<Resource<DynPollable>> {
        ip_name_lookup::HostResolveAddressStream::subscribe(&mut self.sockets(), stream)
    }

    fn drop(&mut self, stream: Resource<ip_name_lookup::ResolveAddressStream>) -> wasmtime::Result<()> {
        ip_name_lookup::HostResolveAddressStream::drop(&mut self.sockets(), stream)
    }
}
