// Verbs that read lines and write lines: what they write, and what happens when nobody takes it.
#include "tensor/json.h"
#include "tests/cli/program.h"

namespace ink {
namespace {

TEST_F(Cli, FiltersEndWithTheirReader) {
  for (const char* verb :
       {"tokenize --vocab vocab.txt", "segment --dictionary words.txt --no-hmm"}) {
    const Finished f = shell("(yes 砚台好 | timeout 60 $INK " + std::string(verb) +
                             "; echo $? >status) | head -1");
    EXPECT_EQ(read_file(folder_ / "status", 100), "141\n") << verb << ": as other filters end";
    EXPECT_EQ(std::count(f.out.begin(), f.out.end(), '\n'), 1) << f.out;
    EXPECT_EQ(f.error, "") << verb;
  }
}

TEST_F(Cli, AFullStdoutIsAnErrorAtOnce) {
  for (const char* verb :
       {"tokenize --vocab vocab.txt", "segment --dictionary words.txt --no-hmm"}) {
    const Finished f = shell("yes 砚台好 | timeout 60 $INK " + std::string(verb) + " >/dev/full");
    EXPECT_EQ(f.status, 1) << verb;
    EXPECT_NE(f.error.find("cannot write to standard output"), std::string::npos) << f.error;
    EXPECT_EQ(std::count(f.error.begin(), f.error.end(), '\n'), 1) << f.error;
  }
  for (const char* arguments : {"--help", "--version", "tokenize --help"}) {
    EXPECT_EQ(shell("$INK " + std::string(arguments) + " >/dev/full").status, 1) << arguments;
  }
}

TEST_F(Cli, TokenizesPairsAndRepairsInput) {
  const Finished f = run("tokenize --vocab vocab.txt --json", "砚台\tinkstone\n\xff好\n");
  EXPECT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find(R"("tokens": ["[CLS]", "砚", "台", "[SEP]", "ink", "##stone", "[SEP]"])"),
            std::string::npos)
      << f.out;
  EXPECT_NE(f.out.find(R"({"lines": 2, "tokens": 10, )"), std::string::npos) << f.out;
}

TEST_F(Cli, RepairedLinesAreCounted) {
  const std::string verb = "tokenize --vocab vocab.txt";
  EXPECT_EQ(run(verb, "砚\xff\n台\n\xff\xff\n").error,
            "inkstone: tokenize: 2 lines held bytes that are not UTF-8; replaced\n");
  EXPECT_EQ(run("segment --dictionary words.txt --no-hmm", "\xff").error,
            "inkstone: segment: 1 line held bytes that are not UTF-8; replaced\n");
  EXPECT_EQ(run(verb, "砚台\n").error, "");
}

TEST_F(Cli, SegmentsWithADictionary) {
  const Finished f = run("segment --dictionary words.txt --no-hmm", "砚台好纸\n");
  EXPECT_EQ(f.out, "砚台 好纸\n") << f.error;
}

TEST_F(Cli, KeepsCapitalsWhereAsked) {
  write_file(folder_ / "capitals.txt", "[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\nInk\nink\n");
  EXPECT_NE(run("tokenize --vocab capitals.txt", "Ink\n").out.find(R"("ink")"), std::string::npos);
  EXPECT_NE(run("tokenize --vocab capitals.txt --cased", "Ink\n").out.find(R"("Ink")"),
            std::string::npos);
  write_file(folder_ / "capitals", "Ink ink.\n");
  const std::string corrupt =
      "corrupt --objective mlm --vocab capitals.txt --text capitals --limit 1";
  EXPECT_EQ(run(corrupt).out.find(R"("Ink")"), std::string::npos);
  EXPECT_NE(run(corrupt + " --cased").out.find(R"("Ink")"), std::string::npos);
}

TEST_F(Cli, ATabWithNothingBehindItIsNoPair) {
  const std::string single = run("tokenize --vocab vocab.txt", "砚台\n").out;
  EXPECT_EQ(run("tokenize --vocab vocab.txt", "砚台\t\n").out, single);
  EXPECT_NE(run("tokenize --vocab vocab.txt", "砚台\t墨\n").out, single);
}

}  // namespace
}  // namespace ink
