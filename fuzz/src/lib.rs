//! The fuzz targets of the house; see README.md beside this folder.

pub mod targets;
