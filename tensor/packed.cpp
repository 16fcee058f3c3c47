// Making and checking packed batches.
#include "tensor/packed.h"

namespace ink {

Packed pack(std::span<const std::vector<int32_t>> ids,
            std::span<const std::vector<int32_t>> segments) {
  check(segments.empty() || segments.size() == ids.size(), "pack: expected segments for ",
        ids.size(), " sequences, got ", segments.size());
  std::vector<int32_t> all_ids, all_segments, positions, offsets{0};
  for (size_t b = 0; b < ids.size(); ++b) {
    const std::vector<int32_t>& sequence = ids[b];
    all_ids.insert(all_ids.end(), sequence.begin(), sequence.end());
    for (size_t t = 0; t < sequence.size(); ++t) positions.push_back(static_cast<int32_t>(t));
    if (segments.empty()) {
      all_segments.resize(all_ids.size(), 0);
    } else {
      check(segments[b].size() == sequence.size(), "pack: sequence ", b, " has ", sequence.size(),
            " ids and ", segments[b].size(), " segments");
      all_segments.insert(all_segments.end(), segments[b].begin(), segments[b].end());
    }
    offsets.push_back(static_cast<int32_t>(all_ids.size()));
  }
  return {from(all_ids), from(all_segments), from(positions), from(offsets)};
}

void check_packed(const char* name, const Packed& batch, int64_t longest) {
  const auto vector_of_i32 = [&](const Tensor& x, const char* part) {
    check(x && x.rank() == 1 && x.dtype() == Dtype::i32 && x.is_contiguous(), "", name, ": ", part,
          " should be a contiguous vector of i32, got ", x.shape(), ' ', name_of(x.dtype()));
  };
  vector_of_i32(batch.ids, "ids");
  vector_of_i32(batch.segments, "segments");
  vector_of_i32(batch.positions, "positions");
  vector_of_i32(batch.offsets, "offsets");
  const int64_t N = batch.tokens();
  check(batch.segments.dim(0) == N && batch.positions.dim(0) == N, "", name,
        ": ids, segments and positions should be ", "of one length, got ", N, ", ",
        batch.segments.dim(0), " and ", batch.positions.dim(0));
  check(batch.offsets.dim(0) >= 1, "", name, ": offsets should hold at least one number");
  const int32_t* offsets = batch.offsets.data<int32_t>();
  const int64_t B = batch.sequences();
  check(offsets[0] == 0 && offsets[B] == N, "", name, ": offsets should run from 0 to ", N,
        ", got ", offsets[0], " to ", offsets[B]);
  for (int64_t b = 0; b < B; ++b) {
    const int64_t length = int64_t{offsets[b + 1]} - offsets[b];
    check(length >= 0, "", name, ": offsets should not decrease, got ", offsets[b], " before ",
          offsets[b + 1]);
    check(length <= longest, "", name, ": sequence ", b, " has ", length,
          " tokens, the model takes at most ", longest, "; cut it or split it");
  }
}

}  // namespace ink
