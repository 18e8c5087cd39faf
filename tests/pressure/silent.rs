//! Thousands who say nothing, or are cut off in their first words, and come again: what they took is given back.

use std::io::{ErrorKind, Write};
use std::net::TcpStream;
use std::sync::Arc;

use crate::campus::{Campus, LONG};
use crate::class::Class;
use crate::crowd::{as_many_as_allowed, gather};
use crate::limits::set_limits;
use crate::process::{count, descriptors, resident, until};

/// What an idle TLS connection may take of a server's memory, in KiB: 28 are its state and buffers.
const EACH: u64 = 64;
/// What a server may have more with the third crowd than with the first, in KiB: a connection of the
/// database has caches of 2 MiB, and each of 1,000 that stayed would take 28.
const GROWTH: u64 = 12 * 1024;
/// Descriptors that come and go with the database's connections.
const SOME: usize = 12;
/// How long a handshake may take, in seconds: enough for one of sixteen at once on a busy machine.
const HANDSHAKE: f64 = 6.0;
/// The first bytes of a ClientHello, which never ends.
const TORN: [u8; 9] = [0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn crowds_that_say_nothing_or_are_cut_leave_neither_memory_nor_descriptors() {
    // Of which a half has TLS, and each holds one end to either server.
    let idle = as_many_as_allowed(count("SCB_IDLE", 2000)) / 2;
    let mut campus = Campus::sandbox();
    for name in ["cuhk", "blackboard"] {
        let patience = [
            ("handshake", HANDSHAKE),
            ("message", 600.0),
            ("idle", 600.0),
        ];
        set_limits(&campus.path().join(name), &patience);
    }
    campus.cuhk.stop();
    campus.start_cuhk_again();
    campus.restart_blackboard();
    let class = Arc::new(Class::of(&campus, 2));
    let first = Arc::new(class.enrol(class.next(1)).await.unwrap().remove(0));
    let servers = || [&campus.cuhk, &campus.blackboard];
    let before = servers().map(|server| (descriptors(server), resident(server)));

    let mut of_first = None;
    for round in 1..=3 {
        let crowd = gather(&class, &first, idle).await;
        let torn: Vec<_> = (0..idle)
            .flat_map(|_| [&class.cuhk, &class.blackboard].map(TcpStream::connect))
            .filter_map(Result::ok)
            .enumerate()
            .map(|(nth, mut stream)| {
                if nth % 4 > 1 {
                    let _ = stream.write_all(&TORN);
                }
                stream
            })
            .collect();
        let full = servers().map(resident);
        for (server, (_, empty)) in servers().into_iter().zip(before) {
            let each = resident(server).saturating_sub(empty) / (2 * idle as u64);
            assert!(each < EACH, "round {round}: {each} KiB for each");
        }
        // Who does not come to an end of his first words is sent away, though he keeps his end open; who is in
        // stays, and says nothing.
        until("those who were cut are sent away", LONG, || {
            torn.iter().all(is_sent_away)
        });
        for (server, (files, _)) in servers().into_iter().zip(before) {
            until("of these nothing stays open", LONG, || {
                descriptors(server) <= files + idle + SOME
            });
            let open = descriptors(server);
            assert!(
                open + SOME >= files + idle,
                "round {round}: {open} are open, {files} before {idle} came"
            );
        }
        drop((crowd, torn));
        for (server, (files, _)) in servers().into_iter().zip(before) {
            until("their descriptors return", LONG, || {
                descriptors(server) <= files + SOME
            });
        }
        let left = servers().map(resident);
        println!("round {round}, {idle} silent and {idle} cut: {full:?} KiB, then {left:?} KiB");
        // When what is free goes back to the system is the allocator's business: what counts is that the
        // next crowd needs no more.
        let least = *of_first.get_or_insert(full);
        for (full, least) in full.into_iter().zip(least) {
            assert!(
                full <= least + GROWTH,
                "round {round}: {full} KiB, {least} at first"
            );
        }
    }
    class.enrol(class.next(1)).await.unwrap();
}

/// Whether the server has ended this connection, by a word or without.
fn is_sent_away(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).unwrap();
    let met = stream.peek(&mut [0]);
    !met.is_err_and(|error| error.kind() == ErrorKind::WouldBlock)
}
