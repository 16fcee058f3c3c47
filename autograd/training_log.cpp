// Appending JSON lines, and cutting the log back to a known length.
#include "autograd/training_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <string>
#include <string_view>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

// Where the last whole line within the first `limit` bytes ends.
uint64_t end_of_lines(const std::filesystem::path& path, uint64_t limit) {
  const auto file = MappedFile::open(path);
  const std::string_view text = file->text().substr(0, limit);
  const size_t last = text.rfind('\n');
  return last == std::string_view::npos ? 0 : last + 1;
}

}  // namespace

TrainingLog::TrainingLog(const std::filesystem::path& path, uint64_t length) : path_(path) {
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (descriptor_ < 0) fail("cannot open the log ", path.string(), ": ", reason(errno));
  try {
    if (length > 0) length_ = end_of_lines(path, length);
    if (::ftruncate(descriptor_, static_cast<off_t>(length_)) != 0)
      fail("cannot cut the log ", path.string(), " to ", length_, " bytes: ", reason(errno));
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

TrainingLog::~TrainingLog() { ::close(descriptor_); }

void TrainingLog::append(const Json& line) {
  const std::string text = line.to_string() + '\n';
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t wrote = ::write(descriptor_, text.data() + done, text.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) {
      const int code = errno;
      // Half a line would spoil the next; if it cannot be cut off either, a resume will.
      [[maybe_unused]] const int cut = ::ftruncate(descriptor_, static_cast<off_t>(length_));
      fail("cannot write the log ", path_.string(), ": ", reason(code));
    }
    done += static_cast<size_t>(wrote);
  }
  length_ += text.size();
}

void TrainingLog::sync() {
  if (::fsync(descriptor_) != 0) fail("cannot flush the log ", path_.string(), ": ", reason(errno));
}

std::vector<Json> read_training_log(const std::filesystem::path& path) {
  const auto file = MappedFile::open(path);
  std::string_view text = file->text();
  std::vector<Json> lines;
  for (size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n')) {
    lines.push_back(parse_json(text.substr(0, end),
                               path.string() + " line " + std::to_string(lines.size() + 1)));
    text.remove_prefix(end + 1);
  }
  return lines;
}

}  // namespace ink
