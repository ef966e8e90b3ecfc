//! Attention with its weights fixed.

use burn::tensor::Tensor;
use burn::tensor::activation::softmax;

use crate::connection::config::AttentionConfig;
use crate::connection::pool_indices::PoolIndices;
use crate::connection::term::Prepared;
use crate::fused::{Weights, operations};
use crate::gradients::OuterProduct;

/// [`Attention`](super::Attention) with its weights fixed, those of queries and keys side by side.
#[derive(Debug)]
pub struct PreparedAttention {
    /// `[W_q W_k]`, `[channels, 2 · heads · width]`.
    weights: Tensor<2>,
    /// `W_qᵀ` and `W_kᵀ` one above the other, `[2 · heads · width, channels]`.
    transposed: Tensor<2>,
    config: AttentionConfig,
    n_tokens: usize,
}

/// Queries and keys of a state, `[batch, heads, n_tokens, width]` both.
struct Asked {
    queries: Tensor<4>,
    keys: Tensor<4>,
    /// `b Q_q·K_k`, `[batch, heads, n_tokens, n_tokens]`.
    scores: Tensor<4>,
}

impl Asked {
    /// The keys that the queries collect, `Σ_k P_qk K_k`.
    fn by_queries(&self) -> Tensor<4> {
        self.probabilities().matmul(self.keys.clone())
    }

    /// The queries that the keys collect, `Σ_q P_qk Q_q`.
    fn by_keys(&self) -> Tensor<4> {
        let probabilities = self.probabilities().swap_dims(2, 3);
        probabilities.matmul(self.queries.clone())
    }

    /// Both side by side along the heads, `[batch, 2 · heads, n_tokens, width]`.
    fn by_both(&self) -> Tensor<4> {
        let probabilities = self.probabilities();
        let transposed = probabilities.clone().swap_dims(2, 3);
        let by_queries = probabilities.matmul(self.keys.clone());
        let by_keys = transposed.matmul(self.queries.clone());
        Tensor::cat(vec![by_queries, by_keys], 1)
    }

    fn probabilities(&self) -> Tensor<4> {
        softmax(self.scores.clone(), 3)
    }
}

impl PreparedAttention {
    pub fn new([query, key]: [Tensor<2>; 2], config: AttentionConfig, n_tokens: usize) -> Self {
        let weights = Tensor::cat(vec![query, key], 1);
        let [channels, n_columns] = weights.dims();
        // Reshaping makes it contiguous.
        let flat = weights.clone().transpose().reshape([channels * n_columns]);
        Self {
            transposed: flat.reshape([n_columns, channels]),
            weights,
            config,
            n_tokens,
        }
    }

    /// `scale · Σ_batch [∂L/∂[W_q W_k] (first) − … (second)]` with `L = −E_att`,
    /// `[channels, 2 · heads · width]`.
    ///
    /// With tokens `g` and collected keys and queries `A` this is the difference of two products
    /// `gᵀ A`, and each `A` is a product of probabilities with keys or queries. Either kind of product
    /// is formed from the differences `Δ` and sums `Σ` of the two states, as `½[ΔᵀΣ + ΣᵀΔ]`, so that
    /// close states lose no digits.
    pub fn contrast(&self, [first, second]: [&Tensor<2>; 2], scale: f64) -> Tensor<2> {
        let difference = self.tokens(first.clone() - second.clone());
        let sum = self.tokens(first.clone() + second.clone());
        let asked = [first, second].map(|state| self.asked(self.tokens(state.clone())));
        let [moved_queries, moved_keys] = self.queries_and_keys(difference.clone());
        let [queries, keys] = self.queries_and_keys(sum.clone());

        let between = |queries: &Tensor<4>, keys: &Tensor<4>| {
            queries.clone().matmul(keys.clone().swap_dims(2, 3))
        };
        let products = between(&moved_queries, &keys) + between(&queries, &moved_keys);
        let moved_scores = products * (0.5 * self.sharpness());
        let [first, second] = asked.each_ref().map(Asked::probabilities);
        let moved = moved_probabilities([&first, &second], moved_scores);
        let probabilities = first + second;

        let collected = |[p, moved_p]: [Tensor<4>; 2], [v, moved_v]: [Tensor<4>; 2]| {
            moved_p.matmul(v) + p.matmul(moved_v)
        };
        let transposed = |of: &Tensor<4>| of.clone().swap_dims(2, 3);
        let moved_back = [transposed(&probabilities), transposed(&moved)];
        // Twice the difference of what is collected.
        let moved = [
            collected([probabilities, moved], [keys, moved_keys]),
            collected(moved_back, [queries, moved_queries]),
        ];
        let moved = self.rows(Tensor::cat(moved.to_vec(), 1)) * (0.25 * scale);
        let [first, second] = asked.each_ref().map(Asked::by_both);
        let collected = self.rows(first + second) * (0.5 * scale);
        let before = Tensor::cat(vec![difference, sum], 0);
        let after = Tensor::cat(vec![collected, moved], 0);
        OuterProduct::new([before, after]).form()
    }

    /// The values of all channels at each position, `[batch · n_tokens, channels]`.
    fn tokens(&self, state: Tensor<2>) -> Tensor<2> {
        let [batch, n_units] = state.dims();
        let channels = n_units / self.n_tokens;
        let maps = state.reshape([batch, channels, self.n_tokens]);
        maps.swap_dims(1, 2)
            .reshape([batch * self.n_tokens, channels])
    }

    /// Queries and keys of all heads, `[batch, heads, n_tokens, width]` each.
    fn queries_and_keys(&self, tokens: Tensor<2>) -> [Tensor<4>; 2] {
        let AttentionConfig { heads, width } = self.config;
        let [rows, _] = tokens.dims();
        let both = operations::product_with_prepared(tokens, &self.weights);
        let both = both.reshape([rows / self.n_tokens, self.n_tokens, 2 * heads, width]);
        let both = both.swap_dims(1, 2);
        [0, heads].map(|start| both.clone().narrow(1, start, heads))
    }

    fn asked(&self, tokens: Tensor<2>) -> Asked {
        let [queries, keys] = self.queries_and_keys(tokens);
        let products = queries.clone().matmul(keys.clone().swap_dims(2, 3));
        Asked {
            scores: products * self.sharpness(),
            queries,
            keys,
        }
    }

    /// One row for each token: `[batch, n, n_tokens, width]` to `[batch · n_tokens, n · width]`.
    fn rows(&self, collected: Tensor<4>) -> Tensor<2> {
        let [batch, n, n_tokens, width] = collected.dims();
        collected
            .swap_dims(1, 2)
            .reshape([batch * n_tokens, n * width])
    }

    /// Sends collected keys and queries back through rows of `[W_qᵀ; W_kᵀ]`, as the drive of the units.
    fn send(&self, collected: Tensor<4>, transposed: &Tensor<2>) -> Tensor<2> {
        let [batch, ..] = collected.dims();
        let [_, channels] = transposed.dims();
        let tokens = operations::product_with_prepared(self.rows(collected), transposed);
        let maps = tokens
            .reshape([batch, self.n_tokens, channels])
            .swap_dims(1, 2);
        maps.reshape([batch, channels * self.n_tokens])
    }

    /// `b`.
    fn sharpness(&self) -> f64 {
        (self.config.width as f64).sqrt().recip()
    }
}

/// `P_1 − P_2` of two softmaxes whose scores differ by `x`: without a difference of close numbers,
///
/// ```text
/// P_1 − P_2 = (P_1 + P_2) tanh ½[x − log Σ_k P_2k e^{x_k}]
/// ```
///
/// The logarithm is the mean `m` of `x` under `P_2`, plus the contribution of the mean of `e^{x − m}`. If a
/// score of a query moved far, the differences that matter are no longer of close numbers, and the exponential
/// may overflow.
fn moved_probabilities([first, second]: [&Tensor<4>; 2], x: Tensor<4>) -> Tensor<4> {
    const FAR: f64 = 1.0;

    let mean = |of: Tensor<4>| (second.clone() * of).sum_dim(3);
    let x = x.clone() - mean(x);
    let moved_far = x.clone().abs().max_dim(3).greater_elem(FAR);
    let moved_far = moved_far.expand(x.dims());
    // e^x − 1 to the last digit.
    let grown = (x.clone().exp() + 1.0) * (x.clone() * 0.5).tanh();
    let logarithm = mean(grown).log1p();
    let near = (first.clone() + second.clone()) * ((x - logarithm) * 0.5).tanh();
    near.mask_where(moved_far, first.clone() - second.clone())
}

impl Prepared for PreparedAttention {
    /// The drive of the tokens as queries: `Σ_heads (Σ_k P_ck K_k) W_qᵀ`.
    fn forward(&self, pre: Tensor<2>) -> Tensor<2> {
        let n_columns = self.config.n_columns();
        let collected = self.asked(self.tokens(pre)).by_queries();
        self.send(collected, &self.transposed.clone().narrow(0, 0, n_columns))
    }

    /// The drive of the tokens as keys: `Σ_heads (Σ_q P_qc Q_q) W_kᵀ`.
    fn backward(&self, post: Tensor<2>, _indices: &PoolIndices) -> Tensor<2> {
        let n_columns = self.config.n_columns();
        let collected = self.asked(self.tokens(post)).by_keys();
        let transposed = self.transposed.clone();
        self.send(collected, &transposed.narrow(0, n_columns, n_columns))
    }

    /// The sum of both drives.
    fn within(&self, state: &Tensor<2>) -> Tensor<2> {
        let asked = self.asked(self.tokens(state.clone()));
        self.send(asked.by_both(), &self.transposed)
    }

    /// `−1/b Σ_heads Σ_q log Σ_k exp(b Q_q·K_k)`
    fn energy(&self, pre: &Tensor<2>, _post: &Tensor<2>) -> Tensor<1> {
        let [batch, _] = pre.dims();
        let scores = self.asked(self.tokens(pre.clone())).scores;
        // Without the largest the exponentials cannot overflow.
        let largest = scores.clone().max_dim(3);
        let sums = (scores - largest.clone()).exp().sum_dim(3).log() + largest;
        let per_example = sums.reshape([batch as i32, -1]).sum_dim(1);
        per_example.squeeze_dim::<1>(1) * -self.sharpness().recip()
    }

    /// None that fast code knows.
    fn weights(&self) -> Option<Weights<'_>> {
        None
    }
}

#[cfg(all(test, feature = "flex"))]
mod tests;
