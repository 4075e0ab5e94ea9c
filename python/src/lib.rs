//! The Python interface of Isis.
