// FileLock: one holder at a time, in this process and in others; free when the holder is gone.
#include "tensor/file_lock.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "tensor/file.h"
#include "tests/expect_error.h"
#include "tests/temporary_folder.h"

namespace ink {
namespace {

using testing::TemporaryFolder;

// Whether a process of its own gets the lock.
bool another_process_gets(const std::filesystem::path& path) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(FileLock::without_waiting(path) ? 0 : 1);
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

TEST(FileLock, HoldsOthersOffWhileItLives) {
  const TemporaryFolder folder;
  for (const std::filesystem::path& path : {folder.path(), folder.path() / "file.lock"}) {
    {
      const FileLock held = FileLock::wait(path);
      EXPECT_FALSE(FileLock::without_waiting(path)) << path;
      EXPECT_FALSE(another_process_gets(path)) << path;
    }
    EXPECT_TRUE(FileLock::without_waiting(path)) << path;
    EXPECT_TRUE(another_process_gets(path)) << path;
  }
}

TEST(FileLock, StaysHeldWhenMoved) {
  const TemporaryFolder folder;
  std::optional<FileLock> first = FileLock::without_waiting(folder.path());
  ASSERT_TRUE(first);
  const FileLock second(std::move(*first));
  first.reset();
  EXPECT_FALSE(FileLock::without_waiting(folder.path()));
}

TEST(FileLock, WaitsForTheHolder) {
  const TemporaryFolder folder;
  std::optional<FileLock> held = FileLock::without_waiting(folder.path());
  ASSERT_TRUE(held);
  std::atomic<bool> released = false, seen_released = false;
  std::thread waiter([&] {
    const FileLock lock = FileLock::wait(folder.path());
    seen_released = released.load();
  });
  released = true;
  held.reset();
  waiter.join();
  EXPECT_TRUE(seen_released);
}

TEST(FileLock, NamesAPathThatCannotBeOpened) {
  const TemporaryFolder folder;
  const std::filesystem::path path = folder.path() / "absent" / "file.lock";
  EXPECT_ERROR(FileLock::wait(path), "absent/file.lock to lock it: No such file");
}

}  // namespace
}  // namespace ink
