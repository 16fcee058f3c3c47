// Place: the device on which models compute, and the type of their weights there.
#pragma once
#include "tensor/device.h"

namespace ink {

struct Place {
  Device device = Device::cpu;
  Dtype dtype = Dtype::f32;  // on cuda also f16 or bf16; sums, losses and optimizer run in f32
};

// Where jobs and sessions put the models that they make or load: the CPU in f32, until told
// otherwise. The Error names what is wrong, as when this machine has no CUDA device.
Place working_place();
void set_working_place(Place place);

}  // namespace ink
