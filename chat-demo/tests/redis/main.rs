//! Several servers that share their rooms over Redis, with real sockets.

mod api;
mod away;
mod epochs;
mod growth;
mod keys;
mod links;
mod load;
mod members;
mod node;
mod proxy;
mod redis;
mod rights;
mod rooms;
mod searches;
mod sessions;
mod swarm;
mod topologies;
mod typing;
