// Zip archives whose entries are stored, not compressed: the form in which PyTorch writes tensors.
//
// Opening reads the central directory (zip64 too) and copies nothing. What two readers could
// understand differently is refused: entries that overlap or appear twice, a local header that
// disagrees with the directory, anything after the archive. Format: PKWARE's APPNOTE 6.3.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace ink {

class ZipArchive {
 public:
  struct Entry {
    std::string_view name;
    uint64_t begin, size;  // bytes of the archive
    uint32_t crc;          // of the content, as the directory states it
  };

  // `archive` should stay where it is for as long as the entries are used.
  ZipArchive(std::span<const std::byte> archive, const std::string& source);

  static bool is_zip(std::span<const std::byte> bytes);  // by its first bytes

  const std::vector<Entry>& entries() const { return entries_; }  // ordered by name
  const Entry* find(std::string_view name) const;                 // null when absent
  std::span<const std::byte> content(const Entry& entry) const {
    return archive_.subspan(entry.begin, entry.size);
  }
  // Raises Error unless the content has the sum that the directory states.
  void check_sum(const Entry& entry) const;

 private:
  std::span<const std::byte> archive_;
  std::string source_;
  std::vector<Entry> entries_;
};

}  // namespace ink
