// Word vectors: both formats there and back, and an error that says where for each kind of damage.
#include "text/word_vectors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

WordVectors small() {
  const std::vector<float> values = {1.0F / 3, -1e-30F, 0, 7, -8.5F, 1e10F};
  WordVectors v{{}, from(std::span<const float>(values), {2, 3})};
  v.words.add("砚台");
  v.words.add("ink");
  return v;
}

std::string floats(const std::vector<float>& values) {
  std::string bytes(values.size() * sizeof(float), '\0');
  std::memcpy(bytes.data(), values.data(), bytes.size());
  return bytes;
}

TEST(WordVectors, BothFormatsReturnTheSameBits) {
  const testing::TemporaryFolder folder;
  const WordVectors before = small();
  for (const VectorFormat format : {VectorFormat::text, VectorFormat::binary}) {
    before.save(folder / "v", format);
    const WordVectors after = WordVectors::load(folder / "v");
    EXPECT_EQ(after.words, before.words);
    EXPECT_TRUE(equal_bits(after.rows, before.rows));
  }
}

TEST(WordVectors, TextIsReadAsOtherProgramsWriteIt) {
  const WordVectors v = WordVectors::parse("2 2 \r\na 1 -2 \r\nb 1e-50 0.5", "v");
  EXPECT_EQ(v.words[1], "b");
  EXPECT_EQ(to_vector<float>(v.rows), (std::vector<float>{1, -2, 0, 0.5F}));
}

TEST(WordVectors, BinaryIsReadWithAndWithoutLineEnds) {
  for (const std::string end : {"", "\n"}) {
    const WordVectors v =
        WordVectors::parse("2 2\na " + floats({1, 2}) + end + "b " + floats({3, 4}) + end, "v");
    EXPECT_EQ(v.words[1], "b");
    EXPECT_EQ(to_vector<float>(v.rows), (std::vector<float>{1, 2, 3, 4}));
  }
}

TEST(WordVectors, DamagedTextSaysWhere) {
  const auto parse = [](const std::string& content) { WordVectors::parse(content, "v.txt"); };
  EXPECT_ERROR(parse("the 0.1 0.2\n"), "v.txt:1: expected 'words width'");
  EXPECT_ERROR(parse(""), "v.txt:1: expected 'words width'");
  EXPECT_ERROR(parse("0 3\n"), "v.txt:1: expected 1 to");
  EXPECT_ERROR(parse("1 65537\na 1\n"), "vectors of 1 to 65536 numbers, got 65537");
  EXPECT_ERROR(parse("2147483647 65536\na 1 2\n"), "it may be truncated");
  EXPECT_ERROR(parse("4 2\na 1 2\nb 1 2\n"),
               "v.txt: expected 4 words with 2 numbers each, as the first line says, got 2 lines "
               "behind it; it may be truncated");
  EXPECT_ERROR(parse("2 2\na 1 2\nb 1 2 3\n"), "v.txt:3: expected 2 numbers as the first line");
  EXPECT_ERROR(parse("2 2\na 1 2\nb 1\n"),
               "v.txt:3: expected 2 numbers behind the word, got only 1");
  EXPECT_ERROR(parse("1 2\na 1 2e\n"), "v.txt:2: expected 2 numbers as the first line says, got");
  EXPECT_ERROR(parse("1 2\na 1  2\n"), "v.txt:2: expected 2 numbers behind the word");
  EXPECT_ERROR(parse("1 2\na 1 nan\n"), "v.txt:2: expected finite numbers, got nan as number 2");
  EXPECT_ERROR(parse("1 2\na 1 1e39\n"), "v.txt:2: expected finite numbers, got inf");
  EXPECT_ERROR(parse("2 1\na 1\na 2\n"), "v.txt:3: 'a' is already word 1");
  EXPECT_ERROR(parse("1 2\n\xFF 1 2\n"), "v.txt:2: expected a word in valid UTF-8");
  EXPECT_ERROR(parse("1 1\n  1\n"), "v.txt:2: expected a word, got none");
  EXPECT_ERROR(parse("2 1\nlong-enough 1\n"), "expected 2 words as the first line says, got 1");
  EXPECT_ERROR(parse("1 1\na 1\nb 2\n"), "v.txt:3: expected the end behind 1 words");
}

TEST(WordVectors, DamagedBinarySaysWhere) {
  const auto parse = [](const std::string& content) { WordVectors::parse(content, "v.bin"); };
  const std::string a = "a " + floats({1, 2});
  EXPECT_ERROR(parse("2 2\n" + a + "\nb "), "it may be truncated");
  EXPECT_ERROR(parse("3 2\n" + a + "\n" + a + "\n"),
               "v.bin: expected 3 words with 2 numbers each, as the first line says, got room for "
               "2 at most behind it; it may be truncated");
  EXPECT_ERROR(parse("2 2\n" + a + "\n1234567890"), "v.bin, byte 15: expected word 2 of 2");
  EXPECT_ERROR(parse("2 2\n" + a + "\na " + floats({1, 2})), "v.bin, byte 15: 'a' is already");
  EXPECT_ERROR(parse("1 2\n" + a + "\nmore"), "v.bin, byte 15: expected the end behind 1 words");
  EXPECT_ERROR(parse("1 2\na " + floats({1, std::numeric_limits<float>::quiet_NaN()})),
               "v.bin, byte 4: expected finite numbers, got nan as number 2 of word 1");
  EXPECT_ERROR(parse("1 2\n\xFF " + floats({1, 2})), "v.bin, byte 4: expected a word in valid");
}

TEST(WordVectors, WordsThatTheFormatsCannotHoldAreNotWritten) {
  const testing::TemporaryFolder folder;
  WordVectors v{{}, zeros({1, 1})};
  v.words.add("two words");
  EXPECT_ERROR(v.save(folder / "v"), "expected words without blanks");
  EXPECT_FALSE(std::filesystem::exists(folder / "v"));
}

TEST(WordList, NumbersWordsInOrder) {
  WordList list;
  EXPECT_FALSE(list.find("a").has_value());
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(list.add("w" + std::to_string(i)), i);
  EXPECT_EQ(list.add("w7"), 7);
  EXPECT_EQ(list.add(""), 1000);
  EXPECT_EQ(list[999], "w999");
  EXPECT_EQ(list.find("w500"), 500);
  EXPECT_ERROR(list[1001], "expected a number in [0, 1001), got 1001");
}

}  // namespace
}  // namespace ink
