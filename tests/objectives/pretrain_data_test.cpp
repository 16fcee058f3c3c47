// Data of pre-training follow from (seed, position): each sequence once an epoch, held-out apart.
#include "objectives/pretrain_data.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "objectives/mask.h"
#include "objectives/tokenize.h"
#include "tests/expect_error.h"
#include "tests/objectives/toy_corpus.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<int32_t>;

class PretrainDataTest : public testing::Test {
 protected:
  PretrainDataTest() : segmenter_(toy_segmenter(folder_)) {
    write_toy_corpus(folder_ / "texts", 60, 3);
  }
  ~PretrainDataTest() override { fs::remove_all(folder_); }

  PretrainData data(const PretrainDataOptions& options) const {
    return PretrainData({folder_ / "texts"}, tokenizer_, &segmenter_,
                        masked_language_model({.tokens = objective_tokens(tokenizer_)}), options);
  }
  static PretrainDataOptions small() {
    return {.max_tokens = 32, .batch_tokens = 200, .block_bytes = 3000, .held_out = 0};
  }

  const fs::path folder_ = scratch_folder("ink_pretrain_data");
  const Tokenizer tokenizer_ = toy_tokenizer();
  const Segmenter segmenter_;
};

// Everything in a batch as numbers.
Ids content(const PretrainBatch& b) {
  Ids all;
  for (const Tensor& t :
       {b.inputs.ids, b.inputs.segments, b.inputs.offsets, b.rows, b.labels, b.pair_labels}) {
    const Ids part = to_vector<int32_t>(t);
    all.insert(all.end(), part.begin(), part.end());
  }
  return all;
}

// The sequences of a batch as they were before corruption.
std::vector<Ids> originals(const PretrainBatch& b) {
  Ids ids = to_vector<int32_t>(b.inputs.ids);
  const Ids rows = to_vector<int32_t>(b.rows), labels = to_vector<int32_t>(b.labels);
  for (size_t i = 0; i < rows.size(); ++i) ids[static_cast<size_t>(rows[i])] = labels[i];
  const Ids offsets = to_vector<int32_t>(b.inputs.offsets);
  std::vector<Ids> out;
  for (size_t s = 0; s + 1 < offsets.size(); ++s)
    out.emplace_back(ids.begin() + offsets[s], ids.begin() + offsets[s + 1]);
  return out;
}

// The batches of epochs 0 to `epochs` − 1, by epoch.
std::vector<std::vector<PretrainBatch>> epochs_of(PretrainData data, size_t epochs) {
  std::vector<std::vector<PretrainBatch>> all(epochs);
  while (true) {
    PretrainBatch batch = data.next();
    if (static_cast<size_t>(data.epoch()) >= epochs) return all;
    all[static_cast<size_t>(data.epoch())].push_back(std::move(batch));
  }
}

std::multiset<Ids> sequences_of(const std::vector<PretrainBatch>& batches) {
  std::multiset<Ids> all;
  for (const PretrainBatch& b : batches) {
    for (const Ids& each : originals(b)) all.insert(each);
  }
  return all;
}

TEST_F(PretrainDataTest, ContinuesAtAnyPositionWithTheSameBatches) {
  for (const PairTask task : {PairTask::none, PairTask::next_sentence}) {
    PretrainDataOptions options = small();
    options.pair_task = task;
    PretrainData straight = data(options);
    ASSERT_GT(straight.blocks(), 3);
    std::vector<Json> positions;
    std::vector<Ids> batches;
    while (straight.epoch() < 3) {
      positions.push_back(straight.position());
      batches.push_back(content(straight.next()));
    }
    for (size_t at = 0; at + 2 < batches.size(); at += 3) {
      PretrainData resumed = data(options);
      resumed.seek(parse_json(positions[at].to_string(), "position"));
      for (size_t i = at; i < at + 3 && i < batches.size(); ++i)
        ASSERT_EQ(content(resumed.next()), batches[i]) << at;
    }
  }
}

TEST_F(PretrainDataTest, EveryEpochHasEverySequenceOnceInAnotherOrderAndWithOtherMasks) {
  const auto epochs = epochs_of(data(small()), 3);
  const auto first = sequences_of(epochs[0]);
  EXPECT_GT(first.size(), 100u);
  EXPECT_EQ(sequences_of(epochs[1]), first);
  EXPECT_EQ(sequences_of(epochs[2]), first);
  EXPECT_NE(originals(epochs[0][0]), originals(epochs[1][0]));

  std::map<Ids, std::set<Ids>> inputs_of;  // a sequence → what the model read in the three epochs
  for (const auto& epoch : epochs) {
    for (const PretrainBatch& b : epoch) {
      const Ids ids = to_vector<int32_t>(b.inputs.ids),
                offsets = to_vector<int32_t>(b.inputs.offsets);
      const auto before = originals(b);
      for (size_t s = 0; s < before.size(); ++s) {
        inputs_of[before[s]].insert(Ids(ids.begin() + offsets[s], ids.begin() + offsets[s + 1]));
      }
    }
  }
  const auto varied =
      std::ranges::count_if(inputs_of, [](const auto& each) { return each.second.size() > 1; });
  EXPECT_GT(varied, static_cast<ptrdiff_t>(inputs_of.size() * 9 / 10));
}

TEST_F(PretrainDataTest, StaticMaskingRepeatsItsDuplicates) {
  PretrainDataOptions options = small();
  options.duplicates = 2;
  const auto epochs = epochs_of(data(options), 3);
  const auto inputs = [](const std::vector<PretrainBatch>& epoch) {
    std::multiset<Ids> all;
    for (const PretrainBatch& b : epoch) {
      const Ids ids = to_vector<int32_t>(b.inputs.ids),
                offsets = to_vector<int32_t>(b.inputs.offsets);
      for (size_t s = 0; s + 1 < offsets.size(); ++s)
        all.emplace(ids.begin() + offsets[s], ids.begin() + offsets[s + 1]);
    }
    return all;
  };
  EXPECT_EQ(inputs(epochs[0]), inputs(epochs[2]));
  EXPECT_NE(inputs(epochs[0]), inputs(epochs[1]));
}

TEST_F(PretrainDataTest, BatchesKeepTheirBudgetAndMaskWholeWords) {
  PretrainData source = data(small());
  for (int i = 0; i < 50; ++i) {
    const PretrainBatch b = source.next();
    EXPECT_LE(b.inputs.tokens(), 200);
    EXPECT_GT(b.predictions(), 0);
    const Ids rows = to_vector<int32_t>(b.rows);
    Ids ids(static_cast<size_t>(b.inputs.tokens()));
    int32_t row = 0;
    for (const Ids& sequence : originals(b)) {
      for (const int32_t id : sequence) ids[static_cast<size_t>(row++)] = id;
    }
    const std::set<int32_t> selected(rows.begin(), rows.end());
    constexpr int32_t kFirst =
        6;  // id of the first character; pairs (6, 7), (8, 9) … below 126 are words
    for (const int32_t r : rows) {
      const int32_t id = ids[static_cast<size_t>(r)];
      if (id >= kFirst && id < kFirst + 120 && id % 2 == 0 &&
          ids[static_cast<size_t>(r) + 1] == id + 1) {
        EXPECT_TRUE(selected.contains(r + 1)) << "a word was split";
      }
    }
  }
}

TEST_F(PretrainDataTest, HeldOutDocumentsAreNeverTrainedOnAndAlwaysMeasuredAlike) {
  PretrainDataOptions options = small();
  options.held_out = 0.2;
  PretrainData source = data(options);
  EXPECT_LT(source.documents(), 60);
  const auto held_out = source.held_out();
  ASSERT_FALSE(held_out.empty());
  const auto again = data(options).held_out();
  ASSERT_EQ(again.size(), held_out.size());
  for (size_t i = 0; i < again.size(); ++i) EXPECT_EQ(content(again[i]), content(held_out[i]));
  const auto trained = sequences_of(epochs_of(data(options), 1)[0]);
  for (const Ids& each : sequences_of(held_out)) EXPECT_FALSE(trained.contains(each));

  options.held_out_tokens = 1;
  EXPECT_EQ(data(options).held_out().size(), 1u);
}

TEST_F(PretrainDataTest, AnotherCorpusHasAnotherFingerprint) {
  const Json before = data(small()).fingerprint();
  EXPECT_EQ(data(small()).fingerprint().to_string(), before.to_string());
  std::ofstream(folder_ / "texts" / "part0.txt", std::ios::app) << "\n"
                                                                << toy_character(1) << "。\n";
  EXPECT_NE(data(small()).fingerprint().to_string(), before.to_string());
}

TEST_F(PretrainDataTest, ACorpusInWhichNothingCanBePredictedIsAnError) {
  fs::remove_all(folder_ / "texts");
  fs::create_directories(folder_ / "texts");
  // one word of two tokens: more than the budget of one
  std::ofstream(folder_ / "texts" / "a.txt") << toy_character(0) << toy_character(1) << '\n';
  PretrainData source = data(small());
  EXPECT_THROW(source.next(), Error);
}

TEST_F(PretrainDataTest, NextSentenceNeedsTwoDocuments) {
  std::ofstream one(folder_ / "texts" / "part0.txt");
  Draws draws{Random(1)};
  for (int line = 0; line < 3000; ++line) one << toy_sentence(draws) << '\n';
  one.close();
  for (const char* other : {"part1.txt", "part2.txt"}) fs::remove(folder_ / "texts" / other);
  PretrainDataOptions options = small();
  options.held_out = 0;
  EXPECT_GT(data(options).documents(), 1) << "longer than a block";
  options.pair_task = PairTask::next_sentence;
  EXPECT_ERROR(data(options),
               "expected two documents to train on or more, got 1; put a blank line between");
}

TEST_F(PretrainDataTest, OptionsAreChecked) {
  PretrainDataOptions options = small();
  options.batch_tokens = 20;
  EXPECT_THROW(data(options), Error);
  options = small();
  options.duplicates = -1;
  EXPECT_THROW(data(options), Error);
  options = small();
  options.held_out = 1;  // everything
  EXPECT_THROW(data(options), Error);
}

}  // namespace
}  // namespace ink
