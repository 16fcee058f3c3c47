// Checkpoints: what is damaged in any way is noticed, and whatever fails costs
// no earlier checkpoint.
#include "autograd/checkpoint.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <string>
#include <vector>

#include "autograd/checksum.h"
#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

uint64_t checksum_of_text(std::string_view text) {
  return checksum(std::as_bytes(std::span(text)));
}

TEST(Checksum, IsXxh64) {  // values of the reference implementation
  EXPECT_EQ(checksum_of_text(""), 0xEF46DB3751D8E999u);
  EXPECT_EQ(checksum_of_text("a"), 0xD24EC4F1A98C6E5Bu);
  EXPECT_EQ(checksum_of_text("abc"), 0x44BC2CF5AD770999u);
}

TEST(Checksum, ChangesWithEveryBitAndLength) {
  std::string text(77, 'x');
  const uint64_t before = checksum_of_text(text);
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    const char flip = static_cast<char>(1 << bit % 8);
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ flip);
    EXPECT_NE(checksum_of_text(text), before) << bit;
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ flip);
  }
  for (size_t n = 0; n < text.size(); ++n) EXPECT_NE(checksum_of_text(text.substr(0, n)), before);
}

class CheckpointTest : public testing::Test {
 protected:
  CheckpointTest() { fs::remove_all(root_); }
  ~CheckpointTest() override { fs::remove_all(root_); }

  CheckpointFolder open(int64_t keep = 3) {
    notices_.clear();
    return CheckpointFolder(root_, keep, [this](const std::string& s) { notices_.push_back(s); });
  }
  // A checkpoint whose file is a function of its step.
  static std::string content(int64_t step) {
    return std::string(5000, static_cast<char>('a' + step % 26));
  }
  static void write(const CheckpointFolder& folder, int64_t step) {
    folder.write(step, Json::make_object({{"step", step}}),
                 [&](const fs::path& into) { write_file(into / "weights", content(step)); });
  }
  static void expect_intact(const CheckpointFolder& folder, int64_t step) {
    const auto found = folder.newest();
    ASSERT_TRUE(found);
    EXPECT_EQ(found->step, step);
    EXPECT_EQ(found->state.integer("step"), step);
    EXPECT_EQ(read_file(found->folder / "weights", 1 << 20), content(step));
  }
  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const auto& entry : fs::directory_iterator(root_))
      all.push_back(entry.path().filename().string());
    std::sort(all.begin(), all.end());
    return all;
  }

  const fs::path root_ = scratch_folder("ink_checkpoints");
  std::vector<std::string> notices_;
};

TEST_F(CheckpointTest, TheNewestIsFoundAndTheLastKeptOnesStay) {
  const CheckpointFolder folder = open(2);
  EXPECT_FALSE(has_checkpoints(root_));
  EXPECT_FALSE(folder.newest());
  for (const int64_t step : {5, 90, 1000}) write(folder, step);
  EXPECT_EQ(names(), (std::vector<std::string>{"checkpoint-00000090", "checkpoint-00001000"}));
  expect_intact(folder, 1000);
  EXPECT_TRUE(notices_.empty());
}

TEST_F(CheckpointTest, AnyTruncationOrFlippedByteOfAnyFileFallsBackAndSaysSo) {
  const CheckpointFolder folder = open();
  write(folder, 1);
  write(folder, 2);
  const fs::path newest = root_ / "checkpoint-00000002", pristine = root_ / "pristine";
  fs::copy(newest, pristine);
  for (const char* name : {"weights", "trainer.json", "manifest.json"}) {
    const std::string original = read_file(pristine / name, 1 << 20);
    for (size_t i = 0; i < 40; ++i) {
      fs::remove_all(newest);
      fs::copy(pristine, newest);
      const size_t at = i * (original.size() - 1) / 40;
      std::string damaged = original;
      if (i % 2 == 0) {
        damaged.resize(at);
      } else {
        damaged[at] = static_cast<char>(damaged[at] ^ 0x15);
      }
      std::ofstream(newest / name, std::ios::binary) << damaged;
      notices_.clear();
      expect_intact(folder, 1);
      ASSERT_EQ(notices_.size(), 1u) << name << " at " << at;
      EXPECT_NE(notices_[0].find("checkpoint-00000002 is damaged"), std::string::npos);
      expect_intact(folder, 1);  // set aside, so it is not reported again
      EXPECT_EQ(notices_.size(), 1u);
    }
  }
}

TEST_F(CheckpointTest, AMissingFileFallsBack) {
  for (const char* name : {"weights", "trainer.json", "manifest.json"}) {
    fs::remove_all(root_);
    const CheckpointFolder folder = open();
    write(folder, 1);
    write(folder, 2);
    fs::remove(root_ / "checkpoint-00000002" / name);
    expect_intact(folder, 1);
  }
}

TEST_F(CheckpointTest, WhenAllAreDamagedThatIsAnError) {
  const CheckpointFolder folder = open();
  write(folder, 1);
  std::ofstream(root_ / "checkpoint-00000001" / "weights") << "x";
  EXPECT_THROW(folder.newest(), Error);
  EXPECT_TRUE(has_checkpoints(root_));
  EXPECT_ERROR(check_no_checkpoints(root_), "--resume");
}

TEST_F(CheckpointTest, AManifestThatLeadsOutsideIsRefused) {
  const CheckpointFolder folder = open();
  write(folder, 1);
  write(folder, 2);
  std::ofstream(root_ / "checkpoint-00000002" / "manifest.json")
      << R"({"format":1,"files":[{"name":"../checkpoint-00000001/weights",)"
         R"("bytes":5000,"checksum":"0"}]})";
  expect_intact(folder, 1);
  EXPECT_NE(notices_.at(0).find("plain file name"), std::string::npos);
}

TEST_F(CheckpointTest, AWriterThatFailsLeavesTheEarlierOnesAndNoTrace) {
  const CheckpointFolder folder = open(1);
  write(folder, 1);
  EXPECT_THROW(folder.write(2, Json::make_object(), [](const fs::path&) { fail("planted"); }),
               Error);
  EXPECT_EQ(names(), std::vector<std::string>{"checkpoint-00000001"});
  expect_intact(folder, 1);
}

TEST_F(CheckpointTest, AFullDiskIsOneErrorAndCostsNothing) {
  const CheckpointFolder folder = open(1);
  write(folder, 1);
  const auto old_handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit old_limit{};
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &old_limit), 0);
  for (const rlim_t bytes : {0, 1, 100, 4096, 4999}) {
    rlimit limit = old_limit;
    limit.rlim_cur = bytes;
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &limit), 0);
    std::string message;
    try {
      write(folder, 2);
    } catch (const Error& error) {
      message = error.message();
    }
    ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &old_limit), 0);
    EXPECT_NE(message.find("cannot write the checkpoint of step 2 (earlier ones are intact)"),
              std::string::npos)
        << bytes << ": " << message;
    EXPECT_EQ(names(), std::vector<std::string>{"checkpoint-00000001"});
    expect_intact(folder, 1);
  }
  std::signal(SIGXFSZ, old_handler);
  write(folder, 2);
  expect_intact(folder, 2);
}

TEST_F(CheckpointTest, TheFirstOneHasNoEarlierOnes) {
  std::string message;
  try {
    open().write(1, Json::make_object(), [](const fs::path&) { fail("planted"); });
  } catch (const Error& error) {
    message = error.message();
  }
  EXPECT_EQ(message, "cannot write the checkpoint of step 1: planted");
}

TEST_F(CheckpointTest, LeftoversOfKilledWritersAreRemovedAtTheNextStart) {
  write(open(), 1);
  fs::create_directories(root_ / ".checkpoint-00000002.partial");
  std::ofstream(root_ / ".checkpoint-00000002.partial" / "weights") << "half";
  fs::create_directories(root_ / ".checkpoint-00000000.old.partial");
  const CheckpointFolder folder = open();
  EXPECT_EQ(names(), std::vector<std::string>{"checkpoint-00000001"});
  expect_intact(folder, 1);
}

TEST_F(CheckpointTest, AStepMayBeWrittenAgain) {
  const CheckpointFolder folder = open();
  write(folder, 1);
  write(folder, 1);
  expect_intact(folder, 1);
  EXPECT_EQ(names().size(), 1u);
}

TEST_F(CheckpointTest, TwoCannotTrainInOneFolder) {
  const CheckpointFolder folder = open();
  EXPECT_THROW(CheckpointFolder(root_, 1), Error);
}

TEST_F(CheckpointTest, OtherFilesAreNoCheckpoints) {
  const CheckpointFolder folder = open();
  for (const char* name :
       {"checkpoint-", "checkpoint-12", "checkpoint-0000001x", "checkpoint-00000009.damaged"})
    fs::create_directories(root_ / name);
  std::ofstream(root_ / "checkpoint-00000007") << "a file";
  EXPECT_FALSE(has_checkpoints(root_));
  EXPECT_FALSE(folder.newest());
}

}  // namespace
}  // namespace ink
