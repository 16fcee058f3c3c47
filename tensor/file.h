// Files: mapped for reading, and written so that no crash or full disk costs what was there before.
//
// Writing goes to a temporary beside the target (".name.<process>.partial"), which is flushed to
// the disk and then renamed over the target; readers see the old file or the new one, never a
// mixture. Every failure is one Error with the path, the system's reason and, where the disk is
// full, the bytes needed and free. A target that is no regular file (a pipe, /dev/stdout) is
// written directly. Programs that set a file-size limit should ignore SIGXFSZ, so that exceeding it
// is reported here rather than ending the process.
#pragma once
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace ink {

// A whole file as read-only memory; pages are read when touched. Must not be truncated by others
// while it is mapped.
class MappedFile {
 public:
  static constexpr size_t kSlack = 64;
  static std::shared_ptr<const MappedFile> open(const std::filesystem::path& path);
  ~MappedFile();
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::byte* data() const { return data_; }
  size_t size() const { return size_; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  MappedFile(std::filesystem::path path, const std::byte* data, size_t size)
      : path_(std::move(path)), data_(data), size_(size) {}
  std::filesystem::path path_;
  const std::byte* data_;
  size_t size_;
};

// The content of a file or pipe. Raises Error when it is longer than max_bytes.
std::string read_file(const std::filesystem::path& path, size_t max_bytes);
// The same of a regular file alone, for the files of a folder: a pipe there, which might never end
// or never begin, is an Error and not waited for. MappedFile::open does so too.
std::string read_regular_file(const std::filesystem::path& path, size_t max_bytes);

// A file that appears under its name only when commit() succeeds, with the mode of the file that it
// replaces; otherwise the destructor removes the temporary.
class FileWriter {
 public:
  // `expected_bytes`: size of the whole file where known, for the message when the disk is full.
  explicit FileWriter(const std::filesystem::path& path, size_t expected_bytes = 0);
  ~FileWriter();
  FileWriter(const FileWriter&) = delete;
  FileWriter& operator=(const FileWriter&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
  size_t written() const { return written_; }
  void commit();  // to the disk, then under the name; call once, last

 private:
  [[noreturn]] void fail_with(const char* action, int code);
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty when the target is written directly
  size_t expected_bytes_, written_ = 0;
  int descriptor_ = -1;
};

void write_file(const std::filesystem::path& path, std::string_view text);
// Calls write(out) and commits; nothing changes when it throws.
void write_atomically(const std::filesystem::path& path,
                      const std::function<void(FileWriter&)>& write);

// Removes temporaries in `folder` that processes left which no longer run here; returns how many.
int remove_stale_temporaries(const std::filesystem::path& folder);

// The system's words for an errno, read right after the call that failed.
std::string reason(int code);

// Creates a folder and its parents; no error when it exists.
void create_folders(const std::filesystem::path& folder);
// Makes a finished rename, creation or removal inside `folder` survive a power loss.
void sync_folder(const std::filesystem::path& folder);

}  // namespace ink
