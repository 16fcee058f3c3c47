// The options of a distillation on the data of a toy task.
#pragma once
#include <filesystem>

#include "compress/distill.h"

namespace ink {

// From the teacher in a folder, trained and written as `base` says.
inline DistillOptions distillation_like(const FinetuneOptions& base,
                                        const std::filesystem::path& teacher) {
  DistillOptions o;
  o.teacher = teacher;
  o.out = base.out;
  o.data = base.data;
  o.max_length = base.max_length;
  o.fit = base.fit;
  return o;
}

}  // namespace ink
