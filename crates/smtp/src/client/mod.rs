//! The client's side of a conversation.
