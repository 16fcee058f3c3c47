// Strict reading and atomic writing of safetensors files.
#include "tensor/safetensors.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <numeric>
#include <optional>

#include "tensor/json.h"

namespace ink {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

namespace {

constexpr uint64_t kLengthBytes = 8, kLongestHeader = 100'000'000;
constexpr std::string_view kMetadata = "__metadata__";
// A tensor is {name: value, shape: [a few numbers]}: two levels below the header. The fourth is
// for unknown fields.
constexpr JsonLimits kLimits{.depth = 4, .values = 65536};

struct FileType {
  std::string_view name;
  Dtype dtype;
};
struct ForeignType {
  std::string_view name;
  uint64_t bytes;
};
constexpr std::array<FileType, 8> kTypes{{{"F32", Dtype::f32},
                                          {"F64", Dtype::f64},
                                          {"F16", Dtype::f16},
                                          {"BF16", Dtype::bf16},
                                          {"I64", Dtype::i64},
                                          {"I32", Dtype::i32},
                                          {"I8", Dtype::i8},
                                          {"U8", Dtype::u8}}};

// Of the format, but not of tensors here.
constexpr std::array<ForeignType, 10> kForeign{{{"BOOL", 1},
                                                {"I16", 2},
                                                {"U16", 2},
                                                {"U32", 4},
                                                {"U64", 8},
                                                {"F8_E4M3", 1},
                                                {"F8_E5M2", 1},
                                                {"F8_E4M3FNUZ", 1},
                                                {"F8_E5M2FNUZ", 1},
                                                {"F8_E8M0", 1}}};
constexpr const char* kExpected = "expected F32, F64, F16, BF16, I64, I32, I8 or U8, got ";

// Sets the entry's type; returns the bytes of a number.
uint64_t read_type(const Json& fields, SafeTensors::Entry& entry) {
  const std::string& name = fields.string("dtype");
  if (const auto type = std::ranges::find(kTypes, name, &FileType::name); type != kTypes.end()) {
    entry.dtype = type->dtype;
    return size_of(entry.dtype);
  }
  const auto foreign = std::ranges::find(kForeign, name, &ForeignType::name);
  check(foreign != kForeign.end(), "", fields.where("dtype"), ": ", kExpected,
        Json(name.substr(0, 40)).to_string());
  entry.dtype = Dtype::u8;
  entry.foreign = foreign->name.data();
  return foreign->bytes;
}

Shape shape_from(const Json& fields) {
  const Json& list = fields.array("shape");
  check(list.size() <= kMaxRank, "", fields.where("shape"), ": expected at most ", kMaxRank,
        " dimensions, got ", list.size(), "; inkstone's tensors have no more");
  Shape shape;
  for (size_t axis = 0; axis < list.size(); ++axis)
    shape.append(list.integer_between(axis, 0, INT64_MAX));
  return shape;
}

// Bytes of a tensor; nothing where they cannot be counted. Extents of 0 count as 1 on the way:
// strides are products too.
std::optional<uint64_t> bytes_of(const Shape& shape, uint64_t number) {
  uint64_t bytes = number;
  bool empty = false;
  for (const int64_t extent : shape) {
    empty |= extent == 0;
    if (__builtin_mul_overflow(bytes, static_cast<uint64_t>(std::max<int64_t>(extent, 1)), &bytes))
      return {};
  }
  if (bytes > INT64_MAX) return {};
  return empty ? 0 : bytes;
}

void check_name(const std::string& source, std::string_view name) {
  check(name.find('\0') == std::string_view::npos, "", source,
        ": a tensor's name holds a NUL character");
}

SafeTensors::Entry entry_from(std::string name, const Json& fields, const std::string& source,
                              uint64_t data_bytes) {
  check_name(source, name);
  check(fields.is_object(), "", source, ": ", name,
        ": expected an object with dtype, shape and data_offsets");
  SafeTensors::Entry entry{std::move(name), shape_from(fields), Dtype::u8, 0, 0};
  const uint64_t number = read_type(fields, entry);
  const Json& range = fields.array("data_offsets");
  check(range.size() == 2, "", range.where(), ": expected [begin, end], got ", range.size(),
        " numbers");
  entry.begin = static_cast<uint64_t>(range.integer_between(0, 0, INT64_MAX));
  entry.end = static_cast<uint64_t>(range.integer_between(1, 0, INT64_MAX));
  check(entry.begin <= entry.end && entry.end <= data_bytes, "", range.where(),
        ": expected an increasing range within the ", data_bytes,
        " bytes of data that the file holds, got [", entry.begin, ", ", entry.end,
        "]; the file may be truncated");
  const std::optional<uint64_t> bytes = bytes_of(entry.shape, number);
  check(bytes.has_value(), "", fields.where("shape"), ": ", entry.shape, " is too large to count");
  check(*bytes == entry.end - entry.begin, "", range.where(), ": shape ", entry.shape, " of ",
        entry.foreign ? entry.foreign : name_of(entry.dtype), " needs ", *bytes,
        " bytes, the range has ", entry.end - entry.begin);
  return entry;
}

// Every byte of the data should belong to exactly one tensor.
void check_coverage(const std::vector<SafeTensors::Entry>& entries, const std::string& source,
                    uint64_t data_bytes) {
  std::vector<uint32_t> order(entries.size());
  std::iota(order.begin(), order.end(), 0u);
  std::ranges::sort(order, {},
                    [&](uint32_t i) { return std::pair(entries[i].begin, entries[i].end); });
  uint64_t covered = 0;
  for (const uint32_t i : order) {
    const SafeTensors::Entry& e = entries[i];
    check(e.begin == covered, "", source, ": ", e.name, ": expected its data to begin at ", covered,
          ", got ", e.begin, e.begin > covered ? ": there is a hole" : ": tensors overlap");
    covered = e.end;
  }
  check(covered == data_bytes, "", source, ": expected ", covered,
        " bytes of data, the file holds ", data_bytes,
        ": there is something after the last tensor");
}

Metadata metadata_from(const Json& fields, const std::string& source) {
  check(fields.is_object(), "", source, ": __metadata__: expected an object");
  Metadata metadata;
  for (const Json::Member& m : fields.members()) metadata.emplace_back(m.key, fields.string(m.key));
  return metadata;
}

}  // namespace

SafeTensors::SafeTensors(const std::filesystem::path& path) : SafeTensors(MappedFile::open(path)) {}

SafeTensors::SafeTensors(const std::shared_ptr<const MappedFile>& file)
    : SafeTensors({file->data(), file->size()}, file, file->path().string()) {}

SafeTensors::SafeTensors(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                         std::string source)
    : bytes_(bytes), owner_(std::move(owner)), source_(std::move(source)) {
  const uint64_t size = bytes_.size();
  check(size >= kLengthBytes, "", source_, ": expected a safetensors file, got ", size, " bytes");
  uint64_t header = 0;
  std::memcpy(&header, bytes_.data(), kLengthBytes);
  check(header <= kLongestHeader, "", source_, ": expected a header of at most ", kLongestHeader,
        " bytes, got ", header, " at byte 0; this is no safetensors file");
  check(header <= size - kLengthBytes, "", source_, ": the header should have ", header,
        " bytes, the file holds ", size - kLengthBytes,
        " after its length; the file may be truncated");
  const std::string_view text(reinterpret_cast<const char*>(bytes_.data()) + kLengthBytes, header);
  check(text.starts_with('{'), "", source_, ": the header should begin with '{' at byte 8");

  data_ = kLengthBytes + header;
  const uint64_t data_bytes = size - data_;
  bool has_metadata = false;
  for_each_member(text, source_, kLimits, [&](std::string name, const Json& value) {
    if (name != kMetadata)
      return entries_.push_back(entry_from(std::move(name), value, source_, data_bytes));
    check(!std::exchange(has_metadata, true), "", source_, ": __metadata__ appears twice");
    metadata_ = metadata_from(value, source_);
  });
  std::ranges::sort(entries_, {}, &Entry::name);
  const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
  check(twice == entries_.end(), "", source_, ": the tensor ",
        twice == entries_.end() ? "" : twice->name, " appears twice");
  check_coverage(entries_, source_, data_bytes);
}

const SafeTensors::Entry* SafeTensors::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

Tensor SafeTensors::tensor(const Entry& entry) const {
  check(!entry.foreign, "", source_, ": ", entry.name, ": dtype: ", kExpected,
        entry.foreign ? entry.foreign : "");
  const std::byte* data = bytes_.data() + data_ + entry.begin;
  const size_t bytes = entry.end - entry.begin;
  if (reinterpret_cast<uintptr_t>(data) % size_of(entry.dtype) == 0) {
    return Tensor(StorageRef(Storage::borrow(data, bytes, owner_)), entry.shape,
                  row_major(entry.shape), 0, entry.dtype);
  }
  Tensor copy(entry.shape, entry.dtype);
  if (bytes > 0) std::memcpy(copy.storage()->data(), data, bytes);
  return copy;
}

Tensor SafeTensors::tensor(std::string_view name) const {
  const Entry* entry = find(name);
  check(entry != nullptr, "", source_, ": there is no tensor named ", name);
  return tensor(*entry);
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

Json describe(const Tensor& x, uint64_t begin) {
  Json shape = Json::make_array();
  for (const int64_t extent : x.shape()) shape.append(extent);
  const auto type = std::ranges::find(kTypes, x.dtype(), &FileType::dtype);
  return Json::make_object({{"dtype", type->name},
                            {"shape", std::move(shape)},
                            {"data_offsets", Json::make_array({begin, begin + x.bytes()})}});
}

}  // namespace

void write_safetensors(const std::filesystem::path& path, std::span<const NamedTensor> tensors,
                       const Metadata& metadata) {
  // The format allows no gaps, so the widest types go first: then every tensor is aligned to
  // its own type.
  std::vector<const NamedTensor*> order;
  for (const NamedTensor& t : tensors) {
    check_name(path.string(), t.name);
    check(static_cast<bool>(t.value), "", path.string(), ": the tensor ", t.name, " has no value");
    check(t.name != kMetadata, "", path.string(), ": __metadata__ cannot name a tensor");
    order.push_back(&t);
  }
  std::ranges::sort(order, {}, &NamedTensor::name);
  const auto twice = std::ranges::adjacent_find(order, {}, &NamedTensor::name);
  check(twice == order.end(), "", path.string(), ": the tensor ",
        twice == order.end() ? "" : (*twice)->name, " appears twice");
  std::ranges::stable_sort(order, std::greater(),
                           [](const NamedTensor* t) { return size_of(t->value.dtype()); });

  Json::Members header, notes;
  for (const auto& [key, value] : metadata) notes.push_back({key, value});
  if (!notes.empty())
    header.push_back({std::string(kMetadata), Json::make_object(std::move(notes))});
  uint64_t total = 0;
  for (const NamedTensor* t : order) {
    header.push_back({t->name, describe(t->value, total)});
    total += t->value.bytes();
  }
  std::string text = Json::make_object(std::move(header)).to_string();
  constexpr size_t kAlignment = 64;
  text.append((kAlignment - (kLengthBytes + text.size()) % kAlignment) % kAlignment, ' ');
  check(text.size() <= kLongestHeader, "", path.string(), ": the names and shapes of ",
        tensors.size(), " tensors need a header of ", text.size(), " bytes, the format allows ",
        kLongestHeader);

  const uint64_t length = text.size();
  FileWriter out(path, kLengthBytes + length + total);
  out.write(std::as_bytes(std::span(&length, 1)));
  out.write(text);
  for (const NamedTensor* t : order) {
    const Tensor x = contiguous(to(t->value, Device::cpu));
    if (x.bytes() == 0) continue;
    const auto first = static_cast<size_t>(x.offset()) * size_of(x.dtype());
    out.write({static_cast<const std::byte*>(x.storage()->data()) + first, x.bytes()});
  }
  out.commit();
}

}  // namespace ink
