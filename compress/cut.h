// Cutting a tensor: which of its parts along an axis stay.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

struct Cut {
  int axis = 0;
  std::vector<uint8_t> keep = {};  // an element for each part; 1 = stays
};

int64_t kept_in(std::span<const uint8_t> keep);

// Both take tensors on the CPU with as many parts along the axis as cut.keep has elements.
Tensor cut_out(const Tensor& value, const Cut& cut);  // the parts that stay, in memory of its own
void zero_out(Tensor& value, const Cut& cut);         // zeros elsewhere, in place; contiguous

}  // namespace ink
