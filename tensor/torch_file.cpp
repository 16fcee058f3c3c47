// The two formats of torch.save, and tensors out of their storages.
#include "tensor/torch_file.h"

#include <algorithm>
#include <array>
#include <cstring>

namespace ink {
namespace {

using Kind = Unpickler::Kind;
using Value = Unpickler::Value;

constexpr std::string_view kPickle = "/data.pkl", kByteOrder = "/byteorder", kData = "/data/";
// The number 0x1950a86a20f9469cfc6c, which every file in the older format begins with.
constexpr std::string_view kMagic = "\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";
constexpr int64_t kProtocol = 1001;
constexpr std::array<std::string_view, 4> kNestings{"state_dict", "model_state_dict", "model",
                                                    "module"};

// A value needs at most 48 bytes in an Unpickler's pools, an entry 160: together 8 times the file.
// Torch needs about 25 values and 300 bytes for a tensor, without its numbers.
size_t max_values(size_t file_bytes) { return 65536 + file_bytes / 10; }
size_t max_entries(size_t file_bytes) { return 16384 + file_bytes / 64; }

Dtype dtype_of_storage(StorageType type) {
  switch (type) {
    case StorageType::f32: return Dtype::f32;
    case StorageType::f64: return Dtype::f64;
    case StorageType::f16: return Dtype::f16;
    case StorageType::bf16: return Dtype::bf16;
    case StorageType::i64: return Dtype::i64;
    case StorageType::i32:
    case StorageType::i16: return Dtype::i32;
    case StorageType::i8: return Dtype::i8;
    case StorageType::u8:
    case StorageType::boolean: break;
  }
  return Dtype::u8;
}

// Whether the bytes are UTF-8 without NUL: names reach file names and JSON.
bool is_name(std::string_view text) {
  for (size_t i = 0; i < text.size();) {
    const auto first = static_cast<uint8_t>(text[i++]);
    const int more = first < 0x80 ? 0 : first < 0xC2 ? -1 : first < 0xE0 ? 1 : first < 0xF0 ? 2 : 3;
    if (first == 0 || more < 0 || first > 0xF4) return false;
    for (int k = 0; k < more; ++k) {
      const uint8_t next = i < text.size() ? static_cast<uint8_t>(text[i++]) : 0;
      const bool shortest = k > 0 || (first == 0xE0   ? next >= 0xA0
                                      : first == 0xED ? next < 0xA0
                                      : first == 0xF0 ? next >= 0x90
                                      : first == 0xF4 ? next < 0x90
                                                      : true);
      if ((next & 0xC0) != 0x80 || !shortest) return false;
    }
  }
  return true;
}

}  // namespace

TorchFile::TorchFile(const std::filesystem::path& path) : TorchFile(MappedFile::open(path)) {}

TorchFile::TorchFile(const std::shared_ptr<const MappedFile>& file)
    : TorchFile({file->data(), file->size()}, file, file->path().string()) {}

TorchFile::TorchFile(std::span<const std::byte> bytes, std::shared_ptr<const void> owner,
                     std::string source)
    : bytes_(bytes), owner_(std::move(owner)), source_(std::move(source)) {
  if (ZipArchive::is_zip(bytes_)) {
    read_zip();
  } else {
    read_legacy();
  }
  std::ranges::sort(entries_, {}, &Entry::name);
  check_copies();
  const auto twice = std::ranges::adjacent_find(entries_, {}, &Entry::name);
  check(twice == entries_.end(), "", source_, ": the tensor ",
        twice == entries_.end() ? "" : twice->name, " appears twice");
  intact_ = std::make_unique<std::atomic<bool>[]>(blocks_.size());
}

void TorchFile::read_zip() {
  zip_.emplace(bytes_, source_);
  // The folder that all entries lie in has the name of the file as it was saved: look for its
  // pickle.
  const ZipArchive::Entry* pickle = nullptr;
  for (const ZipArchive::Entry& entry : zip_->entries()) {
    if (!entry.name.ends_with(kPickle) ||
        entry.name.find('/') != entry.name.size() - kPickle.size())
      continue;
    check(pickle == nullptr, "", source_, ": it holds two state dicts, ",
          pickle ? pickle->name : "", " and ", entry.name);
    pickle = &entry;
  }
  check(pickle != nullptr, "", source_,
        ": expected an archive that torch.save wrote, with an entry data.pkl in its folder");
  const std::string folder(pickle->name.substr(0, pickle->name.size() - kPickle.size()));
  if (const ZipArchive::Entry* order = zip_->find(folder + std::string(kByteOrder))) {
    const std::string_view text = ByteReader(zip_->content(*order), source_).text(order->size);
    check(text == "little", "", source_, ": expected the byte order 'little', got '",
          text.substr(0, 20), "'");
  }
  zip_->check_sum(*pickle);
  ByteReader in(zip_->content(*pickle), source_);
  Unpickler state(max_values(bytes_.size()), bytes_.size());
  const Value top = state.run(in);
  check(in.left() == 0, "", source_, ": ", in.left(), " bytes follow the state dict in data.pkl");
  for (const PickledStorage& storage : state.storages()) {
    const std::string name = folder + std::string(kData) + std::string(storage.key);
    const ZipArchive::Entry* entry = zip_->find(name);
    check(entry != nullptr, "", source_, ": the entry ", name,
          " is missing, a tensor has its numbers there");
    check(entry->size == storage.size * size_of(storage.type), "", source_, ": ", name,
          ": expected ", storage.size, " elements of ", size_of(storage.type), " bytes, it has ",
          entry->size, " bytes");
    blocks_.push_back({storage.type, zip_->content(*entry), entry});
  }
  add_entries(state, top);
}

void TorchFile::read_legacy() {
  ByteReader in(bytes_, source_);
  constexpr size_t kFew = 4096;
  {
    Unpickler magic(kFew, bytes_.size());
    check(bytes_.size() > 2 && bytes_.front() == std::byte{0x80}, "", source_,
          ": expected a file that torch.save wrote: a zip archive or a pickle");
    const Value number = magic.run(in);
    ByteReader again(bytes_, source_);
    const bool right = number.kind == Kind::long_integer && number.length == kMagic.size();
    if (right) again.seek(static_cast<uint64_t>(number.number));
    check(right && again.text(kMagic.size()) == kMagic, "", source_,
          ": expected PyTorch's magic number in the first pickle; this is no file that torch.save "
          "wrote");
  }
  Unpickler protocol(kFew, 0), system(kFew, 0);
  const int64_t version = protocol.integer(protocol.run(in), "protocol");
  check(version == kProtocol, "", source_, ": expected PyTorch's protocol 1001, got ", version);
  const Value properties = system.run(in);
  check(properties.kind == Kind::dictionary, "", source_, ": expected properties of the system");
  const auto little = system.find(properties, "little_endian");
  check(little && system.boolean(*little, "little_endian"), "", source_,
        ": expected numbers in little-endian order");

  Unpickler state(max_values(bytes_.size()), bytes_.size());
  const Value top = state.run(in);
  Unpickler keys(3 * state.storages().size() + kFew, 0);
  const Value list = keys.run(in);
  read_legacy_blocks(in, keys, list, state);
  add_entries(state, top);
}

void TorchFile::read_legacy_blocks(ByteReader& in, const Unpickler& keys, const Value& list,
                                   const Unpickler& state) {
  check(list.kind == Kind::list, "", source_, ": expected a list with the keys of storages");
  std::map<std::string_view, uint32_t> index;
  for (const PickledStorage& storage : state.storages())
    index.emplace(storage.key, static_cast<uint32_t>(index.size()));
  blocks_.resize(state.storages().size());
  std::vector<bool> seen(blocks_.size());
  keys.for_each_element(list, [&](const Value& element) {
    const std::string_view key = keys.text(element, "key of a storage");
    const auto found = index.find(key);
    check(found != index.end() && !seen[found->second], "", source_, ": the storage ", key,
          found == index.end() ? " belongs to no tensor" : " appears twice");
    seen[found->second] = true;
    const PickledStorage& storage = state.storages()[found->second];
    const auto count = in.number<uint64_t>();
    check(count == storage.size, "", source_, ": the storage ", key, " has ", count,
          " elements, its tensors expect ", storage.size);
    blocks_[found->second] = {storage.type, in.take(count * size_of(storage.type))};
  });
  for (size_t i = 0; i < seen.size(); ++i)
    check(seen[i], "", source_, ": the numbers of the storage ", state.storages()[i].key,
          " are missing");
  check(in.left() == 0, "", source_, ": ", in.left(), " bytes follow the last storage");
}

void TorchFile::add_entries(const Unpickler& state, const Value& top) {
  check(
      top.kind == Kind::dictionary, "", source_,
      ": expected a state dict (a dictionary of tensors); save model.state_dict(), not the model");
  Value dictionary = top;
  const auto tensors_in = [&](const Value& outer) {
    size_t count = 0;
    state.for_each_member(outer, [&](const Value&, const Value& value) {
      count += value.kind == Kind::tensor ? 1 : 0;
    });
    return count;
  };
  constexpr int kLevels = 2;
  for (int level = 0; level < kLevels && tensors_in(dictionary) == 0; ++level) {
    for (const std::string_view key : kNestings) {
      const auto inner = state.find(dictionary, key);
      if (!inner || inner->kind != Kind::dictionary) continue;
      dictionary = *inner;
      break;
    }
  }
  const size_t count = tensors_in(dictionary);
  check(count <= max_entries(bytes_.size()), "", source_, ": ", count,
        " tensors are too many for a file of ", bytes_.size(), " bytes");
  entries_.reserve(count);
  state.for_each_member(dictionary, [&](const Value& key, const Value& value) {
    if (value.kind != Kind::tensor) return;
    const std::string_view name = state.text(key, "name of a tensor");
    check(is_name(name), "", source_, ": a tensor's name is not UTF-8 or holds a NUL character");
    const PickledTensor& tensor = state.tensors()[static_cast<size_t>(value.number)];
    entries_.push_back({std::string(name), tensor.shape,
                        dtype_of_storage(blocks_[tensor.storage].type), tensor.storage,
                        tensor.strides, tensor.offset});
  });
}

// A hundred bytes of pickle can name a tensor as large as the file: of many such, what is copied
// would have no bound. What is borrowed costs nothing, but f16 and the like, of which a model makes
// f32.
void TorchFile::check_copies() const {
  constexpr uint64_t kSmall = uint64_t{1} << 20;
  const uint64_t most = 2 * uint64_t{bytes_.size()} + kSmall;
  uint64_t copied = 0;
  for (const Entry& entry : entries_) {
    const Tensor view = mapped(entry, blocks_[entry.storage]);
    if (entry.dtype == Dtype::f32 && view && view.is_contiguous()) continue;
    copied += static_cast<uint64_t>(entry.shape.size()) * size_of(entry.dtype);
    check(copied <= most, "", source_, ": copies of its tensors would need more than ", most,
          " bytes, the file has ", bytes_.size(), ": ", entry.name,
          " and others repeat or share their numbers; save the tensors with .clone()");
  }
}

const TorchFile::Entry* TorchFile::find(std::string_view name) const {
  const auto at = std::ranges::lower_bound(entries_, name, {}, &Entry::name);
  return at != entries_.end() && at->name == name ? &*at : nullptr;
}

Tensor TorchFile::tensor(std::string_view name) const {
  const Entry* entry = find(name);
  check(entry != nullptr, "", source_, ": there is no tensor named ", name);
  return tensor(*entry);
}

Tensor TorchFile::tensor(const Entry& entry) const {
  const Block& block = blocks_[entry.storage];
  if (entry.shape.size() == 0) return Tensor(entry.shape, entry.dtype);
  if (block.in_zip && !intact_[entry.storage]) {
    zip_->check_sum(*block.in_zip);
    intact_[entry.storage] = true;
  }
  const Tensor view = mapped(entry, block);
  return view ? contiguous(view) : gathered(entry, block);
}

// The numbers where they lie; undefined where the file does not align them or they become wider.
Tensor TorchFile::mapped(const Entry& entry, const Block& block) const {
  const size_t size = size_of(block.type);
  const bool aligned = reinterpret_cast<uintptr_t>(block.bytes.data()) % size == 0;
  if (!aligned || size != size_of(entry.dtype)) return {};
  return {StorageRef(Storage::borrow(block.bytes.data(), block.bytes.size(), owner_)), entry.shape,
          entry.strides, entry.offset, entry.dtype};
}

// A copy element by element, from any address.
Tensor TorchFile::gathered(const Entry& entry, const Block& block) const {
  const size_t size = size_of(block.type);
  Tensor copy(entry.shape, entry.dtype);
  auto* to = static_cast<std::byte*>(copy.storage()->data());
  const std::byte* from = block.bytes.data() + static_cast<size_t>(entry.offset) * size;
  const bool in_order = entry.strides == row_major(entry.shape);
  if (in_order && size == size_of(entry.dtype)) {
    std::memcpy(to, from, copy.bytes());
    return copy;
  }
  std::array<int64_t, kMaxRank> at{};
  for (int64_t i = 0; i < copy.size(); ++i, to += size_of(entry.dtype)) {
    int64_t element = 0;
    for (int axis = 0; axis < entry.shape.rank(); ++axis)
      element += at[static_cast<size_t>(axis)] * entry.strides[axis];
    const std::byte* source = from + static_cast<size_t>(element) * size;
    if (block.type == StorageType::i16) {
      int16_t narrow = 0;
      std::memcpy(&narrow, source, sizeof narrow);
      const int32_t wide = narrow;
      std::memcpy(to, &wide, sizeof wide);
    } else {
      std::memcpy(to, source, size);
    }
    for (int axis = entry.shape.rank() - 1; axis >= 0; --axis) {
      if (++at[static_cast<size_t>(axis)] < entry.shape[axis]) break;
      at[static_cast<size_t>(axis)] = 0;
    }
  }
  return copy;
}

}  // namespace ink
