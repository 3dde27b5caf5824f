//! Sells seats when everybody comes at once.
