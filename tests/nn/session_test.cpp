// Sessions: many threads share one model and each gets the bits it would get alone.
#include "nn/session.h"

#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "tests/expect_error.h"
#include "tests/nn/small_models.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

using testing::sequences;

Session session_with(const Heads& heads) {
  return Session(Model(testing::uneven_config(), heads, random_values(Random(3))));
}

TEST(Session, LoadsAFolderAndEmbeds) {
  const testing::TemporaryFolder folder;
  const Model model(testing::uneven_config(), {.pooler = true, .masked_lm = true},
                    random_values(Random(3)));
  save_model(model, folder.path());
  const Session session(folder.path());
  const Packed batch = pack(sequences({7, 1, 13}, 1, 199));
  const Tensor hidden = model.body(batch).hidden;
  EXPECT_TRUE(equal_bits(session.encode(batch).hidden, hidden));
  EXPECT_TRUE(equal_bits(session.embed(batch, Pooling::cls),
                         gather_rows(hidden, first_rows(batch.offsets))));
  EXPECT_TRUE(equal_bits(session.embed(batch, Pooling::tokens), hidden));
  const Tensor means = session.embed(batch, Pooling::mean);
  ASSERT_EQ(means.shape(), (Shape{3, 60}));
  for (int64_t c = 0; c < 60; ++c) {
    double sum = 0;
    for (int64_t n = 0; n < 7; ++n) sum += double{hidden.data<float>()[n * 60 + c]};
    EXPECT_NEAR(means.data<float>()[c], sum / 7, 1e-6);
  }
  EXPECT_EQ(session.masked_lm(batch, from(std::vector<int32_t>{0, 20})).shape(), (Shape{2, 199}));
  EXPECT_EQ(session.embed(pack({}), Pooling::mean).shape(), (Shape{0, 60}));
}

// XLNet's <cls> ends a sequence.
TEST(Session, PoolsByTheTokenThatStandsForTheText) {
  const Session session(std::filesystem::path(INK_SOURCE_DIR) /
                        "tests/golden/families/xlnet-SequenceClassification");
  const Packed batch = pack(sequences({7, 1, 13}, 1, 90));
  EXPECT_TRUE(equal_bits(session.embed(batch, Pooling::cls),
                         gather_rows(session.encode(batch).hidden, last_rows(batch.offsets))));
}

TEST(Session, GivesTheLogitsOfItsHead) {
  const Packed batch = pack(sequences({7, 1, 13}, 1, 199));
  EXPECT_EQ(session_with({.classification = true}).logits(batch).shape(), (Shape{3, 2}));
  EXPECT_EQ(session_with({.pair = true}).logits(batch).shape(), (Shape{3, 2}));
  EXPECT_EQ(session_with({.tagging = true}).logits(batch).shape(), (Shape{21, 2}));
  EXPECT_EQ(session_with({.span = true}).logits(batch).shape(), (Shape{21, 2}));
  EXPECT_EQ(session_with({.choice = true}).choices(batch, 3).shape(), (Shape{1, 3}));
  EXPECT_ERROR(session_with({.choice = true}).choices(batch, 2), "a multiple of 2 sequences");
  EXPECT_ERROR(session_with({.span = true}).choices(batch, 3), "no head for multiple choice");
  EXPECT_ERROR(session_with({.masked_lm = true}).logits(batch), "has no head for classes");
  EXPECT_ERROR(session_with({.span = true}).masked_lm(batch, batch.ids), "no masked-LM head");
  EXPECT_ERROR(session_with({}).embed(batch, Pooling::pooler), "has no pooler");
  EXPECT_EQ(pooling_from("cls"), Pooling::cls);
  EXPECT_ERROR(pooling_from("max"), "expected mean, cls, pooler or tokens, got 'max'");
}

TEST(Session, ManyThreadsShareOneModel) {
  const Session session = session_with({.classification = true});
  std::vector<Packed> batches;
  std::vector<Tensor> alone;
  for (int i = 0; i < 8; ++i) {
    batches.push_back(pack(sequences({3 + i, 20, 1 + 2 * i}, static_cast<uint64_t>(i), 199)));
    alone.push_back(session.logits(batches.back()));
  }
  std::atomic<int> wrong{0};
  std::vector<std::thread> workers;
  for (size_t t = 0; t < 8; ++t) {
    workers.emplace_back([&, t] {
      for (size_t round = 0; round < 5; ++round) {
        const size_t i = (t + round) % 8;
        if (!equal_bits(session.logits(batches[i]), alone[i])) ++wrong;
      }
    });
  }
  for (std::thread& w : workers) w.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace ink
