// Pruning the vocabulary: every family computes the same bit for bit, and reads what was written.
#include "compress/prune_vocabulary.h"

#include <algorithm>

#include "compress/prune_pipeline.h"
#include "compress/vocabulary_surgery.h"
#include "nn/parameter_count.h"
#include "tests/compress/vocabulary_folders.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

class PruneVocabulary : public ::testing::Test {
 protected:
  void SetUp() override {
    create_folders(folder_);
    write_file(folder_ / "text.txt", "砚台 ink\n\ninkstone 好墨 ink\ninks 砚x\n");
  }
  void TearDown() override { fs::remove_all(folder_); }

  VocabularyPruneOptions job(VocabularyPruningConfig config = {}) const {
    return {.model = folder_ / "model",
            .out = folder_ / "out",
            .texts = {folder_ / "text.txt"},
            .config = std::move(config)};
  }
  Json written(const fs::path& file) const {
    return parse_json(read_file(folder_ / file, 1 << 20), file.string());
  }
  const fs::path folder_ = scratch_folder("ink_prune_vocabulary");
};

Packed packed(const Encoding& e) {
  const std::vector<std::vector<int32_t>> ids{e.ids}, segments{e.segments};
  return pack(ids, segments);
}

// Hidden states and the logits of kept tokens of `after` are those of `before`, on every text.
void expect_same_function(const fs::path& before, const fs::path& after,
                          const std::vector<std::string>& texts) {
  const Model a = load_model(before), b = load_model(after);
  const Tokenizer one = Tokenizer::load(before), two = Tokenizer::load(after);
  ASSERT_LT(b.config.vocab_size, a.config.vocab_size);
  ASSERT_EQ(b.config.vocab_size, two.vocabulary().size());
  for (const std::string& text : texts) {
    const Tensor x = a.body(packed(one.encode(text))).hidden,
                 y = b.body(packed(two.encode(text))).hidden;
    ASSERT_TRUE(equal_bits(x, y)) << text;
    if (!a.masked_lm) continue;
    const Tensor p = a.masked_lm->logits(x), q = b.masked_lm->logits(y);
    for (int32_t id = 0; id < two.vocabulary().size(); ++id) {
      const int64_t old_id = *one.vocabulary().find(two.vocabulary().token(id));
      for (int64_t row = 0; row < q.dim(0); ++row)
        ASSERT_EQ(q.data<float>()[row * q.dim(1) + id], p.data<float>()[row * p.dim(1) + old_id])
            << text << ": " << two.vocabulary().token(id);
    }
  }
}

TEST_F(PruneVocabulary, EveryFamilyComputesTheSame) {
  for (const VocabularyFamily& family : vocabulary_families()) {
    SCOPED_TRACE(std::string(family.golden) + (family.tied ? "" : ", untied"));
    write_small_folder(family, folder_ / "model");
    const VocabularyPruneResult r = prune_vocabulary(job());
    EXPECT_EQ(r.rows_before, r.tokens_before + 3);
    EXPECT_EQ(r.coverage(), 1);
    EXPECT_EQ(r.comparison->lines_cut_otherwise, 0);
    EXPECT_EQ(r.comparison->lines, 3);
    const std::vector<std::string> texts = {"砚台 ink", "inkstone 好墨 ink", "inks 砚x"};
    expect_same_function(folder_ / "model", folder_ / "out", texts);
    // And once more, from the pruned folder.
    VocabularyPruneOptions again = job();
    again.model = folder_ / "out";
    again.out = folder_ / "twice";
    write_file(folder_ / "less.txt", "砚台\n");
    again.texts = {folder_ / "less.txt"};
    prune_vocabulary(again);
    expect_same_function(folder_ / "model", folder_ / "twice", {"砚台"});
    for (const char* name : {"model", "out", "twice"}) fs::remove_all(folder_ / name);
  }
}

TEST_F(PruneVocabulary, AnUntiedDecoderKeepsItsOwnWeights) {
  write_small_folder({"bert-MaskedLM", "WordPiece", false}, folder_ / "model");
  prune_vocabulary(job());
  const Model before = load_model(folder_ / "model"), after = load_model(folder_ / "out");
  EXPECT_NE(after.masked_lm->word.name, after.body.words().name);
  const int64_t old_id = 10, C = before.config.hidden_size;  // 砚
  const auto new_id = *Tokenizer::load(folder_ / "out").vocabulary().find("砚");
  const Tensor &from = before.masked_lm->word.value, &to = after.masked_lm->word.value;
  for (int64_t c = 0; c < C; ++c)
    EXPECT_EQ(to.data<float>()[new_id * C + c], from.data<float>()[old_id * C + c]);
}

// Ids in config.json, one or several, are those of the kept tokens; others stay.
TEST_F(PruneVocabulary, ConfigNamesTheNewIds) {
  write_small_folder({"bert-MaskedLM", "WordPiece"}, folder_ / "model");
  Json config = written("model/config.json");
  config.set("eos_token_id", Json::make_array({4, 16})).set("mask_token_id", 5);
  config.set("forced_bos_token_id", nullptr).set("bos_token_id", 99);
  write_file(folder_ / "model" / "config.json", config.to_string());
  prune_vocabulary(job());
  const Tokenizer tokenizer = Tokenizer::load(folder_ / "out");
  const Json after = written("out/config.json");
  EXPECT_EQ(after.array("eos_token_id").integer(0), tokenizer.vocabulary().sep());
  EXPECT_EQ(after.array("eos_token_id").integer(1), *tokenizer.vocabulary().find("s"));
  EXPECT_EQ(after.integer("mask_token_id"), tokenizer.vocabulary().mask());
  EXPECT_EQ(after.integer("pad_token_id"), tokenizer.vocabulary().pad());
  EXPECT_EQ(after.integer("bos_token_id"), 99) << "no token before, none after";
  EXPECT_TRUE(after["forced_bos_token_id"].is_null());
  EXPECT_EQ(after.integer("vocab_size"), tokenizer.vocabulary().size());
}

// RoBERTa's positions count from the padding's id, which therefore cannot change.
TEST(VocabularySurgery, IdsUpToPaddingStayWherePositionsCountFromIt) {
  ModelConfig config = tiny_config(1, 2, 4);
  config.pad_token_id = 3;
  EXPECT_EQ(std::ranges::count(tokens_of_model(config, 50), 1), 1);
  config.positions_after_padding = true;
  EXPECT_EQ(std::ranges::count(tokens_of_model(config, 50), 1), 4);
}

TEST(VocabularySurgery, AsksForTheTokensOfTheModel) {
  const Model model = tiny_model(tiny_config(1, 2, 4), 1);
  TokenSet set(50, 1);
  set[0] = 0;
  EXPECT_ERROR(with_vocabulary(model, KeptTokens(set)), "config.json names the id 0");
  EXPECT_ERROR(with_vocabulary(model, KeptTokens(TokenSet(51, 1))), "at most 50 tokens");
}

TEST_F(PruneVocabulary, AccountAndReport) {
  write_small_folder({"bert-MaskedLM", "WordPiece"}, folder_ / "model");
  std::string said;
  const VocabularyPruneResult r = prune_vocabulary(
      job({.min_count = 2}), [&](const std::string& sentence) { said += sentence; });
  // ink 4 times, 砚 2; once: 台 ##stone 好 墨 ##s x. 15 in all, of them [UNK] ("砚x" is 砚, x).
  const Vocabulary vocabulary = Tokenizer::load(folder_ / "out").vocabulary();
  EXPECT_TRUE(vocabulary.find("ink") && vocabulary.find("砚"));
  EXPECT_FALSE(vocabulary.find("台") || vocabulary.find("[unused1]"));
  EXPECT_EQ(r.counted, 12);
  EXPECT_EQ(r.counted_kept, 6);
  ASSERT_EQ(r.most_frequent_dropped.size(), 6U);
  EXPECT_EQ(r.most_frequent_dropped[0].count, 1);
  EXPECT_EQ(r.comparison->unknown_before, 0);
  EXPECT_GT(r.comparison->unknown_after, 0);
  EXPECT_EQ(r.comparison->lines_cut_otherwise, 3);
  EXPECT_NE(said.find("more of the text is unknown"), std::string::npos) << said;
  const Json account = written("out/vocabulary_pruning.json");
  EXPECT_EQ(account.object("config").integer("min_count"), 2);
  EXPECT_EQ(account.object("tokens").integer("before"), 19);
  EXPECT_EQ(account.object("tokens").integer("after"), 7);
  EXPECT_EQ(account.object("rows").integer("before"), 22);
  EXPECT_EQ(account.array("kept_ids").size(), 7U);
  EXPECT_EQ(account.array("kept_ids").integer(1), 2);
  EXPECT_EQ(account.object("kinds").object("special").integer("kept"), 5);
  const int64_t rows = 22 - 7, C = load_model(folder_ / "model").config.hidden_size;
  EXPECT_EQ(account.object("parameters").integer("before") -
                account.object("parameters").integer("after"),
            rows * (C + 1));  // of the table, and of the decoder's bias
}

TEST_F(PruneVocabulary, HeadsThatCannotBe) {
  write_small_folder({"bert-MaskedLM", "WordPiece"}, folder_ / "model");
  EXPECT_ERROR(prune_vocabulary(job({.prune_lm_head = LmHeadPruning::refused})),
               "prune_lm_head is false, but cls.predictions.bias would keep 22 tokens");
  prune_vocabulary(job({.prune_lm_head = LmHeadPruning::required}));
  fs::remove_all(folder_ / "out");
  ModelConfig config = ModelConfig::read(folder_ / "model" / "config.json");
  save_model(Model(config, {.classification = true}, random_values(Random(1))), folder_ / "model");
  EXPECT_ERROR(prune_vocabulary(job({.prune_lm_head = LmHeadPruning::required})),
               "no output layer over the vocabulary");
  prune_vocabulary(job({.prune_lm_head = LmHeadPruning::refused}));
  expect_same_function(folder_ / "model", folder_ / "out", {"砚台"});
}

// Nothing is written before everything is known to be right.
TEST_F(PruneVocabulary, ErrorsLeaveNoFolder) {
  write_small_folder({"bert-MaskedLM", "WordPiece"}, folder_ / "model");
  const auto refused = [&](const VocabularyPruneOptions& options, const char* part) {
    EXPECT_ERROR(prune_vocabulary(options), part);
    EXPECT_FALSE(fs::exists(folder_ / "out")) << part;
  };
  refused(job({.target_size = 4}), "target_size: expected at least 5");
  refused(job({.target_size = 20}), "target_size: expected at most the 19 tokens");
  refused(job({.min_count = 1000}), "no token of the text is left but the 5");
  refused(job({.additional_tokens = {"砚", "##stome"}}), "did you mean '##stone'?");
  refused(job({.additional_token_ids = {19}}), "expected ids from 0 to 18, got 19");
  VocabularyPruneOptions options = job();
  options.texts.clear();
  refused(options, "expected texts (--text)");
  options = job();
  options.out = options.model;
  EXPECT_ERROR(prune_vocabulary(options), "model");
  EXPECT_FALSE(fs::exists(folder_ / "model" / "vocabulary_pruning.json"));
}

// What 250,002 tokens come to (TextPruner's table for XNLI): everything but word embeddings is
// 86,044,419 parameters, and MB are 2^20 bytes.
TEST(VocabularySizes, OfXlmRoberta) {
  const Json json = parse_json(R"({"model_type": "xlm-roberta", "vocab_size": 250002,
      "hidden_size": 768, "num_hidden_layers": 12, "num_attention_heads": 12,
      "intermediate_size": 3072, "max_position_embeddings": 514, "type_vocab_size": 1,
      "num_labels": 3})",
                               "config.json");
  ModelConfig config = ModelConfig::from(json);
  for (const auto& [tokens, megabytes] : std::vector<std::pair<int64_t, double>>{
           {250002, 1060.7}, {26653, 406.3}, {23553, 397.2}, {37503, 438.1}}) {
    config.vocab_size = tokens;
    const int64_t parameters = parameter_count(config, {.classification = true});
    EXPECT_EQ(parameters, 86'044'419 + 768 * tokens);
    EXPECT_NEAR(4.0 * static_cast<double>(parameters) / (1 << 20), megabytes, 0.05) << tokens;
  }
}

// Heads and neurons go, and then tokens: as one after the other, with one model written.
TEST_F(PruneVocabulary, PipelineIsBothOneAfterTheOther) {
  write_small_tokenizer("WordPiece", folder_ / "model");
  ModelConfig config = tiny_config(2, 4, 8);
  config.vocab_size = 22;
  save_model(tiny_model(config, 3), folder_ / "model");
  write_file(folder_ / "masks.json",
             R"({"head_mask": [[1,0,1,0],[0,0,0,1]],
                 "ffn_mask": [[1,1,0,0,1,0,1,1],[0,0,1,0,0,0,0,0]]})");
  PruneOptions transformer{.model = folder_ / "model",
                           .out = folder_ / "out",
                           .max_length = 16,
                           .masks = folder_ / "masks.json"};
  VocabularyPruneOptions vocabulary = job();
  const PipelineResult r = prune_pipeline(transformer, vocabulary);
  EXPECT_EQ(r.transformer.heads_per_layer, (std::vector<int64_t>{2, 1}));
  EXPECT_EQ(r.vocabulary.parameters_before, r.transformer.parameters_before);
  EXPECT_LT(r.vocabulary.parameters_after, r.transformer.parameters_after);
  for (const char* name : {"pruning.json", "vocabulary_pruning.json"})
    EXPECT_TRUE(fs::exists(folder_ / "out" / name)) << name;

  transformer.out = folder_ / "narrower";
  prune(transformer);
  vocabulary.model = folder_ / "narrower";
  vocabulary.out = folder_ / "both";
  prune_vocabulary(vocabulary);
  expect_same_function(folder_ / "narrower", folder_ / "out", {"砚台 ink"});
  for (const char* name : {"model.safetensors", "vocab.txt", "tokenizer.json", "config.json"})
    EXPECT_EQ(read_file(folder_ / "out" / name, 1 << 24),
              read_file(folder_ / "both" / name, 1 << 24))
        << name;
}

}  // namespace
}  // namespace ink
