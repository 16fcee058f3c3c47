// FileLock: a file or folder that one process at a time may work on; flock(2) while the object
// lives.
//
// It binds only those who ask for it, and ends with the process, however that ends. Two objects of
// one process hold each other off as two processes do. Raises Error where the path cannot be opened
// or its file system has no locks.
#pragma once
#include <filesystem>
#include <optional>

namespace ink {

class FileLock {
 public:
  // Waits for whoever holds it. A folder must exist, a file is created.
  static FileLock wait(const std::filesystem::path& path);
  // Nothing when another holds it.
  static std::optional<FileLock> without_waiting(const std::filesystem::path& path);
  ~FileLock();
  FileLock(FileLock&& other) noexcept : descriptor_(other.descriptor_) { other.descriptor_ = -1; }
  FileLock& operator=(FileLock&&) = delete;

 private:
  explicit FileLock(const std::filesystem::path& path);
  bool lock(const std::filesystem::path& path, int how) const;  // false: another holds it
  int descriptor_;
};

}  // namespace ink
