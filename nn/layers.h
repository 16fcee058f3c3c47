// The layers that everything is made of: Linear, LayerNorm, Embedding. Each holds its parameters
// and nothing else.
#pragma once
#include <initializer_list>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "nn/place.h"
#include "nn/scope.h"
#include "tensor/gemm.h"
#include "tensor/int8_linear.h"
#include "tensor/ops.h"

namespace ink {

// A weight laid out for the kernels, for inference. Once packed it must be packed again after every
// change of the weight: get() raises Error when it no longer is what was packed. Weights on the
// CUDA device are used as they lie: packing does nothing.
class PackedWeight {
 public:
  void pack(const Parameter& weight);
  void clear() { matrix_.reset(); }
  const PackedMatrix* get(const Parameter& weight) const;  // null when nothing is packed

 private:
  std::shared_ptr<const PackedMatrix> matrix_;
};

// The numbers of `weight`, seen as a matrix (N, K), in 8 bits for inference on `device`. The
// parameter gives them away, so it is done once, before pack().
Int8Weight quantize(Parameter& weight, const Tensor& matrix, Device device);

// f(x Wᵀ + b): x (…, in) → (…, out)
struct Linear {
  Parameter& weight;  // (out, in)
  Parameter& bias;    // (out)
  PackedWeight packed;
  Int8Weight quantized;  // instead of the weight, where it was quantised

  Linear(const Scope& scope, int64_t in, int64_t out, double deviation);
  Tensor operator()(const Tensor& x, Activation f = Activation::none) const;
  void quantize(const Place& place);
  void pack();                       // for inference
  void unpack() { packed.clear(); }  // before training
};

// Linears of one input as a single product on the CUDA device: a launch instead of several, and a
// larger product is a faster one. Joined under a tape they are trained. Like a packed weight, it
// must be made again when a weight changes.
class JoinedLinears {
 public:
  void join(std::initializer_list<const Linear*> parts);  // weights elsewhere: joins nothing
  void clear() { *this = {}; }
  explicit operator bool() const { return static_cast<bool>(weight_); }
  // x (…, in) → (…, Σ out), the results side by side
  Tensor operator()(const Tensor& x) const;

 private:
  Tensor weight_, bias_;
  std::vector<std::pair<const Parameter*, uint64_t>> sources_;  // with their versions
};

// Linears of one input as a single product of 8-bit integers, for which x is quantised once. The
// result has the same bits as one by one.
class QuantizedLinears {
 public:
  void quantize(std::initializer_list<Linear*> parts, const Place& place);
  explicit operator bool() const { return static_cast<bool>(weight_); }
  // x (…, in) → (…, Σ out), the results side by side
  Tensor operator()(const Tensor& x) const { return int8_linear(x, weight_, bias_); }

 private:
  Int8Weight weight_;
  Tensor bias_;
};

// (x − mean) / √(variance + ε) · γ + β over the last axis (Ba et al. 2016)
struct LayerNorm {
  Parameter& gamma;  // (C)
  Parameter& beta;   // (C)
  double epsilon;

  LayerNorm(const Scope& scope, int64_t channels, double epsilon);
  Tensor operator()(const Tensor& x) const;
  Tensor operator()(const Tensor& x, const Tensor& residual) const;  // of the sum
  // Of the sum with dropout_if(random, x, p, stream).
  Tensor of_dropped(const Random* random, const Tensor& x, double p, std::string_view stream,
                    const Tensor& residual) const;
};

// Rows of a table: ids (N) → (N, C)
struct Embedding {
  Parameter& table;  // (V, C)

  Embedding(const Scope& scope, int64_t rows, int64_t channels, double deviation);
  Tensor operator()(const Tensor& ids) const { return embedding(table.value, ids); }
};

// dropout(x, p) while training, x otherwise. Training is being handed a source of randomness, that
// of a step or of a layer in it, of which this dropout takes the stream of its name.
Tensor dropout_if(const Random* random, const Tensor& x, double p, std::string_view stream);

}  // namespace ink
