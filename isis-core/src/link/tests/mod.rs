mod network;
mod pair;
mod sessions;
