// Segmenter on a small dictionary and model of its own: paths, ties, unknown words, bad files.
#include "text/segmenter.h"

#include <gtest/gtest.h>

#include <set>

#include "tensor/file.h"
#include "tensor/philox.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/encoding.h"
#include "text/tokenizer.h"

namespace ink {
namespace {

using Words = std::vector<std::string>;

class SegmenterTest : public ::testing::Test {
 protected:
  void dictionary(const std::string& text) { write_file(folder_ / "dict.txt", text); }
  // A model that likes words of two characters.
  void model() {
    write_file(folder_ / "finalseg/prob_start.py",
               "P={'B': -0.1, 'E': -3.14e+100,\n 'M': -3.14e100, 'S': -3}");
    write_file(folder_ / "finalseg/prob_trans.py",
               "P={'B': {'E': -0.1, 'M': -3}, 'E': {'B': -0.1, 'S': -3},\n"
               "'M': {'E': -0.1, 'M': -3}, 'S': {'B': -1, 'S': -1}}\n");
    write_file(folder_ / "finalseg/prob_emit.py",
               "from __future__ import unicode_literals\nP={'B': {'\\u7814': -1, '\\u58a8': -1},\n"
               "'E': {'\\u58a8': -1, '\\u7814': -1.5}, 'M': {}, 'S': {'\\u58a8': -2.5e0}}\n");
  }
  Segmenter load() { return Segmenter::load({.dictionary = folder_ / "dict.txt"}); }
  void SetUp() override { create_folders(folder_ / "finalseg"); }

  testing::TemporaryFolder folder_;
};

TEST_F(SegmenterTest, TakesTheMostFrequentPathAndTheLongerWordOnTies) {
  dictionary("天气 100 n\n今天 100\n今天天气 20 n\n很 500\n好 500\n天 50\n气 50\n今 50\n");
  std::filesystem::remove_all(folder_ / "finalseg");
  const Segmenter segmenter = load();
  EXPECT_FALSE(segmenter.has_hmm());
  EXPECT_EQ(segmenter.dictionary_words(), 8);
  EXPECT_EQ(segmenter.words("今天天气很好"), (Words{"今天天气", "很", "好"}));
  EXPECT_EQ(segmenter.words("今天天"), (Words{"今天", "天"}));
  dictionary("甲乙 1\n甲 1\n乙 1\n");  // the product of two is smaller still
  EXPECT_EQ(load().words("甲乙"), (Words{"甲乙"}));
}

// Words, their frequencies and the model's tables: whatever decides how a text is cut.
TEST_F(SegmenterTest, TheDigestIsOfAllThatDecidesWords) {
  dictionary("砚台 10\n墨研 1\n");
  std::filesystem::remove_all(folder_ / "finalseg");
  std::set<std::string> digests{load().digest()};
  EXPECT_TRUE(digests.contains(load().digest()));
  create_folders(folder_ / "finalseg");
  model();
  EXPECT_TRUE(digests.insert(load().digest()).second);
  dictionary("砚台 10\n墨研 2\n");
  EXPECT_TRUE(digests.insert(load().digest()).second);
  dictionary("砚台 10\n墨砚 2\n");
  EXPECT_TRUE(digests.insert(load().digest()).second);
  write_file(folder_ / "finalseg/prob_emit.py",
             "P={'B': {'\\u7814': -1.25}, 'E': {'\\u58a8': -1}, 'M': {}, 'S': {}}\n");
  EXPECT_TRUE(digests.insert(load().digest()).second);
}

TEST_F(SegmenterTest, WithoutAModelLettersStayTogetherAndHanFallApart) {
  dictionary("砚台 10\n");
  std::filesystem::remove_all(folder_ / "finalseg");
  EXPECT_EQ(load().words("用砚台写3.14个abc字"),
            (Words{"用", "砚台", "写", "3", ".", "14", "个", "abc", "字"}));
}

TEST_F(SegmenterTest, TheModelFindsUnknownWords) {
  dictionary("砚台 10\n墨研 1\n");
  model();
  const Segmenter segmenter = load();
  EXPECT_TRUE(segmenter.has_hmm());
  EXPECT_EQ(segmenter.words("研墨砚台"), (Words{"研墨", "砚台"}));
  EXPECT_EQ(segmenter.words("研墨3.14%研墨"), (Words{"研墨", "3.14%", "研墨"}));
  EXPECT_EQ(segmenter.words("研墨研墨"), (Words{"研", "墨研", "墨"}));  // the dictionary goes first
  EXPECT_EQ(segmenter.words("研墨", false), (Words{"研", "墨"}));
}

TEST_F(SegmenterTest, CharactersOutsideWordsStandAlone) {
  dictionary("砚台 10\n");
  model();
  EXPECT_EQ(load().words("砚台，砚台\r\n \n😀"),
            (Words{"砚台", "，", "砚台", "\r\n", " ", "\n", "😀"}));
  // Han that jieba does not know: U+3400, U+9FD6 and U+20000, of other blocks or newer.
  EXPECT_EQ(load().words("砚台㐀鿖𠀀砚台"), (Words{"砚台", "㐀", "鿖", "𠀀", "砚台"}));
  EXPECT_TRUE(load().words("").empty());
}

TEST_F(SegmenterTest, WordsCoverAnyTextWithoutGapOrOverlap) {
  dictionary("砚台 10\n研墨 5\n墨砚 5\nab 3\n");
  model();
  const Segmenter segmenter = load();
  constexpr std::u32string_view pool = U"砚台研墨ab1.%-#+ \r\n，。é\U00020000\0";
  Draws draws{Random(5)};
  for (int round = 0; round < 2000; ++round) {
    std::u32string text;
    for (uint64_t n = draws.below(30); n > 0; --n) text += pool[draws.below(pool.size())];
    for (const bool use_hmm : {true, false}) {
      int32_t at = 0;
      for (const Span& word : segmenter.cut(text, use_hmm)) {
        ASSERT_EQ(word.begin, at);
        ASSERT_LT(word.begin, word.end);
        at = word.end;
      }
      ASSERT_EQ(at, static_cast<int32_t>(text.size()));
    }
  }
}

TEST_F(SegmenterTest, LongLinesAreNoTrouble) {
  dictionary("砚台 10\n");
  model();
  std::u32string text;
  for (int i = 0; i < 1 << 19; ++i) text += U"研墨a砚台";
  EXPECT_EQ(load().cut(text).size(), size_t{3} << 19);
}

TEST_F(SegmenterTest, BadFilesAreNamed) {
  EXPECT_ERROR(Segmenter::load({.dictionary = "/nonexistent/dict.txt"}), "dict.txt");
  for (const char* line :
       {"砚台", "砚台 many", "砚台 -1", "砚台 3x", " 3", "", "砚台 99999999999999"}) {
    dictionary("墨 1\n" + std::string(line) + "\n笔 1\n");
    EXPECT_ERROR(load(), "dict.txt:2: expected 'word frequency [part of speech]'");
  }
  dictionary("\xFF 1\n");
  EXPECT_ERROR(load(), "dict.txt:1: expected valid UTF-8");
  dictionary("");
  EXPECT_ERROR(load(), "got none");
  dictionary("墨 1\n");
  EXPECT_ERROR(load(), "prob_start.py");  // the folder is there, its tables are not
}

TEST_F(SegmenterTest, DamagedModelsAreRefused) {
  dictionary("墨 1\n");
  for (const char* table : {"", "P=", "P={", "P={'B'", "P={'B': }", "P={'X': 1}", "P={'B': 1} 2",
                            "P={'B': 1 'E': 2}", "P={'B': __import__('os')}", "P={'\\u12'"}) {
    model();
    write_file(folder_ / "finalseg/prob_start.py", table);
    EXPECT_ERROR(load(), "prob_start.py");
  }
}

TEST_F(SegmenterTest, WholeWordsJoinCharactersAndPieces) {
  dictionary("砚台 10\n磨墨 10\n");
  model();
  const Tokenizer tokenizer(Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "砚", "台",
                                        "磨", "墨", "ink", "##stone", "。"}));
  const std::string text = "砚台磨墨。inkstone";
  const Encoding e = tokenizer.encode(text);
  EXPECT_EQ(whole_words(e, load().cut(decode_utf8(text))),
            (std::vector<Span>{{1, 3}, {3, 5}, {5, 6}, {6, 8}}));
  EXPECT_EQ(whole_words(e, {}),
            (std::vector<Span>{{1, 2}, {2, 3}, {3, 4}, {4, 5}, {5, 6}, {6, 8}}));
  // A segmenter that cuts inside a Latin word, or joins two, never splits a group.
  const std::vector<Span> odd = {{0, 2}, {2, 6}, {6, 13}};
  EXPECT_EQ(whole_words(e, odd), (std::vector<Span>{{1, 3}, {3, 8}}));
  const Encoding pair = tokenizer.encode("砚台", "砚台");
  const std::vector<Span> one = {{0, 2}};
  EXPECT_EQ(whole_words(pair, one, one), (std::vector<Span>{{1, 3}, {4, 6}}));
  EXPECT_EQ(whole_words(pair, one), (std::vector<Span>{{1, 3}, {4, 5}, {5, 6}}));
}

TEST(WholeWords, RefusesWordsOutOfOrder) {
  const Encoding e{.ids = {1, 2},
                   .segments = {0, 0},
                   .texts = {0, 0},
                   .words = {0, 1},
                   .offsets = {{0, 1}, {1, 2}},
                   .bytes = {{0, 1}, {1, 2}}};
  const std::vector<Span> words = {{0, 2}, {1, 2}};
  EXPECT_ERROR(whole_words(e, words), "in order");
}

}  // namespace
}  // namespace ink
