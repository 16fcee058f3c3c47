// Tokenizer files that were cut short, and files made to need much memory.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "tensor/error.h"
#include "tensor/file.h"
#include "tests/peak_memory.h"
#include "tests/temporary_folder.h"
#include "tests/text/tiny_tokenizers.h"
#include "text/sentencepiece_file.h"
#include "text/tokenizer.h"
#include "text/tokenizer_json.h"

namespace ink {
namespace {

namespace fs = std::filesystem;
using testing::TemporaryFolder;

// Different words as short as can be: a, b, …, z, aa, …
std::string short_word(size_t number) {
  std::string word;
  for (++number; number > 0; number = (number - 1) / 26)
    word += static_cast<char>('a' + (number - 1) % 26);
  return word;
}

// `count` of what make(i) writes.
template <class F>
std::string many(size_t count, const F& make) {
  std::string text;
  for (size_t i = 0; i < count; ++i) text += make(i);
  return text;
}

std::string vocab_txt(size_t words) {
  return "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n" +
         many(words, [](size_t i) { return short_word(i) + '\n'; });
}

Json with_pieces(size_t words) {
  Json json = testing::tiny_unigram();
  Json model = json.object("model");
  Json vocab = model.array("vocab");
  vocab.append(Json::make_array({"磨墨", -9.5}));  // an added token has this place
  for (size_t i = 0; i < words; ++i) vocab.append(Json::make_array({"▁▁" + short_word(i), -9.5}));
  model.set("vocab", std::move(vocab));
  json.set("model", std::move(model));
  return json;
}

SentencePieceFile with_short_pieces(size_t words) {
  using Type = SentencePieceFile::Type;
  SentencePieceFile file;
  file.pieces = {{"<pad>", 0, Type::control},
                 {"<unk>", 0, Type::unknown},
                 {"[CLS]", 0, Type::control},
                 {"[SEP]", 0, Type::control},
                 {"[MASK]", 0, Type::control}};
  for (size_t i = 0; i < words; ++i) file.pieces.push_back({short_word(i), -9.5F});
  return file;
}

void save_tokenizer(const Json& json, const fs::path& folder) {
  Tokenizer(parse_tokenizer_json(json.to_string(), "made here")).save(folder);
}

void load_and_encode(const fs::path& folder) {
  const Tokenizer tokenizer = Tokenizer::load(folder);
  tokenizer.decode(tokenizer.encode("ink the 砚台").ids);
}

// Cuts the file at every 1,000th byte; counts what is refused.
size_t refused_when_cut(const fs::path& folder, const std::string& name) {
  const std::string whole = read_file(folder / name, size_t{1} << 24);
  EXPECT_GT(whole.size(), 2000U) << name;
  size_t refused = 0;
  for (size_t size = 0; size < whole.size(); size += 1000) {
    write_file(folder / name, whole.substr(0, size));
    try {
      load_and_encode(folder);
    } catch (const Error&) {
      ++refused;
    }
  }
  write_file(folder / name, whole);
  return refused;
}

size_t prefixes(const fs::path& file) { return (fs::file_size(file) + 999) / 1000; }

TEST(TokenizerDamage, TokenizerJsonIsRefusedAtEveryCut) {
  for (const Json& json : {testing::tiny_bpe(), with_pieces(500)}) {
    const TemporaryFolder folder;
    save_tokenizer(json, folder.path());
    EXPECT_EQ(refused_when_cut(folder.path(), "tokenizer.json"),
              prefixes(folder / "tokenizer.json"));
  }
}

// What ends between two of its lines or pieces is a whole file, but for what must be there.
TEST(TokenizerDamage, OlderFilesAreTakenAtEveryCut) {
  const TemporaryFolder folder;
  write_file(folder / "vocab.txt", vocab_txt(3000));
  EXPECT_GE(refused_when_cut(folder.path(), "vocab.txt"), 1U);

  const TemporaryFolder pieces;
  write_file(pieces / "tokenizer_config.json", R"({"tokenizer_class": "AlbertTokenizer"})");
  write_file(pieces / "spiece.model", write_sentencepiece(with_short_pieces(1000)));
  EXPECT_NO_THROW(load_and_encode(pieces.path()));
  EXPECT_GE(refused_when_cut(pieces.path(), "spiece.model"), 5U);

  const TemporaryFolder bytes;
  save_tokenizer(testing::tiny_bpe(), bytes.path());
  fs::remove(bytes / "tokenizer.json");
  EXPECT_NO_THROW(load_and_encode(bytes.path()));
  EXPECT_EQ(refused_when_cut(bytes.path(), "vocab.json"), prefixes(bytes / "vocab.json"));
}

// ── memory ──────────────────────────────────────────────────────────────────────────────────────

constexpr size_t kMany = 500'000;

// Loading a folder with this one file (and its configuration) stays within what the file allows.
void expect_bounded(const std::string& name, const std::string& content,
                    const std::string& tokenizer_class) {
  SCOPED_TRACE(name + ": " + content.substr(0, 60));
  const TemporaryFolder folder;
  write_file(folder / name, content);
  write_file(folder / "tokenizer_config.json",
             R"({"tokenizer_class": ")" + tokenizer_class + "\"}");
  testing::expect_bounded_memory(content.size(), [&] { load_and_encode(folder.path()); });
}

TEST(TokenizerDamage, VocabTxtIsBounded) {
  INK_SKIP_MEMORY_TEST();
  expect_bounded("vocab.txt", vocab_txt(kMany), "BertTokenizer");
  expect_bounded("vocab.txt", std::string(4'000'000, '\n'), "BertTokenizer");
}

// The same of content that is no damage.
void expect_read_within(const std::string& name, const std::string& content,
                        const std::string& tokenizer_class) {
  const TemporaryFolder folder;
  write_file(folder / name, content);
  write_file(folder / "tokenizer_config.json",
             R"({"tokenizer_class": ")" + tokenizer_class + "\"}");
  testing::expect_bounded_memory(content.size(),
                                 [&] { EXPECT_NO_THROW(load_and_encode(folder.path())); });
}

// A character of a long word may take as much as one of a short word, but no more.
std::string long_word(size_t i, size_t length) {
  std::string word;
  for (size_t k = 0; k < length; ++k)
    word += static_cast<char>('a' + (i >> k % 17 & 1) + 2 * (k % 9));
  return std::to_string(i) + word;
}

TEST(TokenizerDamage, LongWordsAreBounded) {
  INK_SKIP_MEMORY_TEST();
  expect_read_within("vocab.txt",
                     vocab_txt(10) + many(43'000, [](size_t i) { return long_word(i, 99) + '\n'; }),
                     "BertTokenizer");
  // Pairs that part in their last letter.
  expect_read_within(
      "vocab.txt",
      vocab_txt(10) +
          many(43'000, [](size_t i) { return long_word(i / 2, 99) + (i % 2 ? "x\n" : "y\n"); }),
      "BertTokenizer");
  const std::string pieces =
      many(10'000, [](size_t i) { return "[\"" + long_word(i, 200) + "\",-1],"; });
  expect_read_within("tokenizer.json",
                     R"({"model": {"type": "Unigram", "unk_id": 0, "vocab": [["<unk>", 0],)" +
                         pieces +
                         R"(["<s>", 0], ["</s>", 0]]}, "normalizer": null,
                     "pre_tokenizer": {"type": "Metaspace"},
                     "post_processor": {"type": "RobertaProcessing", "sep": ["</s>", 10002],
                                        "cls": ["<s>", 10001]}})",
                     "XLMRobertaTokenizer");
}

// Whatever a file says beside what is read of it.
TEST(TokenizerDamage, SmallFilesAreBounded) {
  INK_SKIP_MEMORY_TEST();
  for (const char* name :
       {"tokenizer_config.json", "special_tokens_map.json", "added_tokens.json", "config.json"}) {
    for (const char* value : {"{},", "0,", "[],", "\"\","}) {
      SCOPED_TRACE(std::string(name) + ' ' + value);
      const TemporaryFolder folder;
      write_file(folder / "vocab.txt", vocab_txt(10));
      const std::string content =
          "{\"x\":[" + many(1'000'000, [&](size_t) { return std::string(value); }) + "0]}";
      write_file(folder / name, content);
      testing::expect_bounded_memory(content.size(), [&] { load_and_encode(folder.path()); });
    }
  }
  const TemporaryFolder folder;
  write_file(folder / "vocab.txt", vocab_txt(10));
  const std::string tokens =
      "{\"added_tokens_decoder\":{" +
      many(100'000,
           [](size_t i) {
             return '"' + std::to_string(i) + R"(":{"content":")" + short_word(i) + "\"},";
           }) +
      R"("100000":{"content":"last"}}})";
  write_file(folder / "tokenizer_config.json", tokens);
  testing::expect_bounded_memory(tokens.size(), [&] { load_and_encode(folder.path()); });
}

TEST(TokenizerDamage, SentencePieceIsBounded) {
  INK_SKIP_MEMORY_TEST();
  expect_bounded("spiece.model", write_sentencepiece(with_short_pieces(kMany)), "AlbertTokenizer");
}

// Every token an added one: found by content, never by walking over all.
TEST(TokenizerDamage, ManyAddedTokensAreRead) {
  SentencePieceFile file = with_short_pieces(50'000);
  for (auto& piece : file.pieces)
    if (piece.score < 0) piece.type = SentencePieceFile::Type::user_defined;
  const TemporaryFolder folder;
  write_file(folder / "tokenizer_config.json", R"({"tokenizer_class": "AlbertTokenizer"})");
  write_file(folder / "spiece.model", write_sentencepiece(file));
  write_file(folder / "added_tokens.json", "{" + many(50'000, [](size_t i) {
                                             return "\"" + short_word(i) +
                                                    "\":" + std::to_string(i + 5) + ",";
                                           }) + "\"[X]\":50005}");
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.vocabulary().size(), 50'006);
  EXPECT_EQ(tokenizer.parts().added.size(), 50'006U);
}

TEST(TokenizerDamage, TokenizerJsonIsBounded) {
  INK_SKIP_MEMORY_TEST();
  const auto json = [](const std::string& added, const std::string& model) {
    return R"({"model": )" + model + R"(, "normalizer": null, "added_tokens": [)" + added +
           R"({"id": 0, "content": "[UNK]"}]})";
  };
  for (const std::string& content : {
           json("", R"({"type": "WordPiece", "unk_token": "[UNK]", "vocab": {)" +
                        many(kMany,
                             [](size_t i) {
                               return '"' + short_word(i) + "\":" + std::to_string(i) + ',';
                             }) +
                        R"("[UNK]": 500000}})"),
           json("", R"({"type": "Unigram", "unk_id": 0, "vocab": [)" +
                        many(kMany, [](size_t i) { return "[\"" + short_word(i) + "\",0],"; }) +
                        R"(["<unk>", 0]]})"),
           json("", R"({"type": "BPE", "vocab": {}, "merges": [)" +
                        many(kMany, [](size_t) { return R"("a a",)"; }) + R"("b b"]})"),
           json(many(kMany,
                     [](size_t i) {
                       return R"({"id":)" + std::to_string(i) + R"(,"content":")" + short_word(i) +
                              "\"},";
                     }),
                "{}"),
           json(many(kMany, [](size_t) { return "{},"; }), "{}"),
           json("", many(kMany, [](size_t) { return "["; })),
           json("", "[" + many(kMany, [](size_t) { return "[],"; }) + "[]]"),
           json("", "[" + many(kMany, [](size_t) { return "{},"; }) + "{}]"),
           json("", "{" + many(kMany, [](size_t i) { return "\"" + short_word(i) + "\":0,"; }) +
                        "\"type\":0}"),
       }) {
    expect_bounded("tokenizer.json", content, "BertTokenizer");
  }
}

TEST(TokenizerDamage, VocabJsonAndMergesAreBounded) {
  INK_SKIP_MEMORY_TEST();
  const TemporaryFolder folder;
  save_tokenizer(testing::tiny_bpe(), folder.path());
  fs::remove(folder / "tokenizer.json");
  const std::string merges = "#version: 0.2\n" + many(kMany, [](size_t) { return "i n\n"; });
  write_file(folder / "merges.txt", merges);
  testing::expect_bounded_memory(merges.size() + 4096, [&] { load_and_encode(folder.path()); });

  std::string vocab = read_file(folder / "vocab.json", size_t{1} << 20);
  vocab.insert(vocab.find('{') + 1, many(kMany, [](size_t i) {
                 return "\"" + short_word(i + 100'000) + "\":" + std::to_string(i + 1000) + ",";
               }));
  write_file(folder / "vocab.json", vocab);
  write_file(folder / "merges.txt", "i n\n");
  testing::expect_bounded_memory(vocab.size(), [&] { load_and_encode(folder.path()); });
}

}  // namespace
}  // namespace ink
