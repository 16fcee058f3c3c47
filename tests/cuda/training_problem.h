// A small classifier that tests train on the CUDA device, in one process or in several.
#pragma once
#include <algorithm>
#include <vector>

#include "autograd/trainer.h"
#include "tensor/op.h"
#include "tensor/ops.h"

namespace ink {

inline constexpr int64_t kIn = 12, kHidden = 16, kClasses = 5;

struct Where {
  Device device = Device::cpu;
  Dtype dtype = Dtype::f32;
};

// A small classifier: linear, layer norm and dropout, whose labels follow from the inputs.
struct SmallProblem {
  Parameters parameters;
  Where place;
  int64_t rows = 16;  // of the smallest micro-batch

  explicit SmallProblem(Where p = {}) : place(p) {
    const auto random = [](Shape shape, uint64_t seed) {
      Tensor w = randn(shape, seed, Dtype::f32);
      for (int64_t i = 0; i < w.size(); ++i) w.data<float>()[i] *= 0.3f;
      return w;
    };
    parameters.add("in.weight", random({kHidden, kIn}, 1));
    parameters.add("in.bias", zeros({kHidden}));
    parameters.add("norm.gamma", full({kHidden}, 1));
    parameters.add("norm.beta", zeros({kHidden}));
    parameters.add("out.weight", random({kClasses, kHidden}, 2));
    parameters.add("out.bias", zeros({kClasses}));
  }

  const Tensor& value(const char* name) const { return parameters.at(name).value; }

  MicroLoss loss(int64_t micro_batch, const Random& random) const {
    const int64_t N = rows + micro_batch % 3;
    const Tensor host = randn({N, kIn}, 100 + static_cast<uint64_t>(micro_batch), Dtype::f32);
    std::vector<int32_t> labels;
    for (int64_t n = 0; n < N; ++n) {
      const float* row = host.data<float>() + n * kIn;
      labels.push_back(static_cast<int32_t>(std::max_element(row, row + kClasses) - row));
    }
    const Tensor x = like(value("in.weight"), host);
    const Tensor hidden =
        layer_norm(linear(x, value("in.weight"), value("in.bias"), Activation::gelu),
                   value("norm.gamma"), value("norm.beta"), 1e-5);
    const Tensor logits =
        linear(dropout(hidden, 0.1, random), value("out.weight"), value("out.bias"));
    const Tensor mean = cross_entropy(logits, from(labels));
    return {.loss = mean,
            .weight = static_cast<double>(N),
            .tokens = N,
            .metrics = {{"rows", static_cast<double>(N)}},
            .measures = {{.name = "half", .value = mean, .factor = 0.5}}};
  }
  TrainingHooks hooks() {
    TrainingHooks h;
    h.loss = [this](int64_t i, const Random& random) { return loss(i, random); };
    return h;
  }
  TrainingResult train(const TrainerOptions& options, const TrainingHooks& h) {
    Optimizer optimizer(parameters);
    optimizer.place(parameters, place.device, place.dtype);
    return ink::train(parameters, optimizer, {.peak = 0.02, .warmup = 3, .steps = 60}, options, h);
  }
  std::vector<Tensor> values() const {
    std::vector<Tensor> all;
    for (const Parameter& p : parameters) all.push_back(clone(to(p.value, Device::cpu)));
    return all;
  }
};

inline constexpr Where kCuda{Device::cuda, Dtype::f32};

}  // namespace ink
