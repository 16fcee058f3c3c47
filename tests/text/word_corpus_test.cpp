// Text as numbers of words: which words count, their order, and blocks that are not kept.
#include "text/word_corpus.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tensor/parallel.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

class WordCorpusTest : public ::testing::Test {
 protected:
  WordCorpusTest() : segmenter_(made()) {
    write_file(folder_ / "text.txt", "砚台好。The ink好！\n墨，砚台\n\nthe 墨 好 rare\n\n砚台好\n");
  }
  Segmenter made() {
    write_file(folder_ / "words.dict", "砚台 10\n");
    return Segmenter::load({.dictionary = folder_ / "words.dict"});
  }
  Corpus corpus() const { return Corpus::open({folder_ / "text.txt"}, {.block_bytes = 16}); }
  // The text as its numbers spell it, "/" behind each line.
  static std::string spelled(const WordCorpus& words) {
    std::string out;
    for (int64_t b = 0; b < words.blocks(); ++b)
      for (const int32_t n : words.block(b))
        out += n == WordCorpus::kLineEnd ? "/" : std::string(words.words()[n]) + " ";
    return out;
  }

  ink::testing::TemporaryFolder folder_;
  Segmenter segmenter_;
};

TEST_F(WordCorpusTest, NumbersWordsByCount) {
  const Corpus text = corpus();
  const WordCorpus words(text, segmenter_, {.min_count = 2});
  ASSERT_EQ(words.words().size(), 4);
  EXPECT_EQ(words.words()[0], "好");
  EXPECT_EQ(words.words()[1], "砚台");
  EXPECT_EQ(words.words()[2], "the");  // of equals the one of smaller code points
  EXPECT_EQ(words.words()[3], "墨");
  EXPECT_EQ(words.counts(), (std::vector<int64_t>{4, 3, 2, 2}));
  EXPECT_EQ(words.total(), 11);
  EXPECT_EQ(words.words_of_text(), 13);
  EXPECT_EQ(spelled(words), "砚台 好 the 好 /墨 砚台 /the 墨 好 /砚台 好 /");
  int64_t all = 0;
  for (int64_t b = 0; b < words.blocks(); ++b) all += words.block_words(b);
  EXPECT_GT(words.blocks(), 1);
  EXPECT_EQ(all, 13);
}

TEST_F(WordCorpusTest, KeepsCapitalsWhereWanted) {
  const Corpus text = corpus();
  const WordCorpus words(text, segmenter_, {.min_count = 1, .lower_case = false});
  EXPECT_TRUE(words.words().find("The").has_value());
  EXPECT_EQ(words.words().size(), 7);
}

TEST_F(WordCorpusTest, IsTheSameWhenNothingIsKept) {
  const Corpus text = corpus();
  const std::string kept = spelled(WordCorpus(text, segmenter_, {.min_count = 2}));
  for (const int64_t bytes : {0, 40}) {
    const WordCorpus words(text, segmenter_, {.min_count = 2, .kept_bytes = bytes});
    EXPECT_EQ(spelled(words), kept);
  }
}

TEST_F(WordCorpusTest, RefusesTextWithoutFrequentWords) {
  const Corpus text = corpus();
  EXPECT_ERROR(WordCorpus(text, segmenter_, {.min_count = 5}),
               "expected text in which some word occurs 5 times, got 13 words, 6 different ones");
  EXPECT_ERROR(WordCorpus(text, segmenter_, {.min_count = 0}), "min_count above 0");
}

}  // namespace
}  // namespace ink
