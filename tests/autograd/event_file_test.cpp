// Event files: the bytes that TensorBoard's own writer makes of the same events.
#include "autograd/event_file.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <csignal>

#include "tensor/file.h"
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
