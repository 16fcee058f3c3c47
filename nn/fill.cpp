// How many sequences of how many tokens, and their ids.
#include "nn/fill.h"

#include <algorithm>
#include <vector>

#include "tensor/error.h"
#include "tensor/ops.h"

namespace ink {
namespace {

// Sequences to add, and tokens in all of them.
struct Filling {
  int64_t sequences, tokens;
};

// Each added sequence has from one to `longest` tokens.
Filling filling_of(const Packed& batch, const FillSizes& sizes, int64_t longest) {
  const int64_t N = batch.tokens(), B = batch.sequences();
  for (int64_t all = up_to(N, sizes.tokens);; all += sizes.tokens) {
    const int64_t tokens = all - N, least = (tokens + longest - 1) / longest;
    const int64_t sequences = up_to(B + least, sizes.sequences) - B;
    if (sequences <= tokens) return {sequences, tokens};
  }
}

}  // namespace

Packed filled(const Packed& batch, const FillSizes& sizes, int64_t longest) {
  check(batch.tokens() > 0 && sizes.tokens > 0 && sizes.sequences > 0 && longest > 1,
        "fill: expected a batch with tokens, sizes above 0 and sequences of more than one token");
  const Filling more = filling_of(batch, sizes, longest);
  std::vector<int32_t> ids = to_vector<int32_t>(batch.ids),
                       segments = to_vector<int32_t>(batch.segments),
                       positions = to_vector<int32_t>(batch.positions),
                       offsets = to_vector<int32_t>(batch.offsets);
  for (int64_t s = 0, left = more.tokens; s < more.sequences; ++s) {
    const int64_t length = left / (more.sequences - s);
    for (int32_t i = 0; i < length; ++i) positions.push_back(i);
    offsets.push_back(static_cast<int32_t>(positions.size()));
    left -= length;
  }
  ids.resize(positions.size(), ids.front());
  segments.resize(positions.size(), 0);
  return {from(ids), from(segments), from(positions), from(offsets)};
}

Tensor filled_labels(const Tensor& labels, int64_t n) {
  std::vector<int32_t> all = to_vector<int32_t>(labels);
  check(labels.rank() == 1 && std::ssize(all) <= n, "fill: expected at most ", n, " labels, got ",
        labels.shape());
  all.resize(static_cast<size_t>(n), kIgnore);
  return from(all);
}

}  // namespace ink
