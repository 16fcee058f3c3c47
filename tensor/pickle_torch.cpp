// What the names in a state dict mean: ordered dictionaries, storages, tensors, parameters.
#include <algorithm>
#include <array>

#include "tensor/pickle.h"

namespace ink {
namespace {

enum class Function : int64_t { ordered_dictionary, rebuild_tensor, rebuild_parameter };

struct StorageName {
  std::string_view name;
  StorageType type;
  size_t size;
};
constexpr std::array<StorageName, 10> kStorages{{{"FloatStorage", StorageType::f32, 4},
                                                 {"DoubleStorage", StorageType::f64, 8},
                                                 {"HalfStorage", StorageType::f16, 2},
                                                 {"BFloat16Storage", StorageType::bf16, 2},
                                                 {"LongStorage", StorageType::i64, 8},
                                                 {"IntStorage", StorageType::i32, 4},
                                                 {"ShortStorage", StorageType::i16, 2},
                                                 {"CharStorage", StorageType::i8, 1},
                                                 {"ByteStorage", StorageType::u8, 1},
                                                 {"BoolStorage", StorageType::boolean, 1}}};

const StorageName& described(StorageType type) {
  return *std::ranges::find(kStorages, type, &StorageName::type);
}

// The text up to the next end of line, which is taken too.
std::string_view line_of(ByteReader& in) {
  constexpr size_t kLongest = 256;
  const size_t begin = in.position();
  size_t length = 0;
  while (in.text(1) != "\n") {
    check(++length <= kLongest, "", in.source(), ": a name at byte ", begin,
          " has more than 256 bytes");
  }
  in.seek(begin);
  const std::string_view line = in.text(length);
  in.take(1);
  return line;
}

}  // namespace

size_t size_of(StorageType type) { return described(type).size; }
const char* name_of(StorageType type) { return described(type).name.data(); }

void Unpickler::push_global() {
  const std::string_view module = line_of(*in_), name = line_of(*in_);
  const auto is = [&](std::string_view m, std::string_view n) { return module == m && name == n; };
  const auto function = [&](Function f) { push({Kind::function, 0, static_cast<int64_t>(f)}); };
  if (is("collections", "OrderedDict")) return function(Function::ordered_dictionary);
  if (is("torch._utils", "_rebuild_tensor_v2")) return function(Function::rebuild_tensor);
  if (is("torch._utils", "_rebuild_parameter")) return function(Function::rebuild_parameter);
  const auto storage = std::ranges::find(kStorages, name, &StorageName::name);
  if (module == "torch" && storage != kStorages.end())
    return push({Kind::storage_type, 0, static_cast<int64_t>(storage->type)});
  fail("", where(), ": it asks for ", module, '.', name,
       ", which has no place in a state dict; nothing was run. If you trust the file, load it with "
       "PyTorch and save its state_dict() again");
}

void Unpickler::call() {
  const Value arguments = pop(), callee = pop();
  check(callee.kind == Kind::function && arguments.kind == Kind::tuple, "", where(),
        ": expected a call of OrderedDict, _rebuild_tensor_v2 or _rebuild_parameter");
  switch (static_cast<Function>(callee.number)) {
    case Function::ordered_dictionary:
      check(arguments.length == 0, "", where(), ": expected OrderedDict() without arguments");
      return push_container(Kind::dictionary);
    case Function::rebuild_tensor: return rebuild_tensor(arguments);
    case Function::rebuild_parameter: return rebuild_parameter(arguments);
  }
}

// Attributes of an ordered dictionary: `_metadata`, versions of modules, which nothing here needs.
void Unpickler::set_state() {
  const Value state = pop();
  check(state.kind == Kind::dictionary, "", where(), ": expected attributes of a dictionary");
  top(Kind::dictionary, "a dictionary");
}

// ('storage', type, key, location, elements) and in old files a sixth, which says None.
void Unpickler::push_storage() {
  const Value id = pop();
  check(id.kind == Kind::tuple && (id.length == 5 || id.length == 6), "", where(),
        ": expected a storage of 5 or 6 parts");
  check(text(item(id, 0), "storage") == "storage" && item(id, 1).kind == Kind::storage_type, "",
        where(), ": expected ('storage', a type of torch's, key, location, elements)");
  const auto type = static_cast<StorageType>(item(id, 1).number);
  const std::string_view key = text(item(id, 2), "storage: key");
  text(item(id, 3), "storage: location");  // where it was: "cpu", "cuda:0"
  const int64_t size = integer(item(id, 4), "storage: elements");
  check(id.length == 5 || item(id, 5).kind == Kind::none, "", where(), ": the storage ", key,
        " is a part of another, as only very old files have them; save the file again with a "
        "current PyTorch");
  check(size >= 0 && static_cast<uint64_t>(size) <= max_bytes_ / size_of(type), "", where(),
        ": the storage ", key, " should have ", size, " elements of ", size_of(type),
        " bytes, the file has ", max_bytes_, " bytes");
  const auto next = static_cast<uint32_t>(storages_.size());
  const auto [at, added] = storage_of_key_.emplace(key, next);
  if (added) storages_.push_back({key, type, static_cast<uint64_t>(size)});
  const PickledStorage& known = storages_[at->second];
  check(known.type == type && known.size == static_cast<uint64_t>(size), "", where(),
        ": the storage ", key, " is ", size, " elements of ", name_of(type), " here and ",
        known.size, " of ", name_of(known.type), " elsewhere");
  push({Kind::storage, 0, at->second});
}

// (storage, offset, sizes, strides, requires_grad, hooks) and in some files metadata.
void Unpickler::rebuild_tensor(const Value& arguments) {
  check((arguments.length == 6 || arguments.length == 7) &&
            item(arguments, 0).kind == Kind::storage && item(arguments, 5).kind == Kind::dictionary,
        "", where(),
        ": expected _rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)");
  boolean(item(arguments, 4), "requires_grad");
  PickledTensor tensor{static_cast<uint32_t>(item(arguments, 0).number),
                       {},
                       {},
                       integer(item(arguments, 1), "offset")};
  tensor.shape = Shape(std::span(extents(item(arguments, 2), "sizes")));
  tensor.strides = Strides(std::span(extents(item(arguments, 3), "strides")));
  check_fits(tensor);
  push({Kind::tensor, 0, static_cast<int64_t>(tensors_.size())});
  tensors_.push_back(tensor);
}

// (tensor, requires_grad, hooks): the tensor itself.
void Unpickler::rebuild_parameter(const Value& arguments) {
  check(arguments.length == 3 && item(arguments, 0).kind == Kind::tensor, "", where(),
        ": expected _rebuild_parameter(tensor, requires_grad, hooks)");
  push(item(arguments, 0));
}

const Unpickler::Value& Unpickler::item(const Value& tuple, uint32_t index) const {
  return tuples_[static_cast<size_t>(tuple.number) + index];
}

Extents Unpickler::extents(const Value& tuple, const char* what) const {
  check(tuple.kind == Kind::tuple, "", where(), ": ", what, ": expected a tuple");
  check(tuple.length <= kMaxRank, "", where(), ": ", what, ": expected at most ", kMaxRank,
        " dimensions, got ", tuple.length);
  Extents list;
  for (uint32_t i = 0; i < tuple.length; ++i) {
    const int64_t extent = integer(item(tuple, i), what);
    check(extent >= 0, "", where(), ": ", what, ": expected no negative number, got ", extent);
    list.append(extent);
  }
  return list;
}

void Unpickler::check_fits(const PickledTensor& tensor) const {
  const PickledStorage& storage = storages_[tensor.storage];
  check(tensor.shape.rank() == tensor.strides.rank(), "", where(), ": ", tensor.shape.rank(),
        " sizes, but ", tensor.strides.rank(), " strides");
  // Strides are products of extents: those of 0 count as 1, so that no product can overflow later.
  uint64_t bytes = size_of(storage.type), last = 0, step = 0;
  bool overflow = tensor.offset < 0, empty = false;
  for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
    const auto extent = static_cast<uint64_t>(std::max<int64_t>(tensor.shape[axis], 1));
    empty |= tensor.shape[axis] == 0;
    overflow |=
        __builtin_mul_overflow(bytes, extent, &bytes) ||
        __builtin_mul_overflow(extent - 1, static_cast<uint64_t>(tensor.strides[axis]), &step) ||
        __builtin_add_overflow(last, step, &last);
  }
  overflow |= __builtin_add_overflow(last, static_cast<uint64_t>(tensor.offset), &last);
  check(!overflow && bytes <= INT64_MAX, "", where(), ": a tensor of sizes ", tensor.shape,
        ", strides ", tensor.strides, " and offset ", tensor.offset, " is too large to count");
  if (empty) return;
  check(last < storage.size, "", where(), ": a tensor of sizes ", tensor.shape, ", strides ",
        tensor.strides, " and offset ", tensor.offset, " does not fit into the storage ",
        storage.key, " of ", storage.size, " elements");
  check(bytes <= max_bytes_, "", where(), ": a tensor of sizes ", tensor.shape, " needs ", bytes,
        " bytes, the file has ", max_bytes_);
}

}  // namespace ink
