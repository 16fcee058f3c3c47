// Many tensors in one array of f32 on the CUDA device, so that one exchange serves all of them.
//
//   Flat flat({{.value = a, .size = a.size()}, {.value = {}, .size = 7}}, /*multiple=*/8);
//   …                                       // change flat.values()
//   Tensor changed = flat.part(0, a.shape());
//
// Every part begins at a multiple of four elements; what lies between them is 0.
#pragma once
#include <span>
#include <vector>

#include "tensor/tensor.h"

namespace ink {

struct FlatPart {
  Tensor value = {};  // f32, f16 or bf16 on the CUDA device; undefined: zeros
  int64_t size = 0;   // its elements
  double factor = 1;  // what it is multiplied by
};

class Flat {
 public:
  // One launch copies all parts. The array is filled up with zeros to a multiple of this many.
  Flat(std::span<const FlatPart> parts, int64_t multiple);
  Tensor& values() { return values_; }
  Tensor part(size_t k, const Shape& shape) const;  // a view

 private:
  std::vector<int64_t> places_;  // where each part begins, then their end
  Tensor values_;
};

// mine[i] ← Σᵣ of ranks 0, 1, …, `ranks` − 1, added in this order: of `rank` it is mine[i] as it
// was, of any other theirs[r·n + i]. All on the CUDA device, begin at multiples of 16 bytes; n is a
// multiple of 4.
void add_in_order(float* mine, const float* theirs, int rank, int ranks, int64_t n);

}  // namespace ink
