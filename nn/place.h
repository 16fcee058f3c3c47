// Place: the device on which models compute, and the type of their weights there.
#pragma once
#include "tensor/device.h"

namespace ink {

struct Place {
  Device device = Device::cpu;
  Dtype dtype = Dtype::f32;  // on cuda also f16 or bf16; sums, losses and optimizer run in f32
  // Linear layers of the encoder multiply 8-bit integers (tensor/int8_linear.h), for inference:
  // queries, keys, values and what follows attention, both layers of each feed-forward network,
  // MobileBERT's bottlenecks, what BiGRU makes of its inputs and outputs. The rest stays in
  // `dtype`: embeddings, attention and recurrence, norms, pooler and heads.
  bool int8 = false;
};

// Where jobs and sessions put the models that they make or load: the CPU in f32, until told
// otherwise. The Error names what is wrong, as when this machine has no CUDA device.
Place working_place();
void set_working_place(Place place);
void check_place(const Place& place);  // the same Error, and nothing else

// The working place, for a job that changes weights: raises Error, beginning with `job`, for int8.
Place training_place(const char* job);

}  // namespace ink
