// Tables of neighbours: stored, joined, and made of synonym groups.
#include "text/word_neighbours.h"

#include <gtest/gtest.h>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"
#include "text/cilin.h"

namespace ink {
namespace {

// "neighbour similarity" of each, joined by blanks.
std::string shown(const WordNeighbours& table, std::string_view word) {
  std::string out;
  for (const auto& [number, similarity] : table.of(word)) {
    if (!out.empty()) out += ' ';
    out += std::string(table.words()[number]) + ' ' + std::to_string(similarity).substr(0, 4);
  }
  return out;
}

TEST(WordNeighbours, AreStoredBestFirst) {
  const testing::TemporaryFolder folder;
  WordNeighbours table;
  table.add("预测", {{"预见", 0.81F}, {"预报", 0.78125F}});
  table.add("none", std::span<const WordNeighbours::Named>());
  table.add("预见", {{"预测", 0.81F}});
  EXPECT_EQ(table.size(), 2);
  table.save(folder / "n.txt");
  EXPECT_EQ(read_file(folder / "n.txt", 1000),
            "预测\t预见 0.8100 预报 0.7812\n预见\t预测 0.8100\n");
  const WordNeighbours again = WordNeighbours::load(folder / "n.txt");
  EXPECT_EQ(shown(again, "预测"), "预见 0.81 预报 0.78");
  EXPECT_TRUE(again.of("预报").empty());
  EXPECT_TRUE(again.of("纸").empty());
}

TEST(WordNeighbours, AreAddedOnce) {
  WordNeighbours table;
  table.add("a", {{"b", 1}});
  EXPECT_ERROR(table.add("a", {{"c", 1}}), "'a' has neighbours already");
}

TEST(WordNeighbours, DamageSaysWhere) {
  const auto parse = [](const std::string& content) { WordNeighbours::parse(content, "n.txt"); };
  EXPECT_ERROR(parse(""), "expected lines of neighbours in n.txt, got none");
  EXPECT_ERROR(parse("a\tb 1\na b 1\n"), "n.txt:2: expected 'word<TAB>neighbour similarity …'");
  EXPECT_ERROR(parse("a b\tb 1\n"), "n.txt:1: expected 'word<TAB>neighbour similarity …'");
  EXPECT_ERROR(parse("a\tb 1\na\tc 1\n"), "n.txt:2: 'a' has neighbours already");
  EXPECT_ERROR(parse("a\ta 1\n"), "n.txt:1: expected another word than 'a'");
  EXPECT_ERROR(parse("a\tb 1  c 1\n"), "n.txt:1: expected another word than 'a', got ''");
  EXPECT_ERROR(parse("a\tb\n"), "n.txt:1: expected a finite number behind each neighbour, got ''");
  EXPECT_ERROR(parse("a\tb nan\n"), "n.txt:1: expected a finite number");
  EXPECT_ERROR(parse("a\tb 1x\n"), "n.txt:1: expected a finite number");
  EXPECT_ERROR(parse("a\tb 1\nc\tb -1 d 1.5\n"),
               "n.txt:2: expected a similarity from -1 to 1, got '1.5'");
  EXPECT_ERROR(parse("a\t\n"), "n.txt:1: expected neighbours of 'a', got none");
  EXPECT_ERROR(parse("a\tb 1\n\xFF\tb 1\n"), "n.txt:2: expected valid UTF-8");
}

TEST(WordNeighbours, JoinedTakeTheFirstTableFirst) {
  WordNeighbours synonyms, vectors;
  synonyms.add("a", {{"b", 1}, {"c", 1}});
  synonyms.add("x", {{"y", 1}});
  vectors.add("a", {{"d", 0.9F}, {"c", 0.8F}, {"e", 0.7F}});
  vectors.add("b", {{"a", 0.6F}, {"d", 0.5F}, {"e", 0.4F}, {"f", 0.3F}});
  const WordNeighbours both = joined(synonyms, vectors, 3);
  EXPECT_EQ(shown(both, "a"), "b 1.00 c 1.00 d 0.90");
  EXPECT_EQ(shown(both, "b"), "a 0.60 d 0.50 e 0.40");
  EXPECT_EQ(shown(both, "x"), "y 1.00");
  EXPECT_EQ(both.size(), 3);
}

constexpr const char* kCilin =
    "Aa01A01= 人 士 人物\n"
    "Aa01A02# 人类 生人\n"
    "\n"
    "Aa01A03@ 众学生\n"
    "Aa01A04= 士 兵 人\r\n";

TEST(Cilin, OnlyGroupsOfSynonymsCount) {
  for (const std::string mark : {"", "\xEF\xBB\xBF"}) {
    const WordNeighbours table = parse_cilin(mark + kCilin, "cilin.txt");
    EXPECT_EQ(shown(table, "人"), "士 1.00 人物 1.00 兵 1.00");
    EXPECT_EQ(shown(table, "士"), "人 1.00 人物 1.00 兵 1.00");
    EXPECT_EQ(shown(table, "兵"), "士 1.00 人 1.00");
    EXPECT_TRUE(table.of("人类").empty());
    EXPECT_TRUE(table.of("众学生").empty());
    EXPECT_EQ(table.size(), 4);
  }
  EXPECT_EQ(shown(parse_cilin(kCilin, "cilin.txt", 2), "人"), "士 1.00 人物 1.00");
}

TEST(Cilin, DamageSaysWhere) {
  const auto parse = [](const std::string& content) { parse_cilin(content, "cilin.txt"); };
  const std::string good = "Aa01A01= 人 士\n";
  for (const char* code : {"Aa01A01", "Aa01A01+", "aa01A01=", "Aa0A01=", "AA01A01=", "Aa01A0B="})
    EXPECT_ERROR(parse(good + code + " 人 士\n"), "cilin.txt:2: expected a code such as Aa01A01=");
  EXPECT_ERROR(parse(good + "Aa01A02=\n"), "cilin.txt:2: expected words behind Aa01A02=");
  EXPECT_ERROR(parse("Aa01A01# 人 士\nAa01A02= 兵\n"), "expected groups of synonyms");
  EXPECT_ERROR(parse(good + "Aa01A02= \xC8\xCB \xCA\xBF\n"),  // 人 士 in GBK
               "cilin.txt:2: expected UTF-8");
  EXPECT_ERROR(parse(good + "Aa01A02= \xC8\xCB\n"), "iconv -f GBK -t UTF-8 cilin.txt");
}

TEST(Cilin, IsKnownByItsFirstCode) {
  EXPECT_TRUE(begins_as_cilin(kCilin));
  EXPECT_TRUE(
      begins_as_cilin("\xEF\xBB\xBF"
                      "Aa01A01@ \xC8\xCB"));
  EXPECT_FALSE(begins_as_cilin("Aardvark a\n"));
  EXPECT_FALSE(begins_as_cilin("2 3\n"));
}

}  // namespace
}  // namespace ink
