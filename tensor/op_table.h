// The table of all ops, for tests and benches: the entries that every op's file leaves in the
// section `ink_ops`. Programs that link the library, rather than its objects, do not have it.
#pragma once
#include <span>
#include <string>
#include <vector>

#include "tensor/op.h"

// Named by the linker. NOLINTBEGIN(bugprone-reserved-identifier, readability-identifier-naming)
extern "C" const ink::OpEntry __start_ink_ops[];
extern "C" const ink::OpEntry __stop_ink_ops[];
// NOLINTEND(bugprone-reserved-identifier, readability-identifier-naming)

namespace ink {

inline std::span<const OpEntry> all_ops() { return {__start_ink_ops, __stop_ink_ops}; }

// One op with one of its samples.
struct OpCase {
  const OpEntry* op;
  Sample sample;
  std::string name() const { return std::string(op->name) + "/" + sample.label; }
};

inline std::vector<OpCase> all_cases() {
  std::vector<OpCase> cases;
  for (const OpEntry& op : all_ops()) {
    for (Sample& s : op.samples()) cases.push_back({&op, std::move(s)});
  }
  return cases;
}

// The inputs of a sample with floating-point tensors converted to another type.
inline std::vector<Tensor> inputs_as(const Sample& sample, Dtype dtype) {
  std::vector<Tensor> in;
  for (const Tensor& x : sample.in)
    in.push_back(is_float(x.dtype()) ? clone(converted(x, dtype)) : clone(x));
  return in;
}

}  // namespace ink
