//! A TLSA record, as DNS has it (RFC 6698 §2.1). What it promises is the rules' to say.

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tlsa {
    pub usage: u8,
    pub selector: u8,
    pub matching: u8,
    pub data: Vec<u8>,
}
