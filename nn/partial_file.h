// A file that arrives in pieces and may be taken up again later: it stays where it is when its
// writer ends, and gets its name when it is whole.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace ink {

class PartialFile {
 public:
  // Opens what an earlier attempt left, or a new file.
  explicit PartialFile(const std::filesystem::path& path);
  ~PartialFile();
  PartialFile(const PartialFile&) = delete;
  PartialFile& operator=(const PartialFile&) = delete;

  uint64_t size() const { return size_; }
  // Adds to the end. `missing`: how many bytes are still to come, for the message when the disk is
  // full.
  void append(std::span<const std::byte> bytes, uint64_t missing);
  void clear();
  void commit(const std::filesystem::path& name);  // to the disk, then under its name; last
  void remove();                                   // for good; last

 private:
  std::filesystem::path path_;
  uint64_t size_ = 0;
  int descriptor_;
};

}  // namespace ink
