// The plan of a job whose data is read already.
#pragma once
#include "compress/distill_setup.h"

namespace ink {

// `setup` is what set_up made of the options.
DistillPlan plan_of(const DistillOptions& options, DistillSetup setup);

}  // namespace ink
