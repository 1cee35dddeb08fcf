//! Silence.

/// Fills interleaved values with silence.
pub fn fill(values: &mut [f32]) {
    values.fill(0.0);
}
