// Appending, flushing and renaming on POSIX.
#include "nn/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

PartialFile::PartialFile(const fs::path& path)
    : path_(path),
      descriptor_(
          ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666)) {
  if (descriptor_ < 0) fail("cannot create ", path.string(), ": ", reason(errno));
  const off_t end = ::lseek(descriptor_, 0, SEEK_END);
  size_ = end > 0 ? static_cast<uint64_t>(end) : 0;
}

PartialFile::~PartialFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

void PartialFile::append(std::span<const std::byte> bytes, uint64_t missing) {
  while (!bytes.empty()) {
    const ssize_t done = ::write(descriptor_, bytes.data(), bytes.size());
    const int code = errno;
    if (done < 0 && code == EINTR) continue;
    if (done < 0) {
      const bool full = code == ENOSPC || code == EDQUOT || code == EFBIG;
      fail("cannot write ", path_.string(), ": ", reason(code), " after ", size_, " bytes",
           full ? "; free another " + std::to_string(missing) +
                      " bytes there and run again, what has come is kept (HF_HUB_CACHE names "
                      "another place)"
                : "");
    }
    size_ += static_cast<uint64_t>(done);
    missing -= std::min(missing, static_cast<uint64_t>(done));
    bytes = bytes.subspan(static_cast<size_t>(done));
  }
}

void PartialFile::clear() {
  if (::ftruncate(descriptor_, 0) != 0) fail("cannot write ", path_.string(), ": ", reason(errno));
  size_ = 0;
}

void PartialFile::commit(const fs::path& name) {
  if (::fsync(descriptor_) != 0) fail("cannot write ", path_.string(), ": ", reason(errno));
  if (::rename(path_.c_str(), name.c_str()) != 0)
    fail("cannot rename ", path_.string(), ": ", reason(errno));
  sync_folder(name.parent_path());
}

void PartialFile::remove() { ::unlink(path_.c_str()); }

}  // namespace ink
