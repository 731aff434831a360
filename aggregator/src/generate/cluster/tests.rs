//! A cluster that is made up holds what a real one does.
