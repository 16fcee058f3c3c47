// Batches: encodings packed without padding, and lists of sequences cut into batches by tokens.
#include "text/batch.h"

#include <algorithm>
#include <numeric>

#include "tensor/error.h"
#include "tensor/philox.h"

namespace ink {
namespace {

// Streams of the seed.
constexpr uint64_t kOrder = 0, kBatchOrder = 1;

}  // namespace

Packed pack(std::span<const Encoding> encodings) {
  std::vector<std::vector<int32_t>> ids, segments;
  for (size_t b = 0; b < encodings.size(); ++b) {
    check(encodings[b].size() > 0, "pack: expected tokens in every encoding, got none in number ",
          b);
    ids.push_back(encodings[b].ids);
    segments.push_back(encodings[b].segments);
  }
  return pack(ids, segments);
}

std::vector<std::vector<int64_t>> batches(std::span<const int64_t> lengths,
                                          const BatchOptions& options) {
  check(options.max_tokens > 0, "batches: expected max_tokens above 0, got ", options.max_tokens);
  check(options.max_sequences >= 0 && options.sort_window >= 0,
        "batches: expected max_sequences and sort_window of at least 0, got ",
        options.max_sequences, " and ", options.sort_window);
  std::vector<int64_t> order(lengths.size());
  std::iota(order.begin(), order.end(), 0);
  if (options.shuffle) Draws(Random(*options.shuffle).split(kOrder)).shuffle(order);
  const auto length = [&](int64_t i) { return lengths[static_cast<size_t>(i)]; };
  const auto window = static_cast<size_t>(options.sort_window);
  for (size_t at = 0; window > 0 && at < order.size(); at += window) {
    const auto first = order.begin() + static_cast<ptrdiff_t>(at);
    const auto last = first + static_cast<ptrdiff_t>(std::min(window, order.size() - at));
    std::stable_sort(first, last, [&](int64_t a, int64_t b) { return length(a) < length(b); });
  }
  std::vector<std::vector<int64_t>> out;
  int64_t tokens = 0;
  for (const int64_t i : order) {
    check(length(i) > 0, "batches: expected lengths above 0, got ", length(i), " for sequence ", i);
    const auto size = out.empty() ? 0 : static_cast<int64_t>(out.back().size());
    const bool full = options.max_sequences > 0 && size >= options.max_sequences;
    if (out.empty() || full || length(i) > options.max_tokens - tokens) {
      out.emplace_back();
      tokens = 0;
    }
    out.back().push_back(i);
    tokens += length(i);
  }
  if (options.shuffle && window > 0)
    Draws(Random(*options.shuffle).split(kBatchOrder)).shuffle(out);
  return out;
}

}  // namespace ink
