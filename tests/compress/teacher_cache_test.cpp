// What a teacher says, read from disk: the same bits in any batch, rounded or cut within their
// bounds; files that are stale, damaged or missing.
#include "compress/teacher_cache.h"

#include <gtest/gtest.h>

#include <cmath>

#include "compress/teacher.h"
#include "compress/top_logits.h"
#include "tensor/file.h"
#include "tests/compress/helpers.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

Features features_of(const std::vector<int64_t>& lengths) {
  std::vector<Feature> items;
  for (size_t i = 0; i < lengths.size(); ++i) {
    Feature item;
    item.targets = {0};
    item.encoding.ids = to_vector<int32_t>(randint({lengths[i]}, 900 + i, 0, 50));
    item.encoding.segments.assign(item.encoding.ids.size(), 0);
    items.push_back(std::move(item));
  }
  return Features(std::move(items));
}

std::vector<IntermediateMatch> matches() {
  return {{.layer_teacher = 1, .layer_student = 1},
          {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::nst, .second_teacher = 0},
          {.layer_teacher = 2, .layer_student = 1, .loss = MatchLoss::attention_mse},
          {.layer_teacher = 1, .layer_student = 1, .loss = MatchLoss::minilm_value}};
}

class CachedTeacher : public ::testing::Test {
 protected:
  CacheSource source() {
    return {.features = features,
            .fields = cached_fields(teacher.config, config),
            .teacher = Json::make_object({{"weights", "abc"}}),
            .outputs =
                [this](const Packed& batch) {
                  if (++batches_computed > most_batches) fail("the power went out");
                  return outputs_of(teacher, batch, {}, config);
                },
            .heads = teacher.config.heads_per_layer};
  }
  TeacherCacheOptions options(const std::string& name) const {
    return {.folder = folder.path() / name, .part_bytes = 8000};
  }
  ModelOutputs live(const std::vector<int64_t>& rows) const {
    return outputs_of(teacher, features.batch(rows).inputs, {}, config);
  }
  // Every field of `got` is that of the teacher itself, as `same` has it.
  template <class Same>
  void expect_fields(ModelOutputs got, ModelOutputs wanted, Same same) {
    for (const CachedField& field : source().fields)
      same(place_of(field, got), place_of(field, wanted), field.name());
  }

  TemporaryFolder folder;
  Features features = features_of({5, 9, 1, 12, 3, 20, 7, 7, 2, 16, 4, 11});
  Model teacher = tiny_model(tiny_config(2, 4, 24), 7);
  DistillationConfig config{.intermediate_matches = matches()};
  int batches_computed = 0, most_batches = 1000;
};

TEST_F(CachedTeacher, IsTheTeacherBitForBitInAnyBatch) {
  const TeacherCache cache(options("f32"), source());
  EXPECT_GT(cache.parts(), 3) << "so that batches are gathered from several files";
  for (const std::vector<int64_t>& rows :
       std::vector<std::vector<int64_t>>{{0, 1, 2, 3}, {11, 5, 2}, {7}, {3, 10, 0, 9, 3}}) {
    expect_fields(cache.outputs(rows), live(rows),
                  [](const Tensor& got, const Tensor& wanted, const std::string& name) {
                    EXPECT_TRUE(equal_bits(got, wanted)) << name;
                  });
  }
  const ModelOutputs some = cache.outputs(std::vector<int64_t>{4});
  EXPECT_EQ(some.hidden.size(), 3u);
  EXPECT_EQ(some.heads, teacher.config.heads_per_layer);
  EXPECT_FALSE(some.attention[0].query) << "only what matches read is kept";
  EXPECT_TRUE(some.attention[0].value);
  EXPECT_ERROR(cache.outputs(std::vector<int64_t>{12}), "expected examples from 0 to 11, got 12");
}

TEST_F(CachedTeacher, KeepsAllLayersForOptimalTransport) {
  config.intermediate_matches.clear();
  config.emd = {{.pair = {}}, {.pair = {.loss = MatchLoss::minilm_value}}};
  std::vector<std::string> names;
  for (const CachedField& field : source().fields) names.push_back(field.name());
  EXPECT_EQ(names, (std::vector<std::string>{"logits", "hidden.0", "hidden.1", "hidden.2",
                                             "attention.1.value", "attention.2.value"}));
}

TEST_F(CachedTeacher, RoundsToTheNearestOf16Bits) {
  TeacherCacheOptions half = options("bf16");
  half.dtype = Dtype::bf16;
  const TeacherCache cache(half, source());
  const std::vector<int64_t> rows = {9, 1, 4};
  expect_fields(cache.outputs(rows), live(rows),
                [](const Tensor& got, const Tensor& wanted, const std::string& name) {
                  const auto g = to_vector<float>(got), w = to_vector<float>(contiguous(wanted));
                  ASSERT_EQ(g.size(), w.size()) << name;
                  int rounded = 0;
                  for (size_t i = 0; i < g.size(); ++i) {
                    EXPECT_LE(std::abs(g[i] - w[i]), std::abs(w[i]) / 256) << name;
                    rounded += g[i] != w[i];
                  }
                  EXPECT_GT(rounded, 0) << name;
                });
}

TEST_F(CachedTeacher, KeepsLogitsOfTokens) {
  const Model tagger = tiny_model(tiny_config(1, 2, 8), 3, {.tagging = true});
  CacheSource tags = source();
  tags.fields = cached_fields(tagger.config, {}, {.tagging = true});
  const auto logits = [&](const Packed& batch) -> ModelOutputs {
    return {.logits = tagger.tagging->logits(tagger.body(batch, {}).hidden, nullptr), .hidden = {}};
  };
  tags.outputs = logits;
  const TeacherCache cache(options("tags"), tags);
  const std::vector<int64_t> rows = {5, 2, 8};
  const Tensor got = cache.outputs(rows).logits;
  EXPECT_EQ(got.shape(), (Shape{20 + 1 + 2, 3}));
  EXPECT_TRUE(equal_bits(got, logits(features.batch(rows).inputs).logits));
}

TEST_F(CachedTeacher, GoesOnWhereItWasInterrupted) {
  most_batches = 2;  // the third part fails
  EXPECT_ERROR(TeacherCache(options("interrupted"), source()), "the power went out");
  EXPECT_TRUE(exists(options("interrupted").folder / "teacher-00001.safetensors"));
  EXPECT_FALSE(exists(options("interrupted").folder / "teacher-00002.safetensors"));
  most_batches = 1000;
  const TeacherCache rest(options("interrupted"), source());
  EXPECT_EQ(rest.parts_made(), rest.parts() - 2);
  batches_computed = 0;
  const TeacherCache again(options("interrupted"), source());
  EXPECT_EQ(again.parts_made(), 0);
  EXPECT_EQ(batches_computed, 0) << "a whole cache asks nothing of the teacher";
  const std::vector<int64_t> rows = {0, 11, 6};
  EXPECT_TRUE(equal_bits(again.outputs(rows).logits, live(rows).logits));
  std::atomic<bool> stop = true;
  CacheSource stopped = source();
  stopped.stop = &stop;
  EXPECT_ERROR(TeacherCache(options("stopped"), stopped), "stopped while the teacher's outputs");
  EXPECT_EQ(TeacherCache(options("interrupted"), stopped).parts_made(), 0) << "nothing to stop";
}

TEST_F(CachedTeacher, RefusesWhatWasMadeOfSomethingElse) {
  const TeacherCache cache(options("stale"), source());
  const auto refused = [&](const CacheSource& other, const TeacherCacheOptions& with,
                           const std::string& why) {
    EXPECT_ERROR(TeacherCache(with, other), why);
    EXPECT_ERROR(TeacherCache(with, other), "have \"rebuild\": true in teacher_cache");
  };
  CacheSource other = source();
  other.teacher.set("weights", "xyz");
  refused(other, options("stale"), "it was made by a teacher with other weights");
  TeacherCacheOptions half = options("stale");
  half.dtype = Dtype::bf16;
  refused(source(), half, "it was made of dtype \"f32\", this job has \"bf16\"");
  const Features fewer = features_of({5, 9});
  const CacheSource texts{
      .features = fewer, .fields = source().fields, .teacher = source().teacher};
  refused(texts, options("stale"), "it was made of other tokens than this job's");
  CacheSource more = source();
  config.intermediate_matches[0].layer_teacher = 0;
  config.intermediate_matches[1].layer_teacher = 1;
  config.intermediate_matches[3].loss = MatchLoss::minilm_key;
  more.fields = source().fields;
  refused(more, options("stale"), "it has no attention.1.key, which this job reads");
  more.fields.pop_back();
  EXPECT_EQ(TeacherCache(options("stale"), more).parts_made(), 0) << "fewer fields are in it";

  half.rebuild = true;
  const TeacherCache rebuilt(half, source());
  EXPECT_EQ(rebuilt.parts_made(), rebuilt.parts());
  EXPECT_LT(rebuilt.parts(), cache.parts()) << "of half the size";
  half.rebuild = false;
  EXPECT_EQ(TeacherCache(half, source()).parts_made(), 0) << "no old part is left behind";
}

TEST_F(CachedTeacher, RefusesDamagedFiles) {
  const int64_t parts = TeacherCache(options("damaged"), source()).parts();
  const std::filesystem::path first = options("damaged").folder / "teacher-00000.safetensors";
  const std::string whole = read_file(first, 1 << 20);
  const auto refused = [&](const std::string& bytes, const std::string& why) {
    write_file(first, bytes);
    EXPECT_ERROR(TeacherCache(options("damaged"), source()), why);
  };
  refused(whole.substr(0, whole.size() / 2), "teacher-00000.safetensors: ");
  refused(whole.substr(0, 3), "expected a safetensors file, got 3 bytes");
  refused("", "teacher-00000.safetensors");
  std::string flipped = whole;
  flipped[whole.size() - 5] ^= 1;
  refused(flipped, "its numbers are not those that were written");
  refused(std::string(64, '\xff'), "expected a header of at most");
  std::string nameless = whole;
  nameless.replace(nameless.find("teacher_cache"), 13, "teacher_cachE");
  refused(nameless, "expected metadata named teacher_cache; this is no part");
  std::string other = whole;
  other.replace(other.find(R"(\"first\": 0)"), 12, R"(\"first\": 1)");
  refused(other, "expected examples from number 0 on, got 1 to ");
  std::string beyond = whole;
  const size_t end = beyond.find(R"(\"end\": )") + 9;
  beyond.replace(end, 1, std::to_string(1 + beyond[end] - '0'));
  refused(beyond, ": expected f32 ");
  // a part of another place
  std::filesystem::copy_file(options("damaged").folder / "teacher-00001.safetensors", first,
                             std::filesystem::copy_options::overwrite_existing);
  EXPECT_ERROR(TeacherCache(options("damaged"), source()), "expected examples from number 0 on");
  TeacherCacheOptions again = options("damaged");
  again.rebuild = true;
  EXPECT_EQ(TeacherCache(again, source()).parts_made(), 1);
  EXPECT_EQ(read_file(first, 1 << 20), whole);
  std::filesystem::copy_file(
      first, options("damaged").folder / ("teacher-0000" + std::to_string(parts) + ".safetensors"));
  EXPECT_ERROR(TeacherCache(options("damaged"), source()), "expected no part behind the last");
}

TEST_F(CachedTeacher, KeepsTheLargestLogits) {
  config.intermediate_matches.clear();
  TeacherCacheOptions top = options("top");
  top.top_k = 2;
  const std::vector<int64_t> rows = {3, 0};
  const Tensor got = TeacherCache(top, source()).outputs(rows).logits, wanted = live(rows).logits;
  // of three classes the third is all the rest, so nothing is lost but a rounding
  EXPECT_LT(distance(got, wanted), 1e-6);
  top.folder = folder.path() / "all";
  top.top_k = 3;
  EXPECT_TRUE(equal_bits(TeacherCache(top, source()).outputs(rows).logits, wanted));
}

TEST(TopLogits, KeepProbabilitiesAndSpreadTheRest) {
  // probabilities 1/16, 8/16, 2/16, 4/16, 1/16
  const auto log2_of = [](float x) { return x * std::log(2.0f); };
  const Tensor logits = from(std::span<const float>(std::vector<float>{
                                 log2_of(0), log2_of(3), log2_of(1), log2_of(2), log2_of(0)}),
                             {1, 5});
  const TopLogits top = top_logits(logits, 2);
  EXPECT_EQ(to_vector<int32_t>(top.indices), (std::vector<int32_t>{1, 3}));
  EXPECT_NEAR(top.rest.item(), std::log(4.0), 1e-6);
  const auto p = to_vector<float>(softmax(restored(top, 5)));
  const std::vector<double> wanted = {4.0 / 48, 0.5, 4.0 / 48, 0.25, 4.0 / 48};
  for (size_t i = 0; i < 5; ++i) EXPECT_NEAR(p[i], wanted[i], 1e-6) << i;
  // of equal logits the first
  EXPECT_EQ(to_vector<int32_t>(top_logits(full({1, 4}, 2), 2).indices),
            (std::vector<int32_t>{0, 1}));
  EXPECT_ERROR(top_logits(logits, 5), "expected k from 1 to 4, got 5");
}

TEST(TopLogits, StayWithinTheirBound) {
  constexpr int64_t C = 40;
  const Tensor logits = converted(rand_uniform({30, C}, 4, -6, 6), Dtype::f32);
  for (const int64_t k : {1, 5, 39}) {
    const auto p = to_vector<float>(softmax(logits)),
               q = to_vector<float>(softmax(restored(top_logits(logits, k), C)));
    const TopLogits top = top_logits(logits, k);
    for (int64_t r = 0; r < 30; ++r) {
      double divergence = 0, mass = 1;
      for (int64_t j = 0; j < k; ++j) {
        const auto at = static_cast<size_t>(r * C + top.indices.data<int32_t>()[r * k + j]);
        EXPECT_NEAR(p[at], q[at], 1e-6);
        mass -= p[at];
      }
      for (auto i = static_cast<size_t>(r * C); i < static_cast<size_t>((r + 1) * C); ++i)
        divergence += p[i] * std::log(p[i] / q[i]);
      EXPECT_GE(divergence, -1e-6);
      EXPECT_LE(divergence, mass * std::log(static_cast<double>(C - k)) + 1e-6);
    }
  }
  TopLogits wrong = top_logits(logits, 2);
  wrong.indices.data<int32_t>()[7] = C;
  EXPECT_ERROR(restored(wrong, C), "expected indices from 0 to 39, got 40");
}

}  // namespace
}  // namespace ink
