// open, then flock; closing unlocks.
#include "tensor/file_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {

namespace fs = std::filesystem;

FileLock::FileLock(const fs::path& path)
    : descriptor_(fs::is_directory(path)
                      ? ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)
                      : ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666)) {
  if (descriptor_ < 0) fail("cannot open ", path.string(), " to lock it: ", reason(errno));
}

FileLock::~FileLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

bool FileLock::lock(const fs::path& path, int how) const {
  while (::flock(descriptor_, how) != 0) {
    const int code = errno;
    if (code == EWOULDBLOCK) return false;
    if (code != EINTR) fail("cannot lock ", path.string(), ": ", reason(code));
  }
  return true;
}

FileLock FileLock::wait(const fs::path& path) {
  FileLock held(path);
  held.lock(path, LOCK_EX);
  return held;
}

std::optional<FileLock> FileLock::without_waiting(const fs::path& path) {
  FileLock held(path);
  if (!held.lock(path, LOCK_EX | LOCK_NB)) return std::nullopt;
  return held;
}

}  // namespace ink
