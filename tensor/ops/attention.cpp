// out = drop(softmax(q kᵀ·scale)) v for each head of each sequence (Vaswani et al. 2017, eq. 1)
//
// A batch is packed: sequence b is the rows offsets[b] to offsets[b + 1], and there is no padding
// and no mask. The kernel (tensor/attention_kernel.h) never stores a T × T matrix; reference()
// below is what it computes.
#include "tensor/attention_kernel.h"

#include <cmath>

#include "tensor/expect.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#if INK_CUDA
#include "cuda/attention.h"
#endif

namespace ink {
namespace {

// ── the kernels of each device ──────────────────────────────────────────────────────────────────
// `rows`: of the matrices. log_sum is null when no backward follows.

template <class T>
void attention_forward(Cpu, const AttentionInput<T>& in, int64_t, Rows<T> out, T* log_sum) {
  ink::attention_forward(in, out, log_sum);
}

template <class T>
void attention_backward(Cpu, const AttentionInput<T>& in, int64_t, Rows<const T> out,
                        const T* log_sum, Rows<const T> dout, Rows<T> dq, Rows<T> dk, Rows<T> dv) {
  ink::attention_backward(in, out, log_sum, dout, dq, dk, dv);
}

#if INK_CUDA
template <class T>
void attention_forward(Cuda, const AttentionInput<T>& in, int64_t rows, Rows<T> out,
                       float* log_sum) {
  cuda::attention_forward(in, rows, out, log_sum);
}

template <class T>
void attention_backward(Cuda, const AttentionInput<T>& in, int64_t rows, Rows<const T> out,
                        const float* log_sum, Rows<const T> dout, Rows<T> dq, Rows<T> dk,
                        Rows<T> dv) {
  cuda::attention_backward(in, rows, out, log_sum, dout, dq, dk, dv);
}
#endif

// ── the op ──────────────────────────────────────────────────────────────────────────────────────

// x itself when its rows are arrays, however far apart, as in a slice of q, k and v side by side.
// Else a copy; also on the CUDA device when only in a copy every row starts at 16 bytes.
Tensor with_dense_rows(const Tensor& x) {
  const auto aligned = [&](int64_t elements) {
    return elements * static_cast<int64_t>(size_of(x.dtype())) % 16 == 0;
  };
  const bool dense = x.strides()[1] == 1 && x.strides()[0] >= x.dim(1);
  const bool copy_helps = x.device() == Device::cuda && aligned(x.dim(1)) &&
                          !(aligned(x.offset()) && aligned(x.strides()[0]));
  return dense && !copy_helps ? x : clone(x);
}

template <class T>
Rows<const T> dense_rows(const Tensor& x) {
  return {x.data<T>(), x.strides()[0]};
}
// Null for an undefined tensor.
template <class T>
Rows<T> dense_rows(Tensor& x) {
  if (!x) return {};
  return {x.data<T>(), x.strides()[0]};
}

void check_offsets(const char* name, const Tensor& offsets, int64_t rows) {
  const Tensor packed = contiguous(offsets);
  const int32_t *offset = packed.data<int32_t>(), B = static_cast<int32_t>(offsets.size() - 1);
  check(offset[0] == 0 && offset[B] == rows, "", name, ": offsets should go from 0 to the ", rows,
        " rows of q, got ", offset[0], " to ", offset[B]);
  for (int32_t b = 0; b < B; ++b) {
    check(offset[b] <= offset[b + 1], "", name, ": offsets should not decrease, got ", offset[b],
          " before ", offset[b + 1], " at ", b);
  }
}

void check_arguments(const char* name, const Tensor& q, const Tensor& k, const Tensor& v,
                     const Tensor& offsets, const AttentionOptions& o) {
  expect_rank(name, "q", q, 2);
  expect(name, "k", k, q.dtype(), q.shape());
  expect(name, "v", v, q.dtype(), q.shape());
  check(o.heads >= 1 && q.dim(1) % o.heads == 0, "", name, ": ", q.dim(1),
        " channels do not divide into ", o.heads, " heads");
  check(o.dropout >= 0 && o.dropout < 1, "", name, ": dropout should be in [0, 1), got ",
        o.dropout);
  check(o.dropout == 0 || o.random, "", name, ": dropout needs a source of random numbers");
  expect_rank(name, "offsets", offsets, 1);
  expect(name, "offsets", offsets, Dtype::i32, offsets.shape());
  check(offsets.size() >= 1, "", name, ": offsets should hold at least the number 0, got none");
  if (offsets.device() == Device::cpu) check_offsets(name, offsets, q.dim(0));
}

struct Attention {
  static constexpr const char* name = "attention";
  struct Saved {
    Tensor q, k, v, offsets, out, log_sum;  // log_sum (N, H): log Σ exp of each row of scores
    AttentionOptions options;
    Random random{0};
  };

  static double scale_of(const AttentionOptions& o, int64_t head_size) {
    return o.scale != 0 ? o.scale : 1 / std::sqrt(static_cast<double>(head_size));
  }

  template <class T>
  static AttentionInput<T> input(const Tensor& q, const Tensor& k, const Tensor& v,
                                 const Tensor& offsets, const AttentionOptions& o,
                                 const Random& random) {
    const int64_t head_size = q.dim(1) / o.heads;
    return {.q = dense_rows<T>(q),
            .k = dense_rows<T>(k),
            .v = dense_rows<T>(v),
            .offsets = {offsets.data<int32_t>(), static_cast<size_t>(offsets.size())},
            .heads = o.heads,
            .head_size = head_size,
            .scale = scale_of(o, head_size),
            .dropout = o.dropout,
            .random = random};
  }

  static Tensor forward(Saved* saved, const Tensor& q, const Tensor& k, const Tensor& v,
                        const Tensor& offsets, const AttentionOptions& options) {
    check_arguments(name, q, k, v, offsets, options);
    return attend(name, saved, q, k, v, offsets, options);
  }

  static Tensor attend(const char* op, Saved* saved, const Tensor& q_, const Tensor& k_,
                       const Tensor& v_, const Tensor& offsets_, const AttentionOptions& options) {
    const Tensor q = with_dense_rows(q_), k = with_dense_rows(k_), v = with_dense_rows(v_);
    const Tensor offsets = index_on(q.device(), contiguous(offsets_));
    const Random random = options.random ? *options.random : Random(0);
    Tensor out(q.shape(), q.dtype(), q.device()), log_sum;
    if (saved) log_sum = Tensor({q.dim(0), options.heads}, wide(q.dtype()), q.device());
    on(op, q, [&](auto device, auto t) {
      using T = decltype(t);
      if (out.size() == 0) return;
      attention_forward(device, input<T>(q, k, v, offsets, options, random), q.dim(0),
                        dense_rows<T>(out), saved ? log_sum.data<Wide<T>>() : nullptr);
    });
    if (saved) *saved = {q, k, v, offsets, out, log_sum, options, random};
    return out;
  }

  // Writes those of dq, dk and dv that are defined.
  static void differentiate(const Saved& s, const Tensor& dy, Tensor& dq, Tensor& dk, Tensor& dv) {
    const Tensor dout = with_dense_rows(dy);
    on(name, dy, [&](auto device, auto t) {
      using T = decltype(t);
      if (dy.size() == 0) return;
      attention_backward(device, input<T>(s.q, s.k, s.v, s.offsets, s.options, s.random), dy.dim(0),
                         dense_rows<T>(s.out), s.log_sum.data<Wide<T>>(), dense_rows<T>(dout),
                         dense_rows<T>(dq), dense_rows<T>(dk), dense_rows<T>(dv));
    });
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted wanted) {
    Tensor dq, dk, dv;
    if (wanted[0]) dq = empty_like(dy);
    if (wanted[1]) dk = empty_like(dy);
    if (wanted[2]) dv = empty_like(dy);
    differentiate(s, dy, dq, dk, dv);
    return {dq, dk, dv, Tensor()};
  }

  // The factors 0 or 1/(1 − p) of one head, as attention_kernel.h defines them. (T, T)
  static Tensor mask(int64_t first_row, int64_t T, int64_t head, const AttentionOptions& o,
                     Dtype dtype) {
    const DropoutRule rule(o.dropout);
    Tensor factors({T, T}, Dtype::f64);
    for (int64_t i = 0; i < T; ++i) {
      const uint64_t first =
          DropoutRule::kInBlock * first_dropout_block(first_row + i, o.heads, head);
      for (int64_t j = 0; j < T; ++j) {
        const bool kept = o.random->half(first + static_cast<uint64_t>(j)) >= rule.threshold;
        factors.data<double>()[i * T + j] = kept ? rule.kept : 0;
      }
    }
    return converted(factors, dtype);
  }

  static Tensor reference(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets_,
                          const AttentionOptions& o) {
    check_arguments(name, q, k, v, offsets_, o);
    const Tensor offsets = contiguous(offsets_);
    const int64_t D = q.dim(1) / o.heads;
    std::vector<Tensor> sequences;
    for (int64_t b = 0; b + 1 < offsets.size(); ++b) {
      const int64_t begin = offsets.data<int32_t>()[b], end = offsets.data<int32_t>()[b + 1];
      if (begin == end) continue;
      std::vector<Tensor> heads;
      for (int64_t h = 0; h < o.heads; ++h) {
        const auto part = [&](const Tensor& x) {
          return slice(slice(x, 0, begin, end), 1, h * D, (h + 1) * D);
        };
        Tensor p = softmax(scale(matmul(part(q), part(k), false, true), scale_of(o, D)));
        if (o.dropout > 0) p = multiply(p, mask(begin, end - begin, h, o, q.dtype()));
        heads.push_back(matmul(p, part(v)));
      }
      sequences.push_back(concat(heads, 1));
    }
    return sequences.empty() ? zeros(q.shape(), q.dtype()) : concat(sequences, 0);
  }

  static std::vector<Sample> samples() {
    static const Random random(5);
    std::vector<Sample> all;
    const auto sample = [&](const char* label, std::vector<int32_t> offsets, int64_t channels,
                            AttentionOptions options) {
      const Shape shape{offsets.back(), channels};
      double flops = 0;
      for (size_t b = 1; b < offsets.size(); ++b) {
        const double length = offsets[b] - offsets[b - 1];
        flops += 4 * length * length * static_cast<double>(channels);
      }
      all.push_back(
          {.label = label,
           .in = {randn(shape, 1), randn(shape, 2), randn(shape, 3), from(offsets)},
           .call = [options](auto in) { return attention(in[0], in[1], in[2], in[3], options); },
           .forward = {.flops = flops},
           .backward = {2.5 * flops, 8 * static_cast<double>(shape.size())}});
    };
    sample("one sequence", {0, 5}, 4, {.heads = 2});
    sample("lengths 2 0 3 1", {0, 2, 2, 5, 6}, 6, {.heads = 3});
    sample("one token", {0, 1}, 3, {});
    sample("head size 1", {0, 4}, 2, {.heads = 2});
    sample("no tokens", {0, 0}, 4, {.heads = 2});
    sample("no channels", {0, 3}, 0, {});
    sample("own scale", {0, 3, 7}, 5, {.scale = 0.3});
    sample("dropout", {0, 3, 9}, 4, {.heads = 2, .dropout = 0.4, .random = &random});
    sample("lengths 51 17", {0, 51, 68}, 3, {});
    sample("8x128, 12 heads", {0, 128, 256, 384, 512, 640, 768, 896, 1024}, 768, {.heads = 12});
    all.back().bench = true;
    sample("8x128, 12 heads, dropout", {0, 128, 256, 384, 512, 640, 768, 896, 1024}, 768,
           {.heads = 12, .dropout = 0.1, .random = &random});
    all.back().bench = true;
    return all;
  }
};

// The same with q, k and v side by side in one matrix, and so are their gradients.
struct JoinedAttention {
  static constexpr const char* name = "joined_attention";
  using Saved = Attention::Saved;

  static Tensor third(const Tensor& joined, int64_t i) {
    const int64_t C = joined.dim(1) / 3;
    return view(joined, {joined.dim(0), C}, joined.strides(),
                joined.offset() + i * C * joined.strides()[1]);
  }

  static Tensor forward(Saved* saved, const Tensor& joined, const Tensor& offsets,
                        const AttentionOptions& options) {
    expect_rank(name, "q, k and v", joined, 2);
    check(joined.dim(1) % 3 == 0, "joined_attention: q, k and v should be equally wide, got ",
          joined.dim(1), " columns in all");
    const Tensor q = third(joined, 0), k = third(joined, 1), v = third(joined, 2);
    check_arguments(name, q, k, v, offsets, options);
    return Attention::attend(name, saved, q, k, v, offsets, options);
  }

  static Grads backward(const Saved& s, const Tensor& dy, Wanted) {
    const Tensor joined({dy.dim(0), 3 * dy.dim(1)}, dy.dtype(), dy.device());
    Tensor dq = third(joined, 0), dk = third(joined, 1), dv = third(joined, 2);
    Attention::differentiate(s, dy, dq, dk, dv);
    return {joined, Tensor()};
  }

  static Tensor reference(const Tensor& joined, const Tensor& offsets, const AttentionOptions& o) {
    const int64_t C = joined.dim(1) / 3;
    return Attention::reference(slice(joined, 1, 0, C), slice(joined, 1, C, 2 * C),
                                slice(joined, 1, 2 * C, 3 * C), offsets, o);
  }

  static std::vector<Sample> samples() {
    static const Random random(6);
    const auto of = [](const char* label, std::vector<int32_t> offsets, int64_t channels,
                       AttentionOptions options, bool bench = false) {
      return Sample{.label = label,
                    .in = {randn({offsets.back(), 3 * channels}, 1), from(offsets)},
                    .call = [options](auto in) { return joined_attention(in[0], in[1], options); },
                    .bench = bench};
    };
    return {of("lengths 2 0 3 1", {0, 2, 2, 5, 6}, 6, {.heads = 3}),
            of("no tokens", {0, 0}, 4, {.heads = 2}),
            of("no channels", {0, 3}, 0, {}),
            of("own scale", {0, 3, 7}, 5, {.scale = 0.3}),
            of("dropout", {0, 9, 20}, 16, {.heads = 2, .dropout = 0.4, .random = &random}),
            of("4x128, 12 heads", {0, 128, 256, 384, 512}, 768, {.heads = 12}, true)};
  }
};

INK_OPS entries[] = {describe<Attention>(), describe<JoinedAttention>()};

}  // namespace

Tensor attention(const Tensor& q, const Tensor& k, const Tensor& v, const Tensor& offsets,
                 const AttentionOptions& options) {
  return apply<Attention>(q, k, v, offsets, options);
}

Tensor joined_attention(const Tensor& qkv, const Tensor& offsets, const AttentionOptions& options) {
  return apply<JoinedAttention>(qkv, offsets, options);
}

}  // namespace ink
