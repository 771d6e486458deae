//! A whole set, from files to figures.
