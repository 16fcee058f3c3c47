// The menu: every differentiable op, one line each.
//
// Shapes: N tokens, C channels, H heads, D head size, V vocabulary, B sequences. Ops accept any
// strides, f32 or f64, and raise Error with their name when shapes do not fit.
#pragma once
#include <vector>

#include "tensor/activation.h"
#include "tensor/philox.h"
#include "tensor/tensor.h"

namespace ink {

class PackedMatrix;  // tensor/gemm.h: a weight matrix laid out for the kernels

// ── arithmetic (ops/arithmetic.cpp), with NumPy's broadcasting ──────────────────────────────────
Tensor add(const Tensor& a, const Tensor& b);
Tensor subtract(const Tensor& a, const Tensor& b);
Tensor multiply(const Tensor& a, const Tensor& b);
Tensor divide(const Tensor& a, const Tensor& b);
Tensor scale(const Tensor& x, double factor);  // factor · x
Tensor shift(const Tensor& x, double term);    // x + term

// ── elementwise functions (ops/elementwise.cpp, ops/activation.cpp) ─────────────────────────────
Tensor exp(const Tensor& x);
Tensor log(const Tensor& x);
Tensor sqrt(const Tensor& x);
Tensor square(const Tensor& x);
Tensor absolute(const Tensor& x);   // gradient 0 at 0
Tensor relu(const Tensor& x);       // gradient 0 at 0
Tensor gelu(const Tensor& x);       // x·Φ(x), exact (Hendrycks & Gimpel 2016)
Tensor gelu_tanh(const Tensor& x);  // ½x(1 + tanh(√(2/π)(x + 0.044715x³))), Google BERT's form
Tensor tanh(const Tensor& x);
Tensor sigmoid(const Tensor& x);
Tensor activate(const Tensor& x, Activation f);

// ── reductions (ops/reduction.cpp) ──────────────────────────────────────────────────────────────
Tensor sum(const Tensor& x);   // ()
Tensor mean(const Tensor& x);  // (); of an empty tensor it is an Error
Tensor sum(const Tensor& x, int axis, bool keep = false);
Tensor mean(const Tensor& x, int axis, bool keep = false);
Tensor maximum(const Tensor& x, int axis, bool keep = false);  // gradient to the first largest
Tensor argmax(const Tensor& x);  // over the last axis, i32; not differentiable

// ── shape (ops/shape_ops.cpp) ───────────────────────────────────────────────────────────────────
Tensor reshape(const Tensor& x, Shape shape);             // one extent may be -1
Tensor transpose(const Tensor& x, int axis1, int axis2);  // a view
Tensor slice(const Tensor& x, int axis, int64_t begin, int64_t end, int64_t step = 1);  // a view
Tensor expand(const Tensor& x, Shape shape);  // stretches extents of 1, a view
Tensor concat(const std::vector<Tensor>& parts, int axis);
Tensor gather_rows(const Tensor& x, const Tensor& rows);  // (R…, …) of x (N, …), rows i32 (R…)
Tensor cast(const Tensor& x, Dtype dtype);  // f32 ↔ f64; on cuda f32, f16, bf16; differentiable

// ── products (ops/matmul.cpp, ops/linear.cpp) ───────────────────────────────────────────────────
// (…, M, K) × (…, K, N) → (…, M, N); leading axes broadcast; transposed operands are read in place.
Tensor matmul(const Tensor& a, const Tensor& b, bool transpose_a = false, bool transpose_b = false);
// f(x Wᵀ + b): x (…, K), W (N, K), b (N) or undefined.
// `packed` is W laid out beforehand (inference); it must be current.
Tensor linear(const Tensor& x, const Tensor& weight, const Tensor& bias,
              Activation f = Activation::none, const PackedMatrix* packed = nullptr);

// ── normalization and regularization ────────────────────────────────────────────────────────────
Tensor softmax(const Tensor& x);  // over the last axis
Tensor log_softmax(const Tensor& x);
Tensor layer_norm(const Tensor& x, const Tensor& gamma, const Tensor& beta, double epsilon = 1e-12);
// layer_norm(x + residual), fused
Tensor residual_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                           const Tensor& beta, double epsilon = 1e-12);
// layer_norm(dropout(x) + residual), fused
Tensor dropout_residual_layer_norm(const Tensor& x, const Tensor& residual, const Tensor& gamma,
                                   const Tensor& beta, double p, const Random& random,
                                   double epsilon = 1e-12);
// x·m/(1-p), m Bernoulli(1-p) from (random, element); p = 0 returns x
Tensor dropout(const Tensor& x, double p, const Random& random);

// ── transformer parts ───────────────────────────────────────────────────────────────────────────
// Rows of table (V, C) at ids i32 (N…) → (N…, C). Raises Error naming the first id outside [0, V).
Tensor embedding(const Tensor& table, const Tensor& ids);
// Self-attention inside each sequence of a packed batch: q, k, v (N, H·D); sequence b is rows
// offsets[b]..offsets[b+1] of offsets i32 (B+1). softmax(q kᵀ·scale) v for every head; scale 0
// means 1/√D. (Vaswani et al. 2017, eq. 1)
struct AttentionOptions {
  int64_t heads = 1;
  double scale = 0;
  double dropout = 0;              // of the probabilities
  const Random* random = nullptr;  // required when dropout > 0
};
Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets,
                 const AttentionOptions& options);
// The same of q, k and v side by side: (N, 3·H·D) → (N, H·D)
Tensor joined_attention(const Tensor& qkv, const Tensor& offsets, const AttentionOptions& options);
// after ⊙ f(before ⊙ x): x (N, C) of a packed batch, factors (B, C) for each channel of each
// sequence; an undefined one is 1. offsets i32 (B+1)
Tensor gate(const Tensor& x, const Tensor& before, const Tensor& after, const Tensor& offsets,
            Activation f = Activation::none);

// One direction of a gated recurrent unit inside each sequence of a packed batch, as PyTorch's GRU:
// x (N, 3H) is W_x x + b_x of every token, with the gates r, z, n side by side; weight (3H, H) and
// bias (3H) are those of the state; offsets as above → states (N, H). `reverse`: from the last
// token of each sequence to its first. (Cho et al. 2014)
Tensor gru(const Tensor& x, const Tensor& weight, const Tensor& bias, const Tensor& offsets,
           bool reverse = false);

// ── losses: scalars, means over the counted rows ────────────────────────────────────────────────
inline constexpr int32_t kIgnore = -100;  // label of a row that does not count
// −log softmax(logits)[label], mean over rows with label ≠ kIgnore (0 when there is none).
// logits (N, V), labels i32 (N)
Tensor cross_entropy(const Tensor& logits, const Tensor& labels);
// −Σ p·log softmax(logits), mean over rows. Probabilities p ≥ 0 (N, V) are constants.
Tensor soft_cross_entropy(const Tensor& logits, const Tensor& probabilities);
// Σ p·(log p − log softmax(logits)), mean over rows (Hinton et al. 2015).
// Probabilities p ≥ 0 (N, V) are constants.
Tensor kl_divergence(const Tensor& logits, const Tensor& probabilities);
Tensor mse_loss(const Tensor& x, const Tensor& y);     // mean of (x − y)²
Tensor cosine_loss(const Tensor& x, const Tensor& y);  // mean over rows (…, C) of 1 − cos(x, y)
// −t·log σ(logits) − (1 − t)·log σ(−logits), mean; targets t in [0, 1] are constants.
Tensor binary_cross_entropy(const Tensor& logits, const Tensor& targets);
// cross_entropy(x Wᵀ + b, labels) without keeping the logits twice: the masked-LM head.
// x (M, C), W (V, C), b (V)
Tensor linear_cross_entropy(const Tensor& x, const Tensor& weight, const Tensor& bias,
                            const Tensor& labels);

}  // namespace ink
