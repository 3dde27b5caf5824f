//! Everything that is tested from outside, in one binary: real Redis, real MariaDB, the real command.

mod config;
