// First values of parameters.
#include "nn/scope.h"

#include <cmath>

#include "tensor/parallel.h"

namespace ink {
namespace {

// Element i takes the first of its draws i, i + size, i + 2·size, … that lies within two
// deviations.
Tensor truncated_normal(const Shape& shape, double deviation, const Random& random) {
  Tensor x(shape);
  float* const out = x.data<float>();
  const auto size = static_cast<uint64_t>(x.size());
  parallel_for(x.size(), grain_for(16), [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      auto draw = static_cast<uint64_t>(i);
      double z = random.normal(draw);
      while (std::abs(z) > 2) z = random.normal(draw += size);
      out[i] = static_cast<float>(deviation * z);
    }
  });
  return x;
}

}  // namespace

ValueSource random_values(Random random) {
  return [random](const std::string& name, const Shape& shape, const Initial& initial) {
    switch (initial.kind) {
      case Initial::Kind::normal:
        return truncated_normal(shape, initial.deviation, random.split(name));
      case Initial::Kind::ones: return full(shape, 1);
      case Initial::Kind::zeros: break;
    }
    return zeros(shape);
  };
}

Parameter& Scope::param(const std::string& name, const Shape& shape, const Initial& initial) const {
  std::string full_name = (*this / name).path_;
  Tensor value = (*values_)(full_name, shape, initial);
  return store_->add(std::move(full_name), std::move(value));
}

}  // namespace ink
