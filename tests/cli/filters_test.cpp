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

}  // namespace
}  // namespace ink
