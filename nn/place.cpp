// The place of this process.
#include "nn/place.h"

#include "tensor/error.h"

namespace ink {
namespace {

Place current;

}  // namespace

Place working_place() { return current; }

void check_place(const Place& place) {
  const bool wide = place.dtype == Dtype::f32;
  const bool narrow = place.dtype == Dtype::f16 || place.dtype == Dtype::bf16;
  check(wide || (narrow && place.device == Device::cuda),
        "place: expected f32, or on cuda f32, f16 or bf16, got ", name_of(place.dtype), " on ",
        name_of(place.device));
  if (place.device == Device::cuda) cuda_backend();
}

void set_working_place(Place place) {
  check_place(place);
  current = place;
}

Place training_place(const char* job) {
  check(!current.int8, "", job, ": weights in int8 are for inference alone; expected a working ",
        "place in f32, f16 or bf16");
  return current;
}

}  // namespace ink
