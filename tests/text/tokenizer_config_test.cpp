// The small files beside a tokenizer: which options and tokens they give it, as in transformers 5.
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

using Ids = std::vector<int32_t>;
using testing::TemporaryFolder;

constexpr const char* kVocabulary = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\nA\nb\n";

// BERT's tokenizer.json, cased or not, with kVocabulary.
std::string bert_json(bool cased) {
  const Tokenizer tokenizer(Vocabulary::parse(kVocabulary, "v"), {.do_lower_case = !cased});
  return tokenizer_json(tokenizer.parts()).to_string();
}

Tokenizer with_config(const std::string& tokenizer_json, const std::string& config) {
  const TemporaryFolder folder;
  write_file(folder / "tokenizer.json", tokenizer_json);
  write_file(folder / "tokenizer_config.json", config);
  return Tokenizer::load(folder.path());
}

Tokenizer from_vocab_txt(const std::string& text) {
  const TemporaryFolder folder;
  write_file(folder / "vocab.txt", text);
  return Tokenizer::load(folder.path());
}

bool lowers(const Tokenizer& tokenizer) { return tokenizer.pieces("A").ids == Ids{5}; }

TEST(TokenizerConfig, BertsClassHasDefaultsWhateverTokenizerJsonSays) {
  EXPECT_TRUE(lowers(with_config(bert_json(true), R"({"tokenizer_class": "BertTokenizer"})")));
  EXPECT_TRUE(lowers(with_config(bert_json(true), R"({"tokenizer_class": "BertTokenizerFast"})")));
  EXPECT_FALSE(lowers(with_config(
      bert_json(false), R"({"tokenizer_class": "BertTokenizer", "do_lower_case": false})")));
  EXPECT_FALSE(lowers(with_config(bert_json(true), "{}"))) << "no class is named";
}

TEST(TokenizerConfig, OtherClassesTakeTokenizerJsonAsItIs) {
  for (const char* name : {"PreTrainedTokenizerFast", "TokenizersBackend"})
    EXPECT_FALSE(lowers(with_config(bert_json(true), std::string(R"({"tokenizer_class": ")") +
                                                         name + R"(", "do_lower_case": true})")));
}

TEST(TokenizerConfig, RobertasClassSetsThePrefixSpace) {
  const std::string json = testing::tiny_bpe().to_string();
  EXPECT_EQ(
      with_config(json, R"({"tokenizer_class": "RobertaTokenizer", "add_prefix_space": true})")
          .pieces("the")
          .ids,
      with_config(json, "{}").pieces(" the").ids);
  EXPECT_EQ(with_config(json, R"({"tokenizer_class": "RobertaTokenizer"})").pieces("the").ids,
            with_config(json, "{}").pieces("the").ids);
  EXPECT_EQ(with_config(json, R"({"tokenizer_class": "TokenizersBackend",
                                  "add_prefix_space": true})")
                .pieces("the")
                .ids,
            with_config(json, "{}").pieces("the").ids);
}

TEST(TokenizerConfig, ExtraSpecialTokensAreAdded) {
  for (const char* key : {"extra_special_tokens", "additional_special_tokens"}) {
    const Tokenizer t = with_config(
        bert_json(false), std::string(R"({")") + key + R"(": ["[E1]", {"content": "a b"}]})");
    EXPECT_EQ(t.vocabulary().size(), 10) << key;
    EXPECT_EQ(t.pieces("b[E1]a b a").ids, (Ids{7, 8, 9, 5})) << key;
    EXPECT_EQ(t.decode(Ids{7, 8}), "b") << "they are special";
  }
  const Tokenizer named =
      with_config(bert_json(false), R"({"extra_special_tokens": {"image_token": "[IMG]"}})");
  EXPECT_EQ(named.pieces("[IMG]").ids, Ids{8});
}

TEST(TokenizerConfig, AddedTokensJsonIsReadBesideTokenizerJson) {
  const TemporaryFolder folder;
  write_file(folder / "tokenizer.json", bert_json(false));
  write_file(folder / "added_tokens.json", R"({"later": 9, "ab": 8, "b": 7})");
  EXPECT_EQ(Tokenizer::load(folder.path()).pieces("ab later bab").ids, (Ids{8, 9, 7, 8}));
  // Where added_tokens_decoder is there, added_tokens.json is what it was made from.
  write_file(folder / "tokenizer_config.json",
             R"({"added_tokens_decoder": {"8": {"content": "decoded"}}})");
  const Tokenizer decoded = Tokenizer::load(folder.path());
  EXPECT_EQ(decoded.pieces("decoded").ids, Ids{8});
  EXPECT_EQ(decoded.vocabulary().size(), 9);
}

TEST(TokenizerConfig, SpecialTokensThatTheVocabularyLacksAreAppended) {
  const Tokenizer t = from_vocab_txt("[PAD]\n[UNK]\n[CLS]\n[SEP]\na\n");
  EXPECT_EQ(t.vocabulary().mask(), 5);
  EXPECT_EQ(t.encode("a[MASK]").ids, (Ids{2, 4, 5, 3}));
  const Tokenizer marked = from_vocab_txt("\uFEFF[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\na\n");
  EXPECT_EQ(marked.vocabulary().pad(), 6) << "a byte order mark belongs to its line";
}

TEST(TokenizerConfig, OddVocabulariesAreReadAsSaved) {
  for (const char* rest : {"x\n\ny\n", "x\nx\ny\n", "x\n\n\n", "\n\nx\ny\nx\n"}) {
    const Tokenizer t = from_vocab_txt(kVocabulary + std::string(rest));
    const TemporaryFolder folder;
    t.save(folder.path());
    const Ids ids = t.encode("x a y b").ids;
    EXPECT_EQ(Tokenizer::load(folder.path()).encode("x a y b").ids, ids) << rest;
    std::filesystem::remove(folder / "tokenizer.json");
    EXPECT_EQ(Tokenizer::load(folder.path()).encode("x a y b").ids, ids) << rest;
  }
}

TEST(TokenizerConfig, AddedTokensGetTheNextIds) {
  Json file = parse_json(bert_json(false), "t");
  Json added = file.array("added_tokens");
  added.append(Json::make_object({{"id", 99}, {"content", "far"}}));
  file.set("added_tokens", added);
  EXPECT_EQ(with_config(file.to_string(), "{}").pieces("far a").ids, (Ids{8, 5}));
}

TEST(TokenizerConfig, TooManyIdsWithoutATokenAreRefused) {
  Json file = parse_json(bert_json(false), "t");
  Json model = file.object("model"), vocab = model.object("vocab");
  vocab.set("far", 1 << 24);
  model.set("vocab", vocab);
  file.set("model", model);
  EXPECT_ERROR(with_config(file.to_string(), "{}"), "without gaps");
}

// XLM-R's own <pad> and <mask> win over pieces of that name.
TEST(TokenizerConfig, PiecesOfTheSameNameKeepTheirIds) {
  using Type = SentencePieceFile::Type;
  const SentencePieceFile file{{{"<unk>", 0, Type::unknown},
                                {"<s>", 0, Type::control},
                                {"</s>", 0, Type::control},
                                {"<pad>", 0, Type::control},
                                {"<mask>", 0, Type::control},
                                {"▁a", -2, Type::normal}},
                               ""};
  const TemporaryFolder folder;
  write_file(folder / "sentencepiece.bpe.model", write_sentencepiece(file));
  const Tokenizer t = Tokenizer::load(folder.path());
  EXPECT_EQ(t.vocabulary().size(), 8);
  EXPECT_EQ(t.vocabulary().pad(), 4) << "of equal pieces the last";
  EXPECT_EQ(t.vocabulary().mask(), 7);
  EXPECT_EQ(t.encode("a<mask><pad>").ids, (Ids{0, 6, 7, 4, 2}));
  t.save(folder / "copy");
  EXPECT_EQ(Tokenizer::load(folder / "copy").encode("a<mask><pad>").ids, (Ids{0, 6, 7, 4, 2}));
}

}  // namespace
}  // namespace ink
