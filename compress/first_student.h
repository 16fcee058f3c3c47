// How the student of a distillation begins, and the map of layers that is measured on it then.
#pragma once
#include "compress/distill_setup.h"
#include "nn/model.h"

namespace ink {

// Made from `teacher`, the first one.
Model first_student(const DistillOptions& options, const Model& teacher);

// The layer map "emd", where it is asked for, on the student as it begins; `teacher` is the leading
// one. Raises Error where a match does not fit.
void choose_layers(const DistillOptions& options, DistillSetup& setup, const Model& teacher,
                   const Model& student);

}  // namespace ink
