//! Feature maps with the channels last.

/// The order of a layer's units in memory: feature maps are stored with the channels last.
#[derive(Debug, Clone, Copy)]
pub struct ChannelsLast {
    channels: usize,
    pixels: usize,
}

impl ChannelsLast {
    /// Feature maps with `channels` channels of `pixels` pixels; other layers have one channel.
    pub fn new(channels: usize, pixels: usize) -> Self {
        Self { channels, pixels }
    }

    /// Whether this is also the tensor order.
    pub fn is_plain(self) -> bool {
        self.channels == 1 || self.pixels == 1
    }

    /// The index in tensor order of the unit at `index` with the channels last.
    pub fn place(self, index: usize) -> usize {
        index % self.channels * self.pixels + index / self.channels
    }

    /// Reorders examples from tensor order to channels last.
    pub fn reorder(self, examples: &[f32]) -> Vec<f32> {
        let mut out = examples.to_vec();
        if !self.is_plain() {
            let n = self.channels * self.pixels;
            let pairs = examples.chunks_exact(n).zip(out.chunks_exact_mut(n));
            for (example, out) in pairs {
                for (index, value) in out.iter_mut().enumerate() {
                    *value = example[self.place(index)];
                }
            }
        }
        out
    }

    /// Reorders examples from channels last to tensor order.
    pub fn restore(self, examples: &[f32], out: &mut [f32]) {
        if self.is_plain() {
            out.copy_from_slice(examples);
            return;
        }
        let n = self.channels * self.pixels;
        for (example, out) in examples.chunks_exact(n).zip(out.chunks_exact_mut(n)) {
            for (index, &value) in example.iter().enumerate() {
                out[self.place(index)] = value;
            }
        }
    }
}
