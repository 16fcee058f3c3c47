// Recorded batches, by their offsets.
#include "nn/encode_graphs.h"

#include <algorithm>
#include <utility>

#include "tensor/error.h"

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

const Recorded* EncodeGraphs::any_recorded() const {
  for (const Entry& entry : entries_)
    if (entry.recorded) return entry.recorded.get();
  return nullptr;
}

void EncodeGraphs::record(Entry& entry, const Packed& batch, const Encode& encode) {
  const auto moved = [](const Tensor& x) { return to(x, Device::cuda); };
  entry.inputs = {moved(batch.ids), moved(batch.segments), moved(batch.positions),
                  clone(batch.offsets)};
  const auto work = [&] {
    entry.hidden = {};  // of the work done as usual, whose memory the recording takes
    entry.hidden = encode(entry.inputs);
  };
  entry.recorded = cuda_backend().record(work, any_recorded());
}

Tensor EncodeGraphs::operator()(const Packed& batch, const Encode& encode) {
  const std::lock_guard lock(mutex_);
  bool met = false;
  Entry& entry = entry_of(batch, met);
  if (!met || entry.fails) return encode(batch);
  try {
    if (!entry.recorded) record(entry, batch, encode);
    copy_into(entry.inputs.ids, batch.ids);
    copy_into(entry.inputs.segments, batch.segments);
    copy_into(entry.inputs.positions, batch.positions);
    entry.recorded->replay();
    return clone(entry.hidden);
  } catch (const Error&) {  // of which encode() raises those that are not a lack of memory
    entry = {.offsets = std::move(entry.offsets), .fails = true};
    entries_.remove_if([](const Entry& e) { return !e.fails; });
    return encode(batch);
  }
}

}  // namespace ink
