// Each word's nearest neighbours: pairs of words a second, and the share of the machine's limit.
#include "objectives/nearest_words.h"

#include <cstdio>

#include "bench/machine_limit.h"
#include "tensor/philox.h"

namespace ink::bench {
namespace {

void measure(int64_t words, int64_t width, double limit) {
  WordVectors vectors{{}, Tensor({words, width})};
  auto* x = vectors.rows.data<float>();
  for (int64_t i = 0; i < words * width; ++i)
    x[i] = static_cast<float>(Random(1).uniform(static_cast<uint64_t>(i)) - 0.5);
  for (int64_t i = 0; i < words; ++i) vectors.words.add("word" + std::to_string(i));
  const double time = best_seconds(3, [&] { nearest_words(vectors, 10); });
  const double pairs = static_cast<double>(words) * static_cast<double>(words);
  const double rate = 2 * pairs * static_cast<double>(width) / time / 1e9;
  std::printf("%6ld words × %3ld  %6.2f s  %6.0f M pairs/s  %6.1f GFLOP/s  %3.0f %% of the limit\n",
              static_cast<long>(words), static_cast<long>(width), time, pairs / time / 1e6, rate,
              100 * rate / limit);
}

}  // namespace
}  // namespace ink::bench

int main() {
  using namespace ink::bench;
  const double limit = fma_limit();
  std::printf("%d threads, %s: %.0f GFLOP/s\n", ink::threads(),
              ink::simd::name_of(ink::simd::level()), limit);
  for (const auto& [words, width] :
       {std::pair<int64_t, int64_t>{5000, 100}, {20000, 100}, {20000, 300}})
    measure(words, width, limit);
}
