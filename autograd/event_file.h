// Event files: named numbers over steps, in the form that TensorBoard reads.
//
//   EventFile events("out/training", /*resumed_at=*/-1, seconds_since_1970);
//   events.add(step, {{"training/loss", 2.5}}, seconds_since_1970);
//
// A file is a row of records: length (u64), its checksum (u32), bytes, their checksum (u32), little
// endian. A checksum is CRC-32C, rotated by 15 bits, plus 0xa282ead8 (TensorFlow's record format).
// The bytes are a protocol buffer Event with fields 1 wall_time (double), 2 step (int64), and one
// of 3 file_version ("brain.Event:2", the first record), 5 summary, 7 session_log. A summary holds
// values, field 1, each with 1 tag (string) and 2 simple_value (float).
//
// Every start of a training writes a file of its own. One that resumes begins with a session_log of
// status START, at which readers drop what earlier files say of later steps.
#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace ink {

class EventFile {
 public:
  using Values = std::vector<std::pair<std::string, double>>;

  // Creates folder/events.out.tfevents.…, which sorts after those of earlier starts. resumed_at:
  // the
  // step behind which the training goes on; −1 = a new one. Raises Error when it cannot be written.
  EventFile(const std::filesystem::path& folder, int64_t resumed_at, double wall_time);
  ~EventFile();
  EventFile(const EventFile&) = delete;
  EventFile& operator=(const EventFile&) = delete;

  // One event, handed to the system at once.
  void add(int64_t step, const Values& values, double wall_time);

  const std::filesystem::path& path() const { return path_; }

 private:
  void write_record(std::string_view event);
  std::filesystem::path path_;
  int descriptor_ = -1;
};

uint32_t crc32c(std::string_view bytes);  // Castagnoli: reflected polynomial 0x82f63b78

}  // namespace ink
