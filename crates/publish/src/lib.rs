//! Floor 2, our own records at the servers that hold them: every authoritative server is asked,
//! and zones are changed by DNS UPDATE (RFC 2136, RFC 8945).
