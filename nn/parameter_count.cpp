// Building a model of placeholders and adding up their shapes.
#include "nn/parameter_count.h"

#include <unistd.h>

#include <limits>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

constexpr double kBytes = 16;  // of a parameter in training

int64_t times(int64_t a, int64_t b) {
  int64_t product = 0;
  return __builtin_mul_overflow(a, b, &product) ? std::numeric_limits<int64_t>::max() : product;
}

int64_t plus(int64_t a, int64_t b) {
  int64_t sum = 0;
  return __builtin_add_overflow(a, b, &sum) ? std::numeric_limits<int64_t>::max() : sum;
}

}  // namespace

std::map<std::string, Shape> parameter_shapes(const ModelConfig& config, const Heads& heads) {
  std::map<std::string, Shape> shapes;
  const Tensor one = zeros({1});
  const Model counted(config, heads,
                      [&](const std::string& name, const Shape& shape, const Initial&) {
                        shapes[name] = shape;
                        Strides none;
                        for (int axis = 0; axis < shape.rank(); ++axis) none.append(0);
                        return view(one, shape, none, 0);  // the shape without the memory
                      });
  return shapes;
}

int64_t parameter_count(const ModelConfig& config, const Heads& heads) {
  int64_t total = 0;
  for (const auto& [name, shape] : parameter_shapes(config, heads)) {
    int64_t count = 1;
    for (int axis = 0; axis < shape.rank(); ++axis) count = times(count, shape[axis]);
    total = plus(total, count);
  }
  return total;
}

void check_trainable_here(const ModelConfig& config, const Heads& heads) {
  const auto count = static_cast<double>(parameter_count(config, heads));
  const double needed = count * kBytes, present = static_cast<double>(sysconf(_SC_PHYS_PAGES)) *
                                                  static_cast<double>(sysconf(_SC_PAGESIZE));
  check(needed <= present, "model: this config asks for ", count / 1e6,
        " million parameters, which take ", needed / 1e9, " GB in training; this machine has ",
        present / 1e9, " GB");
}

}  // namespace ink
