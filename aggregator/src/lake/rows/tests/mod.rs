//! Files are read back with the library's reader, which shares nothing with what wrote the columns of
//! texts, and compared with the rows that went in.

mod complete;
mod files;
mod merge;
mod order;
mod random;
mod read_back;
mod shape;
mod texts;
mod value;
