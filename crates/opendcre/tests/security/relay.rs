//! A relay in front of a service, which can fall silent as if the service hung, and goes away with its value.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

pub(crate) struct Relay {
    address: SocketAddr,
    silent: Arc<AtomicBool>,
    ended: Arc<AtomicBool>,
    listening: Option<JoinHandle<()>>,
}

impl Relay {
    /// Passes on what comes to the address of a service, at a port of its own.
    pub(crate) fn to(service: SocketAddr) -> Self {
        let listener = TcpListener::bind((service.ip(), 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let (silent, ended) = (Arc::<AtomicBool>::default(), Arc::<AtomicBool>::default());
        let flags = (Arc::clone(&silent), Arc::clone(&ended));
        let listening = thread::spawn(move || serve(&listener, service, &flags.0, &flags.1));
        Self { address, silent, ended, listening: Some(listening) }
    }

    pub(crate) fn port(&self) -> u16 {
        self.address.port()
    }

    /// From now on everything is taken, and nothing comes back.
    pub(crate) fn fall_silent(&self) {
        self.silent.store(true, Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        // Wakes it up, so that it sees that it is over.
        drop(TcpStream::connect(self.address));
        self.listening.take().unwrap().join().unwrap();
    }
}

fn serve(listener: &TcpListener, service: SocketAddr, silent: &Arc<AtomicBool>, ended: &AtomicBool) {
    for client in listener.incoming().map(Result::unwrap) {
        if ended.load(Ordering::Relaxed) {
            return;
        }
        let server = TcpStream::connect(service).unwrap();
        pass_on(client.try_clone().unwrap(), server.try_clone().unwrap(), Arc::clone(silent));
        pass_on(server, client, Arc::clone(silent));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, silent: Arc<AtomicBool>) {
    thread::spawn(move || {
        let mut buffer = [0; 4096];
        // Either side may go away at any time.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            if !silent.load(Ordering::Relaxed) && to.write_all(&buffer[..length]).is_err() {
                break;
            }
        }
        to.shutdown(Shutdown::Write).ok();
    });
}
