// Corpus: each document once an epoch, any position resumable, damage named.
#include "text/corpus.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

class CorpusTest : public ::testing::Test {
 protected:
  // 300 numbered documents of one to three lines in two files and a folder below.
  void SetUp() override {
    create_folders(folder_ / "more");
    std::string files[3];
    for (int d = 0; d < 300; ++d) {
      for (int line = 0; line <= d % 3; ++line)
        files[d / 100] += "文档" + std::to_string(d) + " 行" + std::to_string(line) + '\n';
      files[d / 100] += d % 2 ? "\n" : " \r\n\n";
    }
    write_file(folder_ / "a.txt", files[0]);
    write_file(folder_ / "b.txt", "\xEF\xBB\xBF" + files[1]);
    write_file(folder_ / "more/c.txt", files[2]);
    write_file(folder_ / "ignored.md", "\xFF");
  }
  Corpus open(double held_out = 0.2) {
    return Corpus::open({folder_.path()}, {.held_out = held_out, .block_bytes = 200});
  }
  testing::TemporaryFolder folder_;
};

std::vector<std::string> first_lines(CorpusReader& reader, int64_t n) {
  std::vector<std::string> out;
  for (int64_t i = 0; i < n; ++i) out.push_back(reader.next().lines.at(0));
  return out;
}

TEST_F(CorpusTest, ReadsDocumentsInOrderWithoutASeed) {
  const Corpus corpus = open(0);
  ASSERT_EQ(corpus.documents(Split::train), 300);
  EXPECT_GT(corpus.blocks(), 20);
  CorpusReader reader(corpus, Split::train, std::nullopt);
  for (int d = 0; d < 300; ++d) {
    const Document document = reader.next();
    ASSERT_EQ(document.lines.size(), static_cast<size_t>(d % 3 + 1));
    ASSERT_EQ(document.lines[0], "文档" + std::to_string(d) + " 行0");
  }
  EXPECT_EQ(reader.position(), (CorpusPosition{1, 0}));
}

TEST_F(CorpusTest, AnEpochHasEveryDocumentOnceInAnOrderOfItsOwn) {
  const Corpus corpus = open(0);
  CorpusReader reader(corpus, Split::train, 7), again(corpus, Split::train, 7),
      other(corpus, Split::train, 8);
  const auto first = first_lines(reader, 300), second = first_lines(reader, 300);
  EXPECT_EQ(std::set(first.begin(), first.end()).size(), 300u);
  EXPECT_EQ(std::set(first.begin(), first.end()), std::set(second.begin(), second.end()));
  EXPECT_NE(first, second);
  EXPECT_EQ(first, first_lines(again, 300));
  EXPECT_NE(first, first_lines(other, 300));
}

TEST_F(CorpusTest, AnyPositionCanBeResumed) {
  const Corpus corpus = open();
  const int64_t n = corpus.documents(Split::train);
  CorpusReader reader(corpus, Split::train, 7);
  std::vector<CorpusPosition> positions;
  std::vector<Document> documents;
  for (int64_t i = 0; i < 2 * n; ++i) {
    positions.push_back(reader.position());
    documents.push_back(reader.next());
  }
  CorpusReader resumed(corpus, Split::train, 7);
  for (size_t i = 0; i < positions.size(); i += 7) {
    resumed.seek(positions[i]);
    ASSERT_EQ(resumed.next(), documents[i]);
    ASSERT_EQ(resumed.position(), i + 1 < positions.size() ? positions[i + 1] : reader.position());
  }
  resumed.seek({0, n});  // the end of an epoch is the start of the next
  EXPECT_EQ(resumed.position(), (CorpusPosition{1, 0}));
  EXPECT_ERROR(resumed.seek({0, n + 1}), "expected a position");
  EXPECT_ERROR(resumed.seek({-1, 0}), "expected a position");
}

TEST_F(CorpusTest, HeldOutDocumentsAreTheSameWhateverTheFiles) {
  const auto held_out_of = [](const Corpus& corpus) {
    CorpusReader reader(corpus, Split::held_out, std::nullopt);
    const auto lines = first_lines(reader, corpus.documents(Split::held_out));
    return std::set(lines.begin(), lines.end());
  };
  const Corpus corpus = open();
  const int64_t held_out = corpus.documents(Split::held_out);
  EXPECT_EQ(corpus.documents(Split::train) + held_out, 300);
  EXPECT_NEAR(static_cast<double>(held_out), 60, 4 * 7);  // four standard deviations
  const testing::TemporaryFolder joined;
  write_file(joined / "all", read_file(folder_ / "more/c.txt", 1 << 20) + "\n\n" +
                                 read_file(folder_ / "a.txt", 1 << 20) + "\n" +
                                 read_file(folder_ / "b.txt", 1 << 20).substr(3));
  EXPECT_EQ(held_out_of(Corpus::open({joined / "all"}, {.held_out = 0.2})), held_out_of(corpus));
}

// Documents are shuffled and paired within a block, so it must not matter how they lie in files.
TEST_F(CorpusTest, BlocksReachOverFiles) {
  const testing::TemporaryFolder together;
  create_folders(folder_ / "apart");
  std::string all;
  for (int d = 0; d < 30; ++d) {
    const std::string text = "文档" + std::to_string(100 + d) + "的一行\n";
    write_file(folder_ / "apart" / (std::to_string(100 + d) + ".txt"), text);
    all += text + '\n';
  }
  write_file(together / "all.txt", all);
  for (const int64_t block_bytes : {1 << 20, 70}) {
    const CorpusOptions options{.held_out = 0.2, .block_bytes = block_bytes};
    const Corpus one = Corpus::open({together.path()}, options);
    const Corpus many = Corpus::open({folder_ / "apart"}, options);
    ASSERT_EQ(many.blocks(), one.blocks());
    EXPECT_EQ(many.blocks(), block_bytes > 70 ? 1 : 8);
    for (int64_t block = 0; block < one.blocks(); ++block)
      for (const Split split : {Split::train, Split::held_out})
        EXPECT_EQ(many.read_block(block, split), one.read_block(block, split)) << block;
  }
}

TEST_F(CorpusTest, LongDocumentsAreCutAtLineEndsAndLongLinesKept) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "第" + std::to_string(i) + "行\n";
  const std::string line(10 << 20, 'x');
  write_file(folder_ / "long", text + line);
  const Corpus corpus = Corpus::open({folder_ / "long"}, {.block_bytes = 100});
  CorpusReader reader(corpus, Split::train, std::nullopt);
  std::vector<std::string> lines;
  for (int64_t i = corpus.documents(Split::train); i > 0; --i)
    for (const std::string& l : reader.next().lines) lines.push_back(l);
  ASSERT_EQ(lines.size(), 101u);
  EXPECT_EQ(lines[57], "第57行");
  EXPECT_EQ(lines[100], line);
}

TEST_F(CorpusTest, AllPiecesOfADocumentAreOnOneSide) {
  std::string text;
  for (int d = 0; d < 40; ++d) {
    for (int i = 0; i < 60; ++i)
      text += "文档" + std::to_string(d) + " 第" + std::to_string(i) + "行\n";
    text += "\n";
  }
  write_file(folder_ / "long", text);
  const Corpus corpus = Corpus::open({folder_ / "long"}, {.held_out = 0.3, .block_bytes = 200});
  std::map<std::string, std::set<Split>> sides;
  for (const Split split : {Split::train, Split::held_out}) {
    CorpusReader reader(corpus, split, std::nullopt);
    for (int64_t i = corpus.documents(split); i > 0; --i)
      for (const std::string& line : reader.next().lines)
        sides[line.substr(0, line.find(' '))].insert(split);
  }
  EXPECT_EQ(sides.size(), 40u);
  for (const auto& [name, side] : sides) EXPECT_EQ(side.size(), 1u) << name;
  EXPECT_EQ(corpus.whole_documents(Split::train) + corpus.whole_documents(Split::held_out), 40);
  EXPECT_GT(corpus.documents(Split::train), 100);
}

TEST_F(CorpusTest, DamageIsNamed) {
  const testing::TemporaryFolder empty;
  EXPECT_ERROR(Corpus::open({}), "at least one file");
  EXPECT_ERROR(Corpus::open({empty.path()}), "expected *.txt files");
  EXPECT_ERROR(Corpus::open({empty / "none.txt"}), "got nothing of that name");
  write_file(empty / "blank.txt", " \n\n\t\r\n");
  EXPECT_ERROR(Corpus::open({empty.path()}), "only empty files");
  write_file(empty / "blank.txt", "");
  EXPECT_ERROR(Corpus::open({empty.path()}), "only empty files");
  write_file(empty / "bad.txt", "好\n好\xFF\n");
  EXPECT_ERROR(Corpus::open({empty / "bad.txt"}),
               "bad.txt:2: expected valid UTF-8, got another byte at offset 7");
  EXPECT_ERROR(open(1.5), "held_out from 0 to 1");
  const Corpus all_train = open(0);
  EXPECT_ERROR(CorpusReader(all_train, Split::held_out, 1),
               "expected documents held out, got none of 300");
}

}  // namespace
}  // namespace ink
