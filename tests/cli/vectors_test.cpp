// inkstone vectors: trains, converts and searches word vectors.
#include "tests/cli/program.h"
#include "text/word_neighbours.h"
#include "text/word_vectors.h"

namespace ink {
namespace {

class Vectors : public Cli {
 protected:
  void SetUp() override {
    Cli::SetUp();
    std::string text;
    for (int i = 0; i < 60; ++i) text += i % 2 ? "砚台好墨 Ink 砚台\n" : "好纸 ink 墨砚台好墨\n";
    write_file(folder_ / "many.txt", text);
  }
  std::string read(const std::string& name) const { return read_file(folder_ / name, 1 << 20); }
};

TEST_F(Vectors, AreTrainedAndSearched) {
  const std::string train = "vectors --text many.txt --dictionary words.txt --width 8 ";
  const Finished f = run(train + "--out v.txt --neighbours n.txt --top 2 --json --threads 2");
  ASSERT_EQ(f.status, 0) << f.error;
  EXPECT_NE(f.out.find("v.txt: vectors of 8 numbers for 5 words"), std::string::npos) << f.out;
  EXPECT_NE(f.out.find("\"words\": 5"), std::string::npos) << f.out;
  const WordVectors vectors = WordVectors::load(folder_ / "v.txt");
  EXPECT_TRUE(vectors.words.find("ink").has_value());
  EXPECT_EQ(WordNeighbours::load(folder_ / "n.txt").of("砚台").size(), 2U);

  ASSERT_EQ(run(train + "--out again.txt --threads 1").status, 0);
  EXPECT_EQ(read("again.txt"), read("v.txt"));
  ASSERT_EQ(run(train + "--out other.txt --seed 2").status, 0);
  EXPECT_NE(read("other.txt"), read("v.txt"));
}

// Each option changes the vectors, or the words that have one.
TEST_F(Vectors, OptionsReachTheTraining) {
  const std::string train = "vectors --text many.txt --dictionary words.txt ";
  ASSERT_EQ(run(train + "--subsample 0 --out plain.txt").status, 0);
  for (const char* option :
       {"--min-count 31", "--cased", "--width 9", "--window 2", "--negatives 3", "--epochs 2",
        "--learning-rate 0.05", "--format binary", "--subsample 0.01"}) {
    const bool samples = std::string(option).starts_with("--subsample");
    const std::string more = samples ? option : std::string(option) + " --subsample 0";
    ASSERT_EQ(run(train + more + " --out other.txt").status, 0) << option;
    EXPECT_TRUE(read("other.txt") != read("plain.txt")) << option;
  }
}

TEST_F(Vectors, AreConvertedThereAndBack) {
  write_file(folder_ / "v.txt", "2 2\n砚台 1 0.5\n墨 0.25 -3\n");
  ASSERT_EQ(run("vectors --vectors v.txt --out v.bin --format binary").status, 0);
  ASSERT_EQ(run("vectors --vectors v.bin --out back.txt --neighbours n.txt").status, 0);
  EXPECT_EQ(read("back.txt"), read("v.txt"));
  EXPECT_EQ(read("n.txt"), "砚台\t墨 -0.3714\n墨\t砚台 -0.3714\n");
}

TEST_F(Vectors, WrongUseIsExplained) {
  expect_failure("vectors --out v.txt", 2, {"expected either --text or --vectors"});
  expect_failure("vectors --text text.txt --vectors v.txt --out w.txt", 2,
                 {"expected either --text or --vectors"});
  expect_failure("vectors --text text.txt", 2, {"--out, --neighbours or both"});
  expect_failure("vectors --text text.txt --out a --neighbours a", 2, {"expected two files"});
  expect_failure("vectors --text text.txt --out text.txt", 2, {"belongs to the input"});
  expect_failure("vectors --text text.txt --dictionary words.txt --out v.txt --min-count 99", 1,
                 {"some word occurs 99 times"});
  write_file(folder_ / "v.txt", "1 3\n砚台 1 0.5\n");
  expect_failure("vectors --vectors v.txt --out w.txt", 1,
                 {"v.txt:2: expected 3 numbers", "got only 2"});
}

}  // namespace
}  // namespace ink
