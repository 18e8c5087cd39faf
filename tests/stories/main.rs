//! Stories with the real binaries: what people do, step by step, and what they see.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    missing_docs,
    unreachable_pub
)]

#[path = "../campus/mod.rs"]
mod campus;

mod acknowledged;
mod administration;
mod altered_rules;
mod archive;
mod assignments;
mod at_once;
mod audit;
mod backup;
mod brought_forward;
mod careless_cuhk;
mod ceremonies;
mod certificates;
mod changed_passphrases;
mod compared;
mod cosign;
mod cross_roots;
mod crowd;
mod damage;
mod detaching;
mod devices;
mod doctor;
mod documents;
mod eight;
mod ending;
mod environment;
mod est;
mod everybody;
mod exchanged;
mod extensions;
mod faults;
mod faults_blackboard;
mod faults_cuhk;
mod fsck;
mod grace;
mod grades;
mod handouts;
mod interactive;
mod introspection;
mod key_sets;
mod keys;
mod leaving;
mod lint;
mod listings;
mod load;
mod losses;
mod main_job;
mod measured;
mod mistakes;
mod monitoring;
mod near_end;
mod not_counting;
mod of_one;
mod operations;
mod operators;
mod outage;
mod outside_witness;
mod outsiders;
mod ownership;
mod packaging;
mod passphrases;
mod pruning;
mod publication;
mod put_back;
mod pythons;
mod reading;
mod readme;
mod refusals;
mod rejections;
mod renewal;
mod restored_codes;
mod revocation;
mod rollover;
mod roster;
mod script;
mod secrets;
mod separation;
mod servers;
mod several_files;
mod suspension;
mod systemd;
mod teacher;
mod teaching;
mod uncertified;
mod unread;
mod untouched;
mod waiting;
mod withdrawal;
mod witness;
mod years;
