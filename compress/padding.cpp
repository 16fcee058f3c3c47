// Padding by zeros: the even config, and each parameter in the corner of a larger one.
#include "compress/padding.h"

#include <algorithm>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

ModelConfig even_config(const ModelConfig& c) {
  const int64_t channels = c.attention_channels();
  check(channels % c.head_size == 0,
        "pad: expected the channels of attention to be a multiple of the size of a head, got ",
        channels, " and ", c.head_size);
  const int64_t heads = channels / c.head_size;
  int64_t ffn = 0;
  for (size_t l = 0; l < c.heads_per_layer.size(); ++l) {
    check(c.heads_per_layer[l] <= heads, "pad: layer ", l, " has ", c.heads_per_layer[l],
          " heads, an even model with ", channels, " channels of attention has ", heads);
    ffn = std::max(ffn, c.ffn_per_layer[l]);
  }
  ModelConfig even = c;
  even.heads_per_layer.assign(c.heads_per_layer.size(), heads);
  even.ffn_per_layer.assign(c.ffn_per_layer.size(), ffn);
  return even;
}

// x in the first corner of zeros of `shape`, a vector or matrix at least as large.
Tensor in_corner(const Tensor& x, const Shape& shape) {
  if (x.shape() == shape) return x;
  Tensor y = x;
  for (int axis = 0; axis < shape.rank(); ++axis) {
    if (y.dim(axis) == shape[axis]) continue;
    Shape rest = y.shape();
    rest[axis] = shape[axis] - y.dim(axis);
    y = concat({y, zeros(rest, x.dtype(), x.device())}, axis);
  }
  return y;
}

}  // namespace

Model padded(const Model& model) {
  return Model(even_config(model.config), model.heads,
               [&](const std::string& name, const Shape& shape, const Initial&) {
                 const Tensor& value = model.parameters.at(name).value;
                 check(value.rank() == shape.rank(), "pad: ", name, " has the shape ",
                       value.shape(), ", expected one like ", shape);
                 return in_corner(value, shape);
               });
}

}  // namespace ink
