// The log of a training run: one JSON object a line, appended and handed to the system at once.
//
// A checkpoint remembers how long the log was; a resumed run cuts it back to that length first, so
// that the log reads as if the run had never been interrupted. A line that a crash cut short
// disappears in the same way.
#pragma once
#include <cstdint>
#include <filesystem>
#include <vector>

#include "tensor/json.h"

namespace ink {

class TrainingLog {
 public:
  // Opens or creates `path` and keeps its first `length` bytes, 0 for a new run. A file that is
  // shorter than that (someone edited it) is kept up to its last whole line.
  TrainingLog(const std::filesystem::path& path, uint64_t length);
  ~TrainingLog();
  TrainingLog(const TrainingLog&) = delete;
  TrainingLog& operator=(const TrainingLog&) = delete;

  // Raises Error when the line cannot be written whole; the log is then as before.
  void append(const Json& line);
  void sync();  // to the disk
  uint64_t length() const { return length_; }

 private:
  std::filesystem::path path_;
  uint64_t length_ = 0;
  int descriptor_ = -1;
};

// The whole lines of a log; what follows the last line break is not there yet.
std::vector<Json> read_training_log(const std::filesystem::path& path);

}  // namespace ink
