// Vocabulary: read line by line, built from text deterministically.
#include "text/vocabulary.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/tokenizer.h"
#include "text/vocabulary_builder.h"

namespace ink {
namespace {

constexpr const char* kSpecial = "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\n";

Vocabulary read(const std::string& text) {
  const testing::TemporaryFolder folder;
  write_file(folder / "vocab.txt", text);
  return Vocabulary::load(folder / "vocab.txt");
}

TEST(Vocabulary, NumbersTokensByLine) {
  const Vocabulary v = read(std::string(kSpecial) + "砚\r\n##ink");
  EXPECT_EQ(v.size(), 7);
  EXPECT_EQ(v.pad(), 0);
  EXPECT_EQ(v.unk(), 1);
  EXPECT_EQ(v.cls(), 2);
  EXPECT_EQ(v.sep(), 3);
  EXPECT_EQ(v.mask(), 4);
  EXPECT_EQ(v.id("砚"), 5);
  EXPECT_EQ(v.token(6), "##ink");
  EXPECT_EQ(v.id("台"), v.unk());
  EXPECT_FALSE(v.find("台"));
  EXPECT_TRUE(v.is_special(4));
  EXPECT_FALSE(v.is_special(5));
}

TEST(Vocabulary, IsReadAsSaved) {
  const testing::TemporaryFolder folder;
  for (const char* rest : {"砚\n\u2028\nx\n", "a\n\nb\n", "a\n\n\n", "\n\na", "a\nb\na\n"}) {
    const Vocabulary v = read(std::string(kSpecial) + rest);
    v.save(folder / "vocab.txt");
    EXPECT_EQ(Vocabulary::load(folder / "vocab.txt"), v) << rest;
  }
  for (const char* odd : {"a\nb", "a\r"}) {
    const Vocabulary v({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", odd});
    EXPECT_ERROR(v.save(folder / "vocab.txt"), "got one as token 5");
  }
}

TEST(Vocabulary, EveryLineHasAnId) {
  const Vocabulary v = read(std::string(kSpecial) + "a\n\nb\na\n\n");
  EXPECT_EQ(v.size(), 10);
  EXPECT_EQ(v.token(6), "");
  EXPECT_EQ(v.find("b"), 7);
  EXPECT_EQ(v.find("a"), 8) << "of equal lines the last";
  EXPECT_EQ(v.token(5), "a");
  EXPECT_EQ(Tokenizer(v).pieces("a b").ids, (std::vector<int32_t>{8, 7}));
}

TEST(Vocabulary, SpecialTokensMayBeAbsent) {
  SpecialTokens names;
  names.mask = "";
  const Vocabulary v = Vocabulary::parse("[PAD]\n[UNK]\n[CLS]\n[SEP]\nx\n", "v", names);
  EXPECT_EQ(v.sep(), 3);
  EXPECT_ERROR(v.mask(), "expected a mask token among 5");
  EXPECT_EQ(Tokenizer(v).encode("x").ids, (std::vector<int32_t>{2, 4, 3}));
}

TEST(Vocabulary, DamageIsNamedWithItsLine) {
  EXPECT_ERROR(read(""), "no tokens");
  EXPECT_ERROR(read("[PAD]\n[CLS]\n[SEP]\n[MASK]\nx\n"), "special token [UNK]");
  EXPECT_ERROR(read(std::string(kSpecial) + "a\n\xFF\n"), ":7: expected valid UTF-8");
  EXPECT_ERROR(Vocabulary::load("/nonexistent/vocab.txt"), "vocab.txt");
  EXPECT_ERROR(read(kSpecial).token(5), "[0, 5), got 5");
}

TEST(VocabularyBuilder, FindsCharactersAndFrequentPieces) {
  VocabularyBuilder builder({.size = 40});
  for (int i = 0; i < 10; ++i) builder.add("磨墨的砚台 inkstone inkstones ink, stones。");
  builder.add("罕");
  const Vocabulary v = builder.build();
  EXPECT_LE(v.size(), 40);
  EXPECT_EQ(v.token(0), "[PAD]");
  EXPECT_EQ(v.token(4), "[MASK]");
  for (const char* token : {"砚", "台", "。", ",", "i", "##n", "ink"})
    EXPECT_TRUE(v.find(token)) << token;
  EXPECT_FALSE(v.find("罕")) << "seen once only";
  EXPECT_FALSE(v.find("##砚")) << "Han characters never continue a word";
  const Tokenizer tokenizer(v);
  const std::vector<int32_t> ids = tokenizer.pieces("inkstones sink 砚台").ids;
  EXPECT_EQ(std::count(ids.begin(), ids.end(), v.unk()), 0) << "all letters can be spelled";
}

TEST(VocabularyBuilder, MergesTheMostFrequentPairFirst) {
  VocabularyBuilder builder({.size = 5 + 3 + 3 + 2});
  for (int i = 0; i < 9; ++i) builder.add("abc ab");
  for (int i = 0; i < 8; ++i) builder.add("cab");
  const Vocabulary v = builder.build();
  EXPECT_EQ(v.tokens(), (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a",
                                                  "b", "c", "##a", "##b", "##c", "ab", "abc"}));
}

TEST(VocabularyBuilder, DependsOnTheTextAloneNotItsOrder) {
  const std::string lines[] = {"aba baab", "砚台 xyxyx", "zz zy yz", "aab bba"};
  VocabularyBuilder forward({.size = 60, .min_frequency = 1}),
      backward({.size = 60, .min_frequency = 1});
  for (int i = 0; i < 4; ++i) forward.add(lines[i]), backward.add(lines[3 - i]);
  EXPECT_EQ(forward.build(), backward.build());
}

TEST(VocabularyBuilder, KeepsTheMostFrequentCharactersWhereRoomIsShort) {
  VocabularyBuilder builder({.size = 7, .min_frequency = 1});
  builder.add("一二二三三三");
  EXPECT_EQ(builder.build().tokens(),
            (std::vector<std::string>{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "三", "二"}));
}

TEST(VocabularyBuilder, RefusesWhatCannotMakeAVocabulary) {
  EXPECT_ERROR(VocabularyBuilder({.size = 5}), "size above 5");
  EXPECT_ERROR(VocabularyBuilder({.min_frequency = 0}), "min_frequency above 0");
  EXPECT_ERROR(VocabularyBuilder().build(), "some character occurs 2 times");
  VocabularyBuilder builder;
  EXPECT_ERROR(builder.add("\xFF"), "offset 0");
}

}  // namespace
}  // namespace ink
