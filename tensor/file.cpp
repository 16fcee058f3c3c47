// Mapping, reading and atomic writing of files on POSIX.
#include "tensor/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <system_error>
#include <utility>

#include "tensor/error.h"

namespace ink {

namespace fs = std::filesystem;

namespace {

std::string in_megabytes(uint64_t bytes) {
  return bytes < 10'000'000 ? std::to_string(bytes) + " bytes"
                            : std::to_string(bytes / 1'000'000) + " MB";
}

// The error of a system call that has just failed, with its errno.
[[noreturn]] void fail_with_reason(const char* action, const fs::path& path, int code,
                                   size_t bytes = 0) {
  const std::string size = bytes > 0 ? " (" + in_megabytes(bytes) + ')' : "";
  fail("", action, path.string(), size, ": ", reason(code));
}

// A descriptor that closes itself.
struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

struct stat status_of(const Descriptor& file, const fs::path& path) {
  struct stat status {};
  if (::fstat(file.number, &status) != 0) fail_with_reason("cannot examine ", path, errno);
  check(!S_ISDIR(status.st_mode), "cannot read ", path.string(),
        ": it is a folder, expected a file");
  return status;
}

Descriptor open_to_read(const fs::path& path, int more_flags = 0) {
  Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | more_flags)};
  if (file.number < 0) fail_with_reason("cannot open ", path, errno);
  return file;
}

// Opening a pipe without O_NONBLOCK would wait for somebody to write to it.
Descriptor open_regular(const fs::path& path) {
  Descriptor file = open_to_read(path, O_NONBLOCK);
  check(S_ISREG(status_of(file, path).st_mode), "cannot read ", path.string(),
        ": it is not a regular file");
  return file;
}

}  // namespace

std::shared_ptr<const MappedFile> MappedFile::open(const fs::path& path) {
  const Descriptor file = open_regular(path);
  const struct stat status = status_of(file, path);
  const auto size = static_cast<size_t>(status.st_size);
  // Zeros first, the file over them: a file that ends with its last page still has readable
  // bytes after it.
  const size_t reserved = size + kSlack;
  void* data = ::mmap(nullptr, reserved, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (data == MAP_FAILED) fail_with_reason("cannot map ", path, errno, size);
  std::shared_ptr<const MappedFile> mapped(
      new MappedFile(path, static_cast<const std::byte*>(data), size));
  if (size > 0 &&
      ::mmap(data, size, PROT_READ, MAP_PRIVATE | MAP_FIXED, file.number, 0) == MAP_FAILED)
    fail_with_reason("cannot map ", path, errno, size);
  return mapped;
}

MappedFile::~MappedFile() { ::munmap(const_cast<std::byte*>(data_), size_ + kSlack); }

namespace {

std::string read_all(const Descriptor& file, const fs::path& path, size_t max_bytes) {
  const struct stat status = status_of(file, path);
  const auto too_long = [&] {
    fail("cannot read ", path.string(), ": expected at most ", in_megabytes(max_bytes),
         ", it is longer");
  };
  const auto stated = static_cast<uint64_t>(std::max<int64_t>(status.st_size, 0));  // 0 for a pipe
  if (stated > max_bytes) too_long();
  std::string text;
  text.reserve(stated + 1);
  constexpr size_t kBlock = size_t{1} << 16;
  while (true) {
    const size_t have = text.size();
    const size_t block = have < stated ? stated - have : kBlock;
    text.resize(have + block);
    const ssize_t got = ::read(file.number, text.data() + have, block);
    const int code = errno;
    text.resize(have + static_cast<size_t>(std::max<ssize_t>(got, 0)));
    if (got < 0 && code == EINTR) continue;
    check(got >= 0, "cannot read ", path.string(), ": ", reason(code));
    if (got == 0) return text;
    if (text.size() > max_bytes) too_long();
  }
}

}  // namespace

std::string read_file(const fs::path& path, size_t max_bytes) {
  return read_all(open_to_read(path), path, max_bytes);
}

std::string read_regular_file(const fs::path& path, size_t max_bytes) {
  return read_all(open_regular(path), path, max_bytes);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

constexpr std::string_view kPartial = ".partial";

// When a process started, in clock ticks since boot; 0 when it does not run. With the number it
// names a process for good: numbers are reused, pairs are not.
uint64_t start_of(int64_t process) {
  std::ifstream in("/proc/" + std::to_string(process) + "/stat");
  std::string line;
  std::getline(in, line);
  size_t at = line.rfind(')');  // the command before it may hold anything
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = line.find(' ', at + 1);
  uint64_t ticks = 0;
  if (at != std::string::npos)
    std::from_chars(line.data() + at + 1, line.data() + line.size(), ticks);
  return ticks;
}

// ".name.<process>-<start>-<count>.partial" beside the target
fs::path temporary_for(const fs::path& target) {
  static std::atomic<uint64_t> count{0};
  const int64_t self = ::getpid();
  std::string name = '.' + target.filename().string() + '.' + std::to_string(self) + '-' +
                     std::to_string(start_of(self)) + '-' + std::to_string(count++);
  name += kPartial;
  return target.parent_path() / name;
}

// Whether a name is one of ours and its writer is gone.
bool is_stale(const std::string& name) {
  if (!name.starts_with('.') || !name.ends_with(kPartial)) return false;
  const std::string_view stem = std::string_view(name).substr(0, name.size() - kPartial.size());
  const size_t dot = stem.rfind('.');
  int64_t process = 0;
  uint64_t start = 0, count = 0;
  const char* const end = stem.data() + stem.size();
  auto parsed = std::from_chars(stem.data() + dot + 1, end, process);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '-') return false;
  parsed = std::from_chars(parsed.ptr + 1, end, start);
  if (parsed.ec != std::errc() || parsed.ptr == end || *parsed.ptr != '-') return false;
  parsed = std::from_chars(parsed.ptr + 1, end, count);
  return parsed.ec == std::errc() && parsed.ptr == end && start_of(process) != start;
}

}  // namespace

FileWriter::FileWriter(const fs::path& path, size_t expected_bytes)
    : expected_bytes_(expected_bytes) {
  std::error_code ignored;
  path_ = fs::is_symlink(path, ignored) ? fs::weakly_canonical(path, ignored) : path;
  if (path_.empty()) path_ = path;
  const fs::file_status status = fs::status(path_, ignored);
  check(!fs::is_directory(status), "cannot write ", path.string(),
        ": it is a folder, expected a file name");
  const bool direct = fs::exists(status) && !fs::is_regular_file(status);
  if (!direct) temporary_ = temporary_for(path_);
  const bool replaces = !direct && fs::exists(status);
  const int flags = direct ? O_WRONLY | O_CLOEXEC : O_WRONLY | O_CLOEXEC | O_CREAT | O_EXCL;
  descriptor_ = ::open(direct ? path_.c_str() : temporary_.c_str(), flags, replaces ? 0600 : 0666);
  if (descriptor_ < 0) {
    const int code = errno;
    temporary_.clear();
    fail_with("create", code);
  }
  // The new file is as private as the old one; file systems without modes refuse, and need none.
  if (replaces) {
    const auto mode = static_cast<mode_t>(status.permissions() & fs::perms::all);
    [[maybe_unused]] const int refused = ::fchmod(descriptor_, mode);
  }
}

FileWriter::~FileWriter() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

void FileWriter::fail_with(const char* action, int code) {
  const bool full = code == ENOSPC || code == EDQUOT;
  std::string message =
      std::string("cannot ") + action + ' ' + path_.string() + ": " + reason(code);
  if (full || code == EFBIG) {
    message += " after " + in_megabytes(written_);
    if (expected_bytes_ > 0) message += " of " + in_megabytes(expected_bytes_);
  }
  if (full) {
    std::error_code ignored;
    const fs::path folder = path_.has_parent_path() ? path_.parent_path() : fs::path(".");
    const fs::space_info space = fs::space(folder, ignored);
    // What the temporary holds is free again once it is removed.
    if (!ignored) message += " (" + in_megabytes(space.available + written_) + " are free there)";
    message += "; free some space or choose another folder";
  }
  if (code == EFBIG) message += "; raise the file-size limit (ulimit -f)";
  if (code == ENOENT) message += "; create the folder first";
  if (!temporary_.empty()) message += "; what was there before is unchanged";
  fail("", message);
}

void FileWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    // A full disk or a size limit first shows as a short write without an error; the next call
    // has the reason.
    const ssize_t done =
        ::write(descriptor_, bytes.data(), std::min(bytes.size(), size_t{1} << 30));
    if (done < 0) {
      if (errno == EINTR) continue;
      const int code = errno;
      expected_bytes_ = std::max(expected_bytes_, written_ + bytes.size());
      fail_with("write", code);
    }
    written_ += static_cast<size_t>(done);
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
}

void FileWriter::commit() {
  check(descriptor_ >= 0, "file: ", path_.string(), " was already committed");
  const bool direct = temporary_.empty();
  if (!direct && ::fsync(descriptor_) != 0) fail_with("write", errno);
  if (::close(std::exchange(descriptor_, -1)) != 0 && errno != EINTR) fail_with("write", errno);
  if (direct) return;
  if (::rename(temporary_.c_str(), path_.c_str()) != 0) fail_with("rename to", errno);
  temporary_.clear();
  sync_folder(path_.parent_path());
}

void write_file(const fs::path& path, std::string_view text) {
  FileWriter out(path, text.size());
  out.write(text);
  out.commit();
}

void write_atomically(const fs::path& path, const std::function<void(FileWriter&)>& write) {
  FileWriter out(path);
  write(out);
  out.commit();
}

// ── folders ─────────────────────────────────────────────────────────────────────────────────────

std::string reason(int code) { return std::generic_category().message(code); }

int remove_stale_temporaries(const fs::path& folder) {
  std::error_code code;
  int removed = 0;
  for (const fs::directory_entry& entry :
       fs::directory_iterator(folder.empty() ? "." : folder, code)) {
    if (is_stale(entry.path().filename().string()) && fs::remove(entry.path(), code)) ++removed;
  }
  return removed;
}

void create_folders(const fs::path& folder) {
  std::error_code code;
  fs::create_directories(folder, code);
  check(!code && fs::is_directory(folder), "cannot create the folder ", folder.string(), ": ",
        code ? code.message() : reason(ENOTDIR));
}

void sync_folder(const fs::path& folder) {
  const fs::path place = folder.empty() ? fs::path(".") : folder;
  const Descriptor file{::open(place.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (file.number < 0) fail_with_reason("cannot open the folder ", place, errno);
  // Some file systems cannot flush a folder and say EINVAL; there is nothing more to do on them.
  if (::fsync(file.number) != 0 && errno != EINVAL)
    fail_with_reason("cannot flush the folder ", place, errno);
}

}  // namespace ink
