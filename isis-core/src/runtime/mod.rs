//! Threads, sockets and handles: the protocols at work in a program.
