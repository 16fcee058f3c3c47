// RoBERTa's and XLNet's tokens equal the reference: every code point, random texts, whole files.
#include <gtest/gtest.h>

#include "tests/temporary_folder.h"
#include "tests/text/golden.h"
#include "tests/text/random_texts.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

const Json& golden_file() {
  static const Json json = [] {
    const auto path = golden::source_folder() / "tests/golden/family_tokenizers.json";
    return parse_json(golden::read(path), path.string());
  }();
  return json;
}

Tokenizer make(const Json& family) {
  const testing::TemporaryFolder folder;
  for (const Json::Member& file : family.object("files").members())
    std::filesystem::copy_file(golden::data_folder() / "vocab" / file.key,
                               folder / file.value.as_string());
  Json config = family.object("options");
  config.set("tokenizer_class", family.string("class"));
  write_file(folder / "tokenizer_config.json", config.to_string());
  return Tokenizer::load(folder.path());
}

std::string hash_of_block(const Tokenizer& tokenizer, char32_t block) {
  std::u32string points;
  for (char32_t c = block; c < block + 0x10000; ++c)
    if (c < 0xD800 || c >= 0xE000) points += c;
  golden::Hash hash;
  for (size_t at = 0; at < points.size(); at += 64) {
    golden::for_each_context(points, at, [&](const std::u32string& text) {
      hash.add(tokenizer.pieces(encode_utf8(text)));
    });
  }
  return hash.text();
}

TEST(FamiliesGolden, EveryCodePointAndRandomTextsAgree) {
  if (!std::filesystem::exists(golden::data_folder())) GTEST_SKIP() << "no data (INK_DATA)";
  for (const Json& family : golden_file().array("families").items()) {
    SCOPED_TRACE(family.string("class") + family.object("options").to_string());
    const Tokenizer tokenizer = make(family);
    char32_t block = 0;
    for (const Json& expected : family.array("blocks").items()) {
      EXPECT_EQ(hash_of_block(tokenizer, block), expected.as_string())
          << static_cast<uint32_t>(block);
      block += 0x10000;
    }
    golden::RandomTexts texts;
    golden::Hash hash;
    const Json& random = family.object("random");
    for (int64_t i = 0; i < random.integer("texts"); ++i)
      hash.add(tokenizer.pieces(encode_utf8(texts.next())));
    EXPECT_EQ(hash.text(), random.string("hash"));
  }
}

TEST(FamiliesGolden, WholeFilesAgree) {
  const auto data = golden::data_folder();
  if (!std::filesystem::exists(data)) GTEST_SKIP() << "no data (INK_DATA)";
  for (const Json& family : golden_file().array("families").items()) {
    const Tokenizer tokenizer = make(family);
    for (const Json& row : family.array("data").items()) {
      golden::Hash hash;
      for (const Encoding& e : tokenizer.encode_all(golden::texts_of(data / row.string("path"))))
        hash.add(e);
      EXPECT_EQ(hash.text(), row.string("hash")) << family.string("class") << row.string("path");
    }
  }
}

}  // namespace
}  // namespace ink
