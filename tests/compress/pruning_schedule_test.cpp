// The way to the targets: totals, even sizes, hidden sizes past those of the embeddings.
#include "compress/pruning_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "compress/choose_masks.h"
#include "tests/compress/helpers.h"

namespace ink {
namespace {

using Totals = std::vector<int64_t>;

TEST(PruningSchedule, TakesLargerStepsFirst) {
  EXPECT_EQ(schedule_totals(144, 96, 4), (Totals{132, 120, 108, 96}));
  EXPECT_EQ(schedule_totals(144, 96, 8), (Totals{138, 132, 126, 120, 114, 108, 102, 96}));
  EXPECT_EQ(schedule_totals(144, 96, 5), (Totals{134, 124, 114, 105, 96}));
  EXPECT_EQ(schedule_totals(36864, 24576, 4), (Totals{33792, 30720, 27648, 24576}));
  EXPECT_EQ(schedule_totals(36864, 18432, 5), (Totals{33177, 29490, 25804, 22118, 18432}));
  EXPECT_EQ(schedule_totals(144, 72, 16),
            (Totals{139, 134, 129, 124, 119, 114, 109, 104, 100, 96, 92, 88, 84, 80, 76, 72}));
}

// Even masking rounds each step's total down to whole layers: sizes fall in plateaus.
TEST(PruningSchedule, EvenSizesAlongASchedule) {
  const auto sizes = [](int64_t from, int64_t to, int64_t steps) {
    const Importance ones(12, std::vector<double>(static_cast<size_t>(from), 1));
    Mask mask = full_mask(ones);
    std::vector<int64_t> all;
    for (const int64_t total : schedule_totals(12 * from, 12 * to, steps)) {
      mask = choose_mask(ones, mask, total, {});
      const std::vector<int64_t> layers = kept_per_layer(mask);
      EXPECT_EQ(std::ranges::count(layers, layers.front()), 12);
      all.push_back(layers.front());
    }
    return all;
  };
  EXPECT_EQ(sizes(12, 8, 4), (Totals{11, 10, 9, 8}));
  EXPECT_EQ(sizes(12, 8, 8), (Totals{11, 11, 10, 10, 9, 9, 8, 8}));
  EXPECT_EQ(sizes(12, 8, 5), (Totals{11, 10, 9, 8, 8}));
  EXPECT_EQ(sizes(12, 6, 16), (Totals{11, 11, 10, 10, 9, 9, 9, 8, 8, 8, 7, 7, 7, 6, 6, 6}));
  EXPECT_EQ(sizes(3072, 2048, 4), (Totals{2816, 2560, 2304, 2048}));
  EXPECT_EQ(sizes(3072, 1536, 5), (Totals{2764, 2457, 2150, 1843, 1536}));
}

TEST(PruningSchedule, BadRequests) {
  EXPECT_ERROR(schedule_totals(10, 11, 1), "expected a target from 1 to 10");
  EXPECT_ERROR(schedule_totals(10, 5, 0), "expected at least one iteration");
}

// A stream of 16 channels over embeddings of 6: at 6 nothing would project them.
TEST(PruningSchedule, HiddenSizesPassOverThatOfProjectedEmbeddings) {
  const ModelConfig electra = tiny_family("electra");
  const auto sizes = [&](const ModelConfig& model, int64_t target, int64_t steps,
                         int64_t multiple) {
    return hidden_sizes(
        model, {.n_iters = steps, .target_hidden_size = target, .hidden_multiple_of = multiple});
  };
  EXPECT_EQ(sizes(electra, 4, 6, 1), (Totals{14, 12, 10, 8, 5, 4}));
  EXPECT_EQ(sizes(electra, 4, 6, 2), (Totals{14, 12, 10, 8, 4, 4}));
  EXPECT_EQ(sizes(tiny_family("bert"), 4, 6, 1), (Totals{14, 12, 10, 8, 6, 4}));
  EXPECT_EQ(sizes(tiny_family("albert"), 4, 6, 1), (Totals{14, 12, 10, 8, 6, 4}))
      << "projects embeddings of any size";
}

TEST(PruningSchedule, ElectraIsCutBelowItsEmbeddings) {
  const Model model = tiny_model(tiny_family("electra"), 3);
  const std::vector<FeatureBatch> batches = {random_batch({5, 1, 9}, 4)};
  const PruningConfig config{.n_iters = 6, .target_hidden_size = 4};
  const Pruning pruning = choose_masks(model, batches, config);
  const Model smaller = pruned_model(model, pruning.masks);
  EXPECT_EQ(smaller.config.hidden_size, 4);
  EXPECT_EQ(smaller.config.embedding_size, 6);
  EXPECT_EQ(classify(smaller, batches[0].inputs).dim(0), 3);
  const PruningConfig there{.target_hidden_size = 6};
  EXPECT_ERROR(choose_masks(model, {}, there), "projects embeddings only to another");
}

}  // namespace
}  // namespace ink
