//! Followers.
