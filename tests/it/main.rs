//! Hookgate's promises, kept on real servers: one file per promise, `support` starts what they need.

mod support;

mod architecture;
mod chart;
mod control_capture;
mod control_folder;
mod control_lease;
mod control_live;
mod control_outage;
mod control_world;
mod crds_cases;
mod crds_examples;
mod crds_files;
mod crds_live;
mod deliver_ack;
mod deliver_login;
mod deliver_outage;
mod deliver_parts;
mod deliver_streams;
mod mapping_voice;
mod fetched_keys;
mod operator_line;
mod platform_handshakes;
mod receive_admin;
mod receive_framing;
mod receive_line;
mod receive_listen;
mod receive_port;
mod receive_wire;
mod servers;
mod vectors;
