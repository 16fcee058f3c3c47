// Batches that are filled up: how far, with what, and that the rows before are what they were.
#include "nn/fill.h"

#include <gtest/gtest.h>

#include "nn/model.h"
#include "tensor/op.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"

namespace ink {
namespace {

Packed batch_of(const std::vector<size_t>& lengths) {
  std::vector<std::vector<int32_t>> ids;
  for (const size_t n : lengths) ids.emplace_back(n, 7);
  ids.front().front() = 2;
  return pack(ids);
}

TEST(Fill, AddsAsFewTokensAsCanBe) {
  struct Case {
    std::vector<size_t> lengths;
    int64_t longest, tokens, sequences;
  };
  for (const Case& c : {Case{{5, 3}, 6, 16, 6},              // 8 tokens in four sequences
                        Case{{4, 4, 3, 1, 2, 2}, 6, 16, 6},  // full already
                        Case{{8, 7}, 8, 24, 6},              // one token is too few for four
                        Case{{2, 2, 2, 2, 2, 2}, 6, 24, 12}}) {
    const Packed batch = batch_of(c.lengths), full = filled(batch, {8, 6}, c.longest);
    EXPECT_NO_THROW(check_packed("fill", full, c.longest));
    EXPECT_EQ(full.tokens(), c.tokens);
    EXPECT_EQ(full.sequences(), c.sequences);
    const int64_t N = batch.tokens();
    for (int64_t i = 0; i < N; ++i) {
      EXPECT_EQ(full.ids.data<int32_t>()[i], batch.ids.data<int32_t>()[i]);
      EXPECT_EQ(full.positions.data<int32_t>()[i], batch.positions.data<int32_t>()[i]);
    }
    for (int64_t i = N; i < full.tokens(); ++i) EXPECT_EQ(full.ids.data<int32_t>()[i], 2);
    const int32_t* at = full.offsets.data<int32_t>();
    for (int64_t b = 0; b < full.sequences(); ++b) EXPECT_LT(at[b], at[b + 1]);
  }
  EXPECT_ERROR(filled(batch_of({1}), {}, 1), "sequences of more than one token");
}

TEST(Fill, LeavesTheStatesBeforeAsTheyAre) {
  ModelConfig c;
  c.vocab_size = 20;
  c.hidden_size = 16;
  c.head_size = 8;
  c.max_position_embeddings = 12;
  c.set_layers(2, 2, 24);
  const Model model(c, {}, random_values(Random(1)));
  const Packed batch = batch_of({9, 3, 11}), full = filled(batch, {}, 12);
  const Random random(5);  // the same is dropped
  const Tensor states = model.body(batch, {.random = &random}).hidden,
               more = model.body(full, {.random = &random}).hidden;
  EXPECT_TRUE(equal_bits(contiguous(slice(more, 0, 0, batch.tokens())), states));
}

TEST(Fill, FillsLabels) {
  const Tensor labels = filled_labels(from(std::vector<int32_t>{4, kIgnore}), 4);
  EXPECT_EQ(to_vector<int32_t>(labels), (std::vector<int32_t>{4, kIgnore, kIgnore, kIgnore}));
  EXPECT_ERROR(filled_labels(labels, 3), "expected at most 3 labels");
}

}  // namespace
}  // namespace ink
