// Similar words in tokens, from every kind of file.
#include "objectives/load_similar_words.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/word_vectors.h"

namespace ink {
namespace {

class LoadSimilarWords : public ::testing::Test {
 protected:
  // The similar words of `word`, decoded one by one and joined by "/".
  std::string shown(const SimilarWords& similar, const std::string& word) const {
    const std::vector<int32_t> ids = tokenizer_.pieces(word).ids;
    const std::span<const int32_t> all = similar.of(ids);
    std::string out;
    for (size_t i = 0; i < all.size(); i += ids.size())
      out += (i > 0 ? "/" : "") + tokenizer_.decode(all.subspan(i, ids.size()));
    return out;
  }
  SimilarWords load(const std::vector<std::string>& contents) const {
    std::vector<std::filesystem::path> paths;
    for (const std::string& content : contents) {
      paths.push_back(folder_ / ("file" + std::to_string(paths.size())));
      write_file(paths.back(), content);
    }
    return load_similar_words(paths, tokenizer_);
  }

  ink::testing::TemporaryFolder folder_;
  Tokenizer tokenizer_{Vocabulary({"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "预", "测", "见",
                                   "报", "几", "率", "ink", "##stone", "pen"})};
};

const std::string kSynonyms = "Aa01A01= 预测 预见 预 预言\nAa01A02# 几率 概率\n";
const std::string kTable = "预测\t预报 0.9 预见 0.8\nInk\tpen 0.5 ink 0.4\n";

TEST_F(LoadSimilarWords, SynonymsOfAsManyKnownTokensCount) {
  const SimilarWords similar = load({kSynonyms});
  EXPECT_EQ(shown(similar, "预测"), "预 见");
  EXPECT_EQ(shown(similar, "几率"), "");
}

TEST_F(LoadSimilarWords, StoredNeighboursCountInOrder) {
  const SimilarWords similar = load({kTable});
  EXPECT_EQ(shown(similar, "预测"), "预 报/预 见");
  EXPECT_EQ(shown(similar, "ink"), "pen");  // ink itself is the same tokens as Ink
}

TEST_F(LoadSimilarWords, VectorsOfBothFormatsAreSearched) {
  const std::string text = "3 2\n预测 1 0\n预报 0 1\n预见 1 0.5\n";
  EXPECT_EQ(shown(load({text}), "预测"), "预 见/预 报");
  WordVectors::parse(text, "made").save(folder_ / "binary", VectorFormat::binary);
  EXPECT_EQ(shown(load_similar_words({folder_ / "binary"}, tokenizer_), "预测"), "预 见/预 报");
}

TEST_F(LoadSimilarWords, EarlierFilesComeFirst) {
  EXPECT_EQ(shown(load({kSynonyms, kTable}), "预测"), "预 见/预 报");
  EXPECT_EQ(shown(load({kTable, kSynonyms}), "预测"), "预 报/预 见");
}

TEST_F(LoadSimilarWords, NoMoreThanAskedForAreLookedAt) {
  write_file(folder_ / "table", kTable);
  EXPECT_EQ(shown(load_similar_words({folder_ / "table"}, tokenizer_, 1), "预测"), "预 报");
}

// Neighbours of another number of tokens take no places away from those that fit.
TEST_F(LoadSimilarWords, WhatDoesNotFitIsPassedOver) {
  std::string synonyms = "Aa01A01= 预测", table = "预测";
  for (const char* longer : {"预见报", "预见几", "预见率", "预报几", "预报率", "预几率", "见报几",
                             "见报率", "见几率", "报几率", "测见报"}) {
    synonyms += std::string(" ") + longer;
    table += (table.size() > 6 ? " " : "\t") + std::string(longer) + " 0.9";
  }
  EXPECT_EQ(shown(load({synonyms + "\n", kTable}), "预测"), "预 报/预 见");
  EXPECT_EQ(shown(load({table + " 预见 0.5\n"}), "预测"), "预 见");
}

TEST_F(LoadSimilarWords, OtherFilesAreRefused) {
  EXPECT_ERROR(load({"something else\n"}),
               "expected " + (folder_ / "file0").string() + " to begin");
  const std::string first = (folder_ / "file0").string(), second = (folder_ / "file1").string();
  for (const char* empty : {"", "\n \n"})
    EXPECT_ERROR(load({kTable, empty}), "expected words in " + second + ", got an empty file");
  EXPECT_ERROR(load({"纸\t墨 1\n"}), "got none among the 1 words of " + first);
  EXPECT_ERROR(load({"Aa01A01# 预测 预报\n"}), "codes ending in =) in " + first);
  EXPECT_ERROR(load({}), "expected a file");
}

}  // namespace
}  // namespace ink
