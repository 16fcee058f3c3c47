// Ends this process by SIGKILL at its nth change of the disk: kill_at(n).
//
// The program's own write, fsync, rename, … stand before the C library's, so calls of the library
// and of std::filesystem pass through here and are counted. A row of writes counts once, and the
// fatal one writes half of its bytes. Include it in one file of a program only.
#pragma once
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdint>

namespace ink::testing {

inline std::atomic<int64_t> changes_left{INT64_MAX};
inline std::atomic<bool> last_was_write{false};

// From now on the nth change (n ≥ 1) is the end.
inline void kill_at(int64_t n) { changes_left = n; }

inline bool is_fatal(bool is_write) {
  if (last_was_write.exchange(is_write) && is_write) return false;
  return --changes_left == 0;
}

[[noreturn]] inline void die() {
  ::kill(::getpid(), SIGKILL);
  while (true) ::pause();
}

template <class... Args>
int change(long call, Args... args) {
  if (is_fatal(false)) die();
  return static_cast<int>(::syscall(call, args...));
}

}  // namespace ink::testing

// NOLINTBEGIN(readability-inconsistent-declaration-parameter-name): the C library's are reserved
extern "C" {

ssize_t write(int file, const void* data, size_t bytes) {
  const bool fatal = file > STDERR_FILENO && ink::testing::is_fatal(true);
  const ssize_t done = ::syscall(SYS_write, file, data, fatal ? bytes / 2 : bytes);
  if (fatal) ink::testing::die();
  return done;
}
int fsync(int file) { return ink::testing::change(SYS_fsync, file); }
int ftruncate(int file, off_t length) noexcept {
  return ink::testing::change(SYS_ftruncate, file, length);
}
int rename(const char* from, const char* to) noexcept {
  return ink::testing::change(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}
int mkdir(const char* path, mode_t mode) noexcept {
  return ink::testing::change(SYS_mkdirat, AT_FDCWD, path, mode);
}
int unlink(const char* path) noexcept {
  return ink::testing::change(SYS_unlinkat, AT_FDCWD, path, 0);
}
int rmdir(const char* path) noexcept {
  return ink::testing::change(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR);
}
int unlinkat(int folder, const char* path, int flags) noexcept {
  return ink::testing::change(SYS_unlinkat, folder, path, flags);
}
int remove(const char* path) noexcept {
  if (ink::testing::is_fatal(false)) ink::testing::die();
  const int done = static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, 0));
  return done == 0 ? 0 : static_cast<int>(::syscall(SYS_unlinkat, AT_FDCWD, path, AT_REMOVEDIR));
}

}  // extern "C"
// NOLINTEND(readability-inconsistent-declaration-parameter-name)
