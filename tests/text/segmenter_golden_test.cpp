// Segmentation equals the reference on 10,000 lines, with and without its model; how good it is.
#include <gtest/gtest.h>

#include <cstdlib>

#include "tests/text/golden.h"
#include "text/segmenter.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

// The full dictionary with the model's tables beside it, if installed.
fs::path full_dictionary() {
  const char* named = std::getenv("INK_DICTIONARY");
  return named && *named ? named : "/usr/lib/python3/dist-packages/jieba/dict.txt";
}

TEST(SegmenterGolden, EqualsTheReferenceOnRealText) {
  const fs::path data = golden::data_folder(), full = full_dictionary();
  const fs::path hmm = full.parent_path() / "finalseg";
  if (!fs::exists(data)) GTEST_SKIP() << "no data at " << data << " (INK_DATA)";
  if (!fs::exists(full) || !fs::exists(hmm))
    GTEST_SKIP() << "no dictionary with its model at " << full << " (package python3-jieba)";
  std::optional<Segmenter> segmenter;
  std::string loaded;
  for (const Json& row : golden::file().array("segmentation").items()) {
    const std::string name = row.string("dictionary");
    const fs::path path = name == "dict.txt" ? full : data / "segmentation" / name;
    if (fs::file_size(path) != static_cast<uintmax_t>(row.integer("dictionary_bytes")))
      GTEST_SKIP() << path << " is another edition than the one of the golden file";
    if (loaded != name) segmenter = Segmenter::load({.dictionary = path, .hmm = hmm});
    loaded = name;
    ASSERT_TRUE(segmenter->has_hmm());

    const std::vector<std::string> lines =
        golden::lines_of(golden::read(data / row.string("path")));
    for (const bool use_hmm : {true, false}) {
      golden::Hash hash;
      int64_t words = 0;
      for (size_t i = 0; i < lines.size(); i += static_cast<size_t>(row.integer("every"))) {
        const std::vector<Span> cut = segmenter->cut(decode_utf8(lines[i]), use_hmm);
        hash.add(static_cast<int64_t>(cut.size()));
        for (const Span& word : cut) hash.add(word.end);
        words += static_cast<int64_t>(cut.size());
      }
      EXPECT_EQ(words, row.integer(use_hmm ? "words" : "words_without_hmm")) << row.to_string();
      EXPECT_EQ(hash.text(), row.string(use_hmm ? "hash" : "hash_without_hmm")) << row.to_string();
    }
  }
}

// Words of a CoNLL-U file, by sentence.
std::vector<std::vector<std::string>> conll_sentences(const std::string& text) {
  std::vector<std::vector<std::string>> sentences(1);
  for (const std::string& line : golden::lines_of(text)) {
    const size_t tab = line.find('\t');
    if (tab == std::string::npos)
      sentences.emplace_back();
    else if (line[0] != '#')
      sentences.back().push_back(line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1));
  }
  return sentences;
}

TEST(SegmenterGolden, FindsMostWordsOfTheGoldSegmentation) {
  const fs::path gold = golden::data_folder() / "segmentation/ud-test.conll";
  if (!fs::exists(gold) || !fs::exists(full_dictionary())) GTEST_SKIP() << "no gold or dictionary";
  const Segmenter segmenter = Segmenter::load({.dictionary = full_dictionary()});
  int64_t expected = 0, found = 0, right = 0;
  for (const std::vector<std::string>& words : conll_sentences(golden::read(gold))) {
    std::u32string text;
    std::vector<Span> spans;
    for (const std::string& word : words) {
      const auto begin = static_cast<int32_t>(text.size());
      text += decode_utf8(word);
      spans.push_back({begin, static_cast<int32_t>(text.size())});
    }
    const std::vector<Span> cut = segmenter.cut(text);
    expected += static_cast<int64_t>(spans.size());
    found += static_cast<int64_t>(cut.size());
    for (const Span& span : cut)
      right += std::find(spans.begin(), spans.end(), span) != spans.end();
  }
  const double f1 = 2.0 * static_cast<double>(right) / static_cast<double>(expected + found);
  RecordProperty("words", std::to_string(expected));
  RecordProperty("f1", std::to_string(f1));
  std::cout << "segmenter: F1 " << f1 << " on " << expected << " gold words of " << gold << '\n';
  // The reference scores the same; other standards of what a word is cost the rest.
  EXPECT_GT(f1, 0.7);
}

}  // namespace
}  // namespace ink
