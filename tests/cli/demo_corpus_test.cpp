// The demo's corpus of one's own text: documents, classes, and files that are no text.
#include "tests/cli/program.h"

namespace ink {
namespace {

class DemoCorpus : public Cli {
 protected:
  Finished make() const { return shell(std::string(INK_DEMO_CORPUS) + " made --folder in"); }
  std::string made(const char* file) const { return read_file(folder_ / "made" / file, 1 << 20); }
};

TEST_F(DemoCorpus, SplitsOwnTextByDocuments) {
  std::string poems;
  for (int i = 0; i < 60; ++i) {
    const std::string number = std::to_string(i);
    poems += "第一行诗是这样的号" + number + "\n第二行诗是这样的号" + number + "\n\n";
  }
  create_folders(folder_ / "in/laws");
  write_file(folder_ / "in/poems.txt", poems);
  write_file(folder_ / "in/laws/one.txt", "本法适用于全部文本文件。\n短\n");
  const Finished f = make();
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("61 documents"), std::string::npos) << f.out;
  EXPECT_NE(f.out.find("\nclasses: "), std::string::npos) << f.out;

  // Lines of a document stay together, and what is measured is not pre-trained on.
  const std::string text = made("text.txt"), test = made("test.tsv");
  int tested = 0;
  for (int i = 0; i < 60; ++i) {
    const std::string first = "第一行诗是这样的号" + std::to_string(i) + "\n";
    const std::string second = "第二行诗是这样的号" + std::to_string(i) + "\n";
    EXPECT_EQ(test.find(first) == std::string::npos, test.find(second) == std::string::npos) << i;
    if (test.find(first) == std::string::npos) continue;
    ++tested;
    EXPECT_EQ(text.find(first), std::string::npos) << i;
  }
  EXPECT_GE(tested, 5);
  EXPECT_EQ((text + test).find("短"), std::string::npos);  // a line of few characters
}

TEST_F(DemoCorpus, LeavesOutWhatIsNoText) {
  create_folders(folder_ / "in");
  write_file(folder_ / "in/a.txt", "这是一个很好的文本文件。\n");
  write_file(folder_ / "in/picture.png", std::string("\x89PNG\0\0一些像是文字的东西", 30));
  write_file(folder_ / "in/gbk.txt", "\xd5\xe2\xca\xc7\xd2\xbb\xb8\xf6\xce\xc4\xbc\xfe\n");
  const Finished f = make();
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("left out, as not text in UTF-8: 2, such as gbk.txt"), std::string::npos)
      << f.out;
  EXPECT_NE(f.out.find("no classification task"), std::string::npos) << f.out;
  EXPECT_EQ(made("text.txt"), "这是一个很好的文本文件。\n\n");
}

TEST_F(DemoCorpus, SaysThatThereIsNoText) {
  create_folders(folder_ / "in");
  const Finished f = make();
  EXPECT_EQ(f.status, 1);
  EXPECT_NE(f.error.find("demo_corpus: no text found"), std::string::npos) << f.error;
}

}  // namespace
}  // namespace ink
