// Event files: the bytes that TensorBoard's own writer makes of the same events.
#include "autograd/event_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstring>
#include <vector>

#include "autograd/trainer.h"
#include "tensor/file.h"
#include "tensor/ops.h"
#include "tests/expect_error.h"
#include "tests/scratch_folder.h"

namespace ink {
namespace {

namespace fs = std::filesystem;

class EventFileTest : public testing::Test {
 protected:
  EventFileTest() { create_folders(folder_); }
  ~EventFileTest() override { fs::remove_all(folder_); }
  const fs::path folder_ = scratch_folder("ink_events");
};

TEST(Crc32c, IsCastagnolis) {  // RFC 3720, B.4
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
}

TEST_F(EventFileTest, HasTheBytesOfTensorBoard) {
  constexpr double kWallTime = 1700000000.25;
  EventFile events(folder_, 120, kWallTime);
  events.add(130, {{"training/loss", 2.5}, {"training/学习率", 1e-4}}, kWallTime + 130);
  events.add(300000, {{"evaluation/" + std::string(200, 'x'), std::nan("")}}, kWallTime + 300000);
  EXPECT_EQ(read_file(events.path(), 1 << 16), read_file("tests/golden/events.tfevents", 1 << 16));
}

TEST_F(EventFileTest, EveryStartHasAFileOfItsOwnInOrder) {
  std::string before;
  for (int start = 0; start < 12; ++start) {
    const EventFile events(folder_, start ? start : -1, 1700000000.0 + start / 4);
    const std::string name = events.path().filename().string();
    EXPECT_TRUE(name.starts_with("events.out.tfevents.17000000")) << name;
    EXPECT_GT(name, before);
    before = name;
  }
}

// The files of a folder, in order of their names.
std::vector<fs::path> event_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::directory_iterator(folder))
    if (entry.path().filename().string().starts_with("events.")) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

int64_t records_of(const fs::path& file) {
  const std::string bytes = read_file(file, 1 << 20);
  int64_t records = 0;
  for (size_t at = 0; at < bytes.size(); ++records) {
    uint64_t length = 0;
    std::memcpy(&length, bytes.data() + at, sizeof length);
    at += 16 + length;
  }
  return records;
}

// One record names the form, one stands for each line of the log, and after a resume one says where
// it goes on.
TEST_F(EventFileTest, EveryStartOfATrainingWritesItsPartOfTheLog) {
  Parameters parameters;
  parameters.add("w", full(Shape{2}, 1));
  TrainingHooks hooks;
  hooks.loss = [&](int64_t, const Random&) -> MicroLoss {
    return {.loss = sum(square(parameters.at("w").value)), .metrics = {{"rows", 2}}};
  };
  hooks.evaluate = [](int64_t) { return Evaluation{.score = 1, .metrics = {{"accuracy", 0.5}}}; };
  const auto train_until = [&](int64_t steps, bool resume) {
    Optimizer optimizer(parameters);
    train(parameters, optimizer, {.decay = Decay::constant},
          {.steps = steps,
           .evaluate_every = 4,
           .folder = folder_,
           .event_file = true,
           .resume = resume},
          hooks);
  };
  train_until(12, false);
  ASSERT_EQ(event_files(folder_).size(), 1u);
  EXPECT_EQ(records_of(event_files(folder_)[0]), 1 + 12 + 3);
  const std::string bytes = read_file(event_files(folder_)[0], 1 << 20);
  for (const char* tag : {"training/loss", "training/rows", "training/learning_rate",
                          "evaluation/accuracy", "evaluation/score"}) {
    EXPECT_NE(bytes.find(tag), std::string::npos) << tag;
  }
  train_until(20, true);
  ASSERT_EQ(event_files(folder_).size(), 2u);
  EXPECT_EQ(records_of(event_files(folder_)[1]), 2 + 8 + 2);
}

TEST_F(EventFileTest, WhatCannotBeWrittenIsAnError) {
  EXPECT_ERROR(EventFile(folder_ / "none", -1, 1), "cannot create the event file");
  EventFile events(folder_, -1, 1);
  std::signal(SIGXFSZ, SIG_IGN);
  rlimit before{};
  getrlimit(RLIMIT_FSIZE, &before);
  const rlimit small{.rlim_cur = 10, .rlim_max = before.rlim_max};
  setrlimit(RLIMIT_FSIZE, &small);
  EXPECT_ERROR(events.add(1, {{"loss", 1}}, 1), "cannot write the event file");
  setrlimit(RLIMIT_FSIZE, &before);
}

}  // namespace
}  // namespace ink
