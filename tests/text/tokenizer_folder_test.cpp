// Model folders of every family: what is saved is read alike, from tokenizer.json and older files.
#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/sentencepiece_file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

const std::vector<std::string> kTexts = {"ink the 砚台", "", "  Ink\n<mask> 磨墨 x",
                                         "inkstone``<s>é"};

void expect_alike(const Tokenizer& a, const Tokenizer& b) {
  EXPECT_EQ(a.vocabulary(), b.vocabulary());
  for (const std::string& text : kTexts) {
    EXPECT_EQ(a.encode(text), b.encode(text)) << text;
    EXPECT_EQ(a.encode(text, "ink"), b.encode(text, "ink")) << text;
  }
}

void expect_read_as_saved(const Json& file) {
  const testing::TemporaryFolder folder;
  const Tokenizer tokenizer(parse_tokenizer_json(file.to_string(), "tokenizer.json"));
  tokenizer.save(folder / "model");
  expect_alike(Tokenizer::load(folder / "model"), tokenizer);
  std::filesystem::remove(folder / "model" / "tokenizer.json");
  const Tokenizer older = Tokenizer::load(folder / "model");
  EXPECT_EQ(older.encode("ink the 砚台").ids, tokenizer.encode("ink the 砚台").ids);
}

TEST(TokenizerFolder, ByteBpeIsReadAsSaved) { expect_read_as_saved(testing::tiny_bpe()); }

// Pairs are what only newer programs read.
TEST(TokenizerFolder, MergesAreWrittenAsLines) {
  const Json given = testing::tiny_bpe();
  const Json written = tokenizer_json(parse_tokenizer_json(given.to_string(), "t.json"));
  const Json& merges = written.object("model").array("merges");
  EXPECT_EQ(merges.size(), 6U);
  EXPECT_EQ(merges.string(0), "t h");
}

TEST(TokenizerFolder, UnigramIsReadAsSaved) {
  Json file = testing::tiny_unigram();
  Json added = file.array("added_tokens");  // only the special ones are in the older files
  Json special = Json::make_array();
  for (size_t i = 0; i < 5; ++i) special.append(added[i]);
  file.set("added_tokens", special);
  expect_read_as_saved(file);
}

TEST(TokenizerFolder, ConfigurationIsKept) {
  const testing::TemporaryFolder folder;
  write_file(folder / "tokenizer.json", testing::tiny_bpe().to_string());
  write_file(folder / "tokenizer_config.json",
             R"({"tokenizer_class": "LongformerTokenizer", "model_max_length": 512})");
  Tokenizer::load(folder.path()).save(folder / "copy");
  const Json config =
      parse_json(read_file(folder / "copy" / "tokenizer_config.json", 1 << 20), "c");
  EXPECT_EQ(config.string("tokenizer_class"), "LongformerTokenizer");
  EXPECT_EQ(config.integer("model_max_length"), 512);
  EXPECT_EQ(config.string("mask_token"), "<mask>");
}

TEST(TokenizerFolder, XlmRobertaShiftsIds) {
  const testing::TemporaryFolder folder;
  write_file(folder / "sentencepiece.bpe.model",
             write_sentencepiece(testing::tiny_sentencepiece()));
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.vocabulary().size(), 8);
  EXPECT_EQ(tokenizer.vocabulary().mask(), 7);
  EXPECT_EQ(tokenizer.encode("ink 砚x").ids, (std::vector<int32_t>{0, 4, 6, 5, 3, 2}));
  tokenizer.save(folder / "copy");
  EXPECT_EQ(
      parse_sentencepiece(read_file(folder / "copy" / "sentencepiece.bpe.model", 1 << 20), "c"),
      testing::tiny_sentencepiece());
}

TEST(SentencePiece, IsReadAsWrittenAndRefusedWhenCut) {
  const std::string bytes = write_sentencepiece(testing::tiny_sentencepiece());
  EXPECT_EQ(parse_sentencepiece(bytes, "m"), testing::tiny_sentencepiece());
  EXPECT_ERROR(parse_sentencepiece("", "m"), "expected pieces");
  EXPECT_ERROR(parse_sentencepiece(bytes.substr(0, 3), "m"), "m: expected");
  EXPECT_ERROR(parse_sentencepiece("\x0A\xFF\xFF\xFF\xFF\x0F", "m"), "length");
  EXPECT_ERROR(parse_sentencepiece(std::string_view("\x0A\x02\x0A\x00", 4), "m"),
               "a piece with a text");
  EXPECT_ERROR(parse_sentencepiece(bytes + "\x12\x02\x18\x02", "m"), "Unigram");
}

TEST(TokenizerJson, NamesWhatItDoesNotKnow) {
  const auto with = [](const char* key, Json value) {
    Json file = testing::tiny_unigram();
    file.set(key, std::move(value));
    return parse_tokenizer_json(file.to_string(), "t.json");
  };
  const auto typed = [](const char* type) { return Json::make_object({{"type", type}}); };
  EXPECT_ERROR(with("normalizer", typed("NFC")), "t.json: normalizer: type: expected BertNorm");
  EXPECT_ERROR(with("pre_tokenizer", typed("Digits")), "pre_tokenizer: expected Metaspace");
  EXPECT_ERROR(with("post_processor", typed("Other")), "expected TemplateProcessing");
  EXPECT_ERROR(with("model", typed("WordLevel")), "expected WordPiece, BPE or Unigram");
  EXPECT_ERROR(with("added_tokens", Json::make_array({Json::make_object({{"content", ""}})})),
               "expected the added token's text");
  EXPECT_ERROR(parse_tokenizer_json("{", "t.json"), "t.json:1:2");
  std::string empty = "{\"model\": [[]";
  for (int i = 0; i < 1 << 17; ++i) empty += ",[]";
  EXPECT_ERROR(parse_tokenizer_json(empty + "]}", "t.json"), "more than 65536 values");
}

}  // namespace
}  // namespace ink
