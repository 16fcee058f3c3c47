// Records with checksums around hand-written protocol buffers.
#include "autograd/event_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <bit>
#include <cerrno>
#include <cmath>
#include <cstdio>

#include "tensor/error.h"
#include "tensor/file.h"

namespace ink {
namespace {

constexpr std::array<uint32_t, 256> kCrcOfByte = [] {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    table[byte] = crc;
  }
  return table;
}();

uint32_t masked_checksum(std::string_view bytes) {
  return std::rotr(crc32c(bytes), 15) + 0xa282ead8u;
}

template <class T>
std::string little_endian(T value) {
  std::string bytes;
  for (size_t i = 0; i < sizeof value; ++i) bytes += static_cast<char>(value >> (8 * i) & 0xff);
  return bytes;
}

// ── protocol buffers: a field is key = number·8 + wire type, then its value ─────────────────────

enum Wire : uint64_t { kVarint = 0, kEightBytes = 1, kBytes = 2, kFourBytes = 5 };

std::string varint(uint64_t value) {
  std::string bytes;
  for (; value >= 0x80; value >>= 7) bytes += static_cast<char>((value & 0x7f) | 0x80);
  return bytes += static_cast<char>(value);
}
std::string key(uint64_t number, Wire wire) { return varint(number << 3 | wire); }

std::string field(uint64_t number, double value) {
  return key(number, kEightBytes) + little_endian(std::bit_cast<uint64_t>(value));
}
std::string field(uint64_t number, float value) {
  return key(number, kFourBytes) + little_endian(std::bit_cast<uint32_t>(value));
}
std::string field(uint64_t number, int64_t value) {
  return key(number, kVarint) + varint(static_cast<uint64_t>(value));
}
std::string field(uint64_t number, const std::string& bytes) {
  return key(number, kBytes) + varint(bytes.size()) + bytes;
}

std::string event(double wall_time, int64_t step) { return field(1, wall_time) + field(2, step); }

constexpr int64_t kStart = 1;  // SessionLog.START

}  // namespace

uint32_t crc32c(std::string_view bytes) {
  uint32_t crc = 0xffffffffu;
  for (const char c : bytes)
    crc = kCrcOfByte[(crc ^ static_cast<unsigned char>(c)) & 0xff] ^ crc >> 8;
  return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder, int64_t resumed_at, double wall_time) {
  const auto second = static_cast<long long>(std::floor(wall_time));
  // Several starts within a second: the next free number.
  for (int number = 0; descriptor_ < 0; ++number) {
    char name[64];
    std::snprintf(name, sizeof name, "events.out.tfevents.%010lld.inkstone.%03d", second, number);
    path_ = folder / name;
    descriptor_ = ::open(path_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_APPEND | O_CLOEXEC, 0666);
    if (descriptor_ < 0 && errno != EEXIST)
      fail("cannot create the event file ", path_.string(), ": ", reason(errno));
  }
  try {
    write_record(field(1, wall_time) + field(3, std::string("brain.Event:2")));
    if (resumed_at >= 0)
      write_record(event(wall_time, resumed_at + 1) + field(7, field(1, kStart)));
  } catch (...) {
    ::close(descriptor_);
    throw;
  }
}

EventFile::~EventFile() { ::close(descriptor_); }

void EventFile::add(int64_t step, const Values& values, double wall_time) {
  std::string summary;
  for (const auto& [tag, value] : values)
    summary += field(1, field(1, tag) + field(2, static_cast<float>(value)));
  write_record(event(wall_time, step) + field(5, summary));
}

void EventFile::write_record(std::string_view event) {
  const std::string length = little_endian(uint64_t{event.size()});
  std::string record = length + little_endian(masked_checksum(length));
  record.append(event) += little_endian(masked_checksum(event));
  for (size_t done = 0; done < record.size();) {
    const ssize_t wrote = ::write(descriptor_, record.data() + done, record.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) fail("cannot write the event file ", path_.string(), ": ", reason(errno));
    done += static_cast<size_t>(wrote);
  }
}

}  // namespace ink
