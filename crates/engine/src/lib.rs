//! Floor 4, the works. (Being put together: the other modules are wired as floor 3 appears.)

pub mod door;
