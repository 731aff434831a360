//! placeholder
pub struct LocalStore;
