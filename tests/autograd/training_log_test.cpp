// The log: whole lines only, cut back to a known length, and readable while it grows.
#include "autograd/training_log.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cerrno>
#include <csignal>
#include <fstream>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

class TrainingLogTest : public testing::Test {
 protected:
  TrainingLogTest() { std::filesystem::remove(path_); }
  ~TrainingLogTest() override { std::filesystem::remove(path_); }
  static Json line(int64_t step) { return Json::make_object({{"step", step}, {"loss", 1.0 / 3}}); }
  std::string text() const { return read_file(path_, 1 << 20); }
  const std::filesystem::path path_ = scratch_folder("ink_log");
};

TEST_F(TrainingLogTest, KeepsWhatWasAppended) {
  TrainingLog log(path_, 0);
  for (int64_t step = 0; step < 3; ++step) log.append(line(step));
  const auto lines = read_training_log(path_);
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_EQ(lines[2].integer("step"), 2);
  EXPECT_EQ(lines[2].real("loss"), 1.0 / 3);  // every bit
  EXPECT_EQ(log.length(), text().size());
}

TEST_F(TrainingLogTest, IsCutBackToTheGivenLength) {
  uint64_t length = 0;
  {
    TrainingLog log(path_, 0);
    log.append(line(0));
    length = log.length();
    log.append(line(1));
  }
  TrainingLog log(path_, length);
  log.append(line(7));
  EXPECT_EQ(text(), line(0).to_string() + '\n' + line(7).to_string() + '\n');
}

TEST_F(TrainingLogTest, ANewRunStartsEmptyAndAShorterFileIsKeptToItsLastWholeLine) {
  std::ofstream(path_) << "{\"step\":1}\n{\"st";
  EXPECT_EQ(read_training_log(path_).size(), 1u);
  EXPECT_EQ(TrainingLog(path_, 1000).length(), 11u);
  EXPECT_EQ(text(), "{\"step\":1}\n");
  EXPECT_EQ(TrainingLog(path_, 0).length(), 0u);
  EXPECT_EQ(text(), "");
}

TEST_F(TrainingLogTest, ADamagedLineIsNamed) {
  std::ofstream(path_) << "{\"step\":1}\nnonsense\n";
  try {
    read_training_log(path_);
    FAIL() << "accepted";
  } catch (const Error& error) {
    EXPECT_NE(error.message().find("line 2"), std::string::npos) << error.message();
  }
}

TEST_F(TrainingLogTest, ALineThatDoesNotFitLeavesNoHalfLine) {
  TrainingLog log(path_, 0);
  log.append(line(0));
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  rlimit limit = old_limit;
  limit.rlim_cur = log.length() + 5;
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
  EXPECT_THROW(log.append(line(1)), Error);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
  std::signal(SIGXFSZ, old_handler);
  EXPECT_EQ(text(), line(0).to_string() + '\n');
  log.append(line(2));
  EXPECT_EQ(read_training_log(path_).size(), 2u);
}

// Such a device has no length: the reason must be that of the call that failed.
TEST(TrainingLogErrors, StateTheReasonOfTheFailedCall) {
  errno = 0;
  EXPECT_ERROR(TrainingLog("/dev/full", 0), "to 0 bytes: Invalid argument");
}

}  // namespace
}  // namespace ink
