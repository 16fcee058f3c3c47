// The records of a zip archive, from its end: end record, zip64 end record, directory, headers.
#include "tensor/zip.h"

#include <algorithm>

#include "tensor/byte_reader.h"
#include "tensor/crc32.h"

namespace ink {
namespace {

constexpr uint32_t kLocal = 0x04034b50, kCentral = 0x02014b50, kEnd = 0x06054b50,
                   kEnd64 = 0x06064b50, kLocator64 = 0x07064b50;
constexpr uint64_t kEndBytes = 22, kLocatorBytes = 20, kCentralBytes = 46;
constexpr uint32_t kElsewhere = 0xFFFFFFFF;  // the number stands in a zip64 record
constexpr uint16_t kZip64 = 1, kEncrypted = 1, kStored = 0;

void expect_signature(ByteReader& in, uint32_t signature, const char* what) {
  const size_t at = in.position();
  check(in.number<uint32_t>() == signature, "", in.source(), ": expected ", what, " at byte ", at,
        "; the file is damaged or truncated");
}

struct Directory {
  uint64_t count, size, begin, end;  // end: where the records after it begin
};

Directory directory_from_zip64(ByteReader& in, uint64_t end_record) {
  check(end_record >= kLocatorBytes, "", in.source(), ": expected a zip64 locator before the end");
  in.seek(end_record - kLocatorBytes);
  expect_signature(in, kLocator64, "a zip64 locator");
  in.take(4);
  const auto at = in.number<uint64_t>();
  in.seek(at);
  expect_signature(in, kEnd64, "a zip64 end record");
  in.take(8 + 2 + 2 + 4 + 4);
  Directory d{};
  const auto on_this_disk = in.number<uint64_t>();
  d.count = in.number<uint64_t>();
  d.size = in.number<uint64_t>();
  d.begin = in.number<uint64_t>();
  d.end = at;
  check(on_this_disk == d.count, "", in.source(), ": archives in several parts cannot be read");
  return d;
}

Directory find_directory(ByteReader& in) {
  const size_t size = in.bytes().size();
  check(size >= kEndBytes, "", in.source(), ": expected a zip archive, got ", size, " bytes");
  const uint64_t end_record = size - kEndBytes;
  in.seek(end_record);
  expect_signature(in, kEnd, "the end of a zip archive");
  in.take(4);
  const auto on_this_disk = in.number<uint16_t>();
  Directory d{};
  d.count = in.number<uint16_t>();
  d.size = in.number<uint32_t>();
  d.begin = in.number<uint32_t>();
  d.end = end_record;
  check(on_this_disk == d.count, "", in.source(), ": archives in several parts cannot be read");
  check(in.number<uint16_t>() == 0, "", in.source(), ": expected no comment after the archive");
  // Writers put the 64-bit record beside the short one also where nothing overflows: then the two
  // should agree.
  const bool overflows = d.count == 0xFFFF || d.size == kElsewhere || d.begin == kElsewhere;
  bool has_zip64 = overflows;
  if (!overflows && end_record >= kLocatorBytes) {
    in.seek(end_record - kLocatorBytes);
    has_zip64 = d.begin + d.size < end_record && in.number<uint32_t>() == kLocator64;
  }
  if (has_zip64) {
    const Directory wide = directory_from_zip64(in, end_record);
    check(overflows || (wide.count == d.count && wide.size == d.size && wide.begin == d.begin), "",
          in.source(), ": the two end records of the archive disagree");
    d = wide;
  }
  check(d.begin <= d.end && d.size == d.end - d.begin, "", in.source(),
        ": expected the directory of the archive in bytes ", d.begin, " to ", d.end, ", it has ",
        d.size, " bytes");
  check(d.count <= d.size / kCentralBytes, "", in.source(), ": ", d.count,
        " entries do not fit into a directory of ", d.size, " bytes");
  return d;
}

struct Header {
  ZipArchive::Entry entry;  // begin: of the local header
  uint64_t compressed;
};

// The zip64 field among the extra fields: the numbers that the header lacks, in order.
void widen(ByteReader extra, Header& header) {
  while (extra.left() >= 4) {
    const auto id = extra.number<uint16_t>();
    const auto size = extra.number<uint16_t>();
    ByteReader field(extra.take(size), extra.source());
    if (id != kZip64) continue;
    for (uint64_t* number : {&header.entry.size, &header.compressed, &header.entry.begin})
      if (*number == kElsewhere) *number = field.number<uint64_t>();
  }
}

Header central_header(ByteReader& in) {
  expect_signature(in, kCentral, "an entry of the directory");
  in.take(4);
  const auto flags = in.number<uint16_t>();
  const auto method = in.number<uint16_t>();
  in.take(4);
  Header header{};
  header.entry.crc = in.number<uint32_t>();
  header.compressed = in.number<uint32_t>();
  header.entry.size = in.number<uint32_t>();
  const auto name = in.number<uint16_t>();
  const auto extra = in.number<uint16_t>();
  const auto comment = in.number<uint16_t>();
  in.take(2 + 2 + 4);
  header.entry.begin = in.number<uint32_t>();
  header.entry.name = in.text(name);
  widen(ByteReader(in.take(extra), in.source()), header);
  in.take(comment);
  check((flags & kEncrypted) == 0, "", in.source(), ": ", header.entry.name, " is encrypted");
  check(method == kStored && header.compressed == header.entry.size, "", in.source(), ": ",
        header.entry.name, " is compressed; PyTorch stores its entries as they are");
  return header;
}

// Moves `begin` from the local header to the content.
void enter(ByteReader& in, ZipArchive::Entry& entry) {
  in.seek(entry.begin);
  expect_signature(in, kLocal, "the header of an entry");
  in.take(4);
  const auto method = in.number<uint16_t>();
  in.take(4 + 4 + 4 + 4);
  const auto name = in.number<uint16_t>();
  const auto extra = in.number<uint16_t>();
  const std::string_view local_name = in.text(name);
  check(method == kStored && local_name == entry.name, "", in.source(), ": the header of ",
        entry.name, " at byte ", entry.begin, " disagrees with the directory");
  in.take(extra);
  entry.begin = in.position();
}

}  // namespace

bool ZipArchive::is_zip(std::span<const std::byte> bytes) {
  uint32_t signature = 0;
  if (bytes.size() >= sizeof signature) std::memcpy(&signature, bytes.data(), sizeof signature);
  return signature == kLocal;
}

ZipArchive::ZipArchive(std::span<const std::byte> archive, const std::string& source)
    : archive_(archive), source_(source) {
  ByteReader in(archive, source_);
  const Directory directory = find_directory(in);
  entries_.reserve(directory.count);
  in.seek(directory.begin);
  for (uint64_t i = 0; i < directory.count; ++i) entries_.push_back(central_header(in).entry);
  check(in.position() == directory.end, "", source_, ": the directory ends at byte ", in.position(),
        ", expected ", directory.end);

  std::ranges::sort(entries_, {}, &Entry::begin);
  uint64_t end = 0;  // of the entry before
  for (Entry& entry : entries_) {
    check(entry.begin >= end && entry.begin <= directory.begin, "", source_, ": ", entry.name,
          ": its header at byte ", entry.begin, " lies within another entry or the directory");
    enter(in, entry);
    check(entry.begin <= directory.begin && entry.size <= directory.begin - entry.begin, "",
          source_, ": ", entry.name, ": expected ", entry.size, " bytes at byte ", entry.begin,
          ", they do not fit before the directory");
    end = entry.begin + entry.size;
  }
  std::ranges::sort(entries_, {}, &Entry::name);
  const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
  check(twice == entries_.end(), "", source_, ": ", twice == entries_.end() ? "" : twice->name,
        " appears twice");
}

const ZipArchive::Entry* ZipArchive::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

void ZipArchive::check_sum(const Entry& entry) const {
  const uint32_t sum = crc32(content(entry));
  check(sum == entry.crc, "", source_, ": ", entry.name, ": expected the checksum ", entry.crc,
        ", got ", sum, "; the file is damaged: fetch it again");
}

}  // namespace ink
