//! What light did to the picture, measured and undone.
