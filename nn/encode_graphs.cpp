// Recorded batches, by their offsets.
#include "nn/encode_graphs.h"

#include <algorithm>

namespace ink {

EncodeGraphs::Entry& EncodeGraphs::entry_of(const Packed& batch, bool& met) {
  std::vector<int32_t> offsets = to_vector<int32_t>(batch.offsets);
  const auto found = std::ranges::find(entries_, offsets, &Entry::offsets);
  met = found != entries_.end();
  if (met) {
    entries_.splice(entries_.begin(), entries_, found);
  } else {
    entries_.push_front({.offsets = std::move(offsets)});
    if (entries_.size() > kKept) entries_.pop_back();
  }
  return entries_.front();
}

Tensor EncodeGraphs::operator()(const Packed& batch, const Encode& encode) {
  const std::lock_guard lock(mutex_);
  bool met = false;
  Entry& entry = entry_of(batch, met);
  if (!met) return encode(batch);
  if (!entry.recorded) {
    const auto moved = [](const Tensor& x) { return to(x, Device::cuda); };
    entry.inputs = {moved(batch.ids), moved(batch.segments), moved(batch.positions),
                    clone(batch.offsets)};
    entry.recorded = cuda_backend().record([&] { entry.hidden = encode(entry.inputs); });
  }
  copy_into(entry.inputs.ids, batch.ids);
  copy_into(entry.inputs.segments, batch.segments);
  copy_into(entry.inputs.positions, batch.positions);
  entry.recorded->replay();
  return clone(entry.hidden);
}

}  // namespace ink
