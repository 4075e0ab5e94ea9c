//! The C interface of Isis.
