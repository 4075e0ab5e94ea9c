mod network;
mod sessions;
