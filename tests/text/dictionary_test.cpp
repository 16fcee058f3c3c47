// A list of words and a text give a dictionary whose segmentation follows the text.
#include "text/dictionary.h"

#include <gtest/gtest.h>

#include <unistd.h>

#include <filesystem>

#include "tensor/error.h"
#include "tensor/file.h"
#include "text/segmenter.h"

namespace ink {
namespace {

class Dictionary : public testing::Test {
 protected:
  void SetUp() override { create_folders(folder_); }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path file(const std::string& name, const std::string& text) const {
    write_file(folder_ / name, text);
    return folder_ / name;
  }
  const std::filesystem::path folder_ =
      std::filesystem::temp_directory_path() / ("dictionary_test_" + std::to_string(getpid()));
};

TEST_F(Dictionary, CountsTheWordsOfTheText) {
  const auto list = file("words.lex", "# 词表\n资产/null\n期间\t3\n内资\nabc\n人\n");
  const auto text = file("text.txt", "期间内资产\n资产和资产\n内的\n内部\n\n");
  const DictionaryReport report = build_dictionary({list}, {text}, folder_ / "out.txt");
  EXPECT_EQ(report.words, 3);
  const std::string out = read_file(folder_ / "out.txt", 1000);
  EXPECT_NE(out.find("资产 4\n"), std::string::npos) << out;
  EXPECT_NE(out.find("内资 1\n"), std::string::npos) << "a word that the text lacks stays, with 1";
  EXPECT_EQ(out.find("abc"), std::string::npos);
  // What is frequent in the text wins over the equally long alternative 内资|产.
  const Segmenter segmenter = Segmenter::load({.dictionary = folder_ / "out.txt"});
  EXPECT_EQ(segmenter.words("期间内资产", false), (std::vector<std::string>{"期间", "内", "资产"}));
}

TEST_F(Dictionary, TakesWordsOfTwoBlocksOfHan) {
  const auto list = file("words.lex", "㐀䶿\n一鿿\n𠀀𠀁\n\uF900\uF901\nあい\n");
  const auto text = file("text.txt", "资产\n");
  EXPECT_EQ(build_dictionary({list}, {text}, folder_ / "out.txt").words, 2);
}

TEST_F(Dictionary, ReadsTheTextsOfAFolder) {
  const auto list = file("words.lex", "资产\n");
  create_folders(folder_ / "texts");
  file("texts/a.txt", "资产\n");
  file("texts/b.txt", "资产资产\n");
  build_dictionary({list}, {folder_ / "texts"}, folder_ / "out.txt");
  EXPECT_EQ(read_file(folder_ / "out.txt", 1000), "资产 4\n");
}

TEST_F(Dictionary, RefusesListsWithoutWordsAndBadText) {
  const auto empty = file("empty.lex", "# nothing\na\n");
  const auto list = file("words.lex", "资产\n");
  const auto text = file("text.txt", "资产\n");
  const auto bad = file("bad.txt", "资\xff\n");
  EXPECT_THROW(build_dictionary({empty}, {text}, folder_ / "out.txt"), Error);
  EXPECT_THROW(build_dictionary({list}, {bad}, folder_ / "out.txt"), Error);
  EXPECT_THROW(build_dictionary({folder_ / "absent"}, {text}, folder_ / "out.txt"), Error);
  EXPECT_THROW(build_dictionary({list}, {text, folder_ / "absent"}, folder_ / "out.txt"), Error);
  EXPECT_FALSE(std::filesystem::exists(folder_ / "out.txt")) << "written before all was checked";
}

}  // namespace
}  // namespace ink
