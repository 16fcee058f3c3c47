// The little of Python's pickle format that state dicts are written in, read as data.
//
// A pickle is a program for a stack machine that can call anything. This machine calls nothing: it
// knows the opcodes of protocol 2 that build numbers, texts, tuples, lists and dictionaries, and
// five names (collections.OrderedDict, torch's storage types, _rebuild_tensor_v2 and
// _rebuild_parameter), which it understands itself. Every other opcode and name is an Error that
// says which.
//
// Memory is linear in the input and there is no recursion: values are 16 bytes and live in pools;
// texts stay where they are. `max_values` bounds what the program may push.
// Format: pickletools.py of CPython.
#pragma once
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "tensor/byte_reader.h"
#include "tensor/shape.h"

namespace ink {

// What a storage holds. Tensors have fewer types: i16 is read as i32, booleans as u8.
enum class StorageType : uint8_t { f32, f64, f16, bf16, i64, i32, i16, i8, u8, boolean };
size_t size_of(StorageType type);
const char* name_of(StorageType type);  // as torch calls it: "FloatStorage"

struct PickledStorage {
  std::string_view key;  // names the bytes, which lie elsewhere
  StorageType type;
  uint64_t size;  // elements
};

// Every element lies within the storage; sizes and strides are not negative.
struct PickledTensor {
  uint32_t storage;
  Shape shape;
  Strides strides;
  int64_t offset;
};

class Unpickler {
 public:
  enum class Kind : uint8_t {
    none,
    boolean,
    integer,
    real,
    long_integer,
    text,
    tuple,
    list,
    dictionary,
    function,
    storage_type,
    storage,
    tensor
  };
  struct Value {
    Kind kind = Kind::none;
    uint32_t length = 0;  // of texts and tuples
    int64_t number = 0;   // the number itself, or a position in one of the pools
  };

  // A tensor's numbers should need at most `max_bytes`.
  Unpickler(size_t max_values, uint64_t max_bytes)
      : max_values_(max_values), max_bytes_(max_bytes) {}

  // Runs one pickle, from the reader's position to its end, which becomes the position. Once.
  Value run(ByteReader& in);

  // Raise Error naming `what` where the value is of another kind.
  int64_t integer(const Value& value, const char* what) const;
  bool boolean(const Value& value, const char* what) const;
  std::string_view text(const Value& value, const char* what) const;  // lies in the input
  // The elements of a list and the members of a dictionary, in order; a key may come twice.
  void for_each_element(const Value& list, const std::function<void(const Value&)>& visit) const;
  void for_each_member(
      const Value& dictionary,
      const std::function<void(const Value& key, const Value& value)>& visit) const;
  // The value under a text key. Raises Error where there are several.
  std::optional<Value> find(const Value& dictionary, std::string_view key) const;

  const std::deque<PickledStorage>& storages() const { return storages_; }
  const std::deque<PickledTensor>& tensors() const { return tensors_; }

 private:
  static constexpr uint32_t kNone = UINT32_MAX;
  struct Element {
    Value value;
    uint32_t next;
  };
  struct Container {
    uint32_t first = kNone, last = kNone;  // elements_
  };

  uint32_t first_of(const Value& container) const {
    return containers_[static_cast<size_t>(container.number)].first;
  }
  bool step(uint8_t opcode);  // false at the end
  bool step_on_containers(uint8_t opcode);
  bool step_on_memo(uint8_t opcode);
  [[noreturn]] void refuse_opcode(uint8_t opcode) const;
  std::string where() const;  // "FILE: the pickle, byte 12"

  void push(Value value);
  void push_text(uint64_t length);
  void push_long(uint64_t length);
  void push_global();
  void push_container(Kind kind);
  void push_tuple(size_t from);  // of the stack from there on
  Value pop();
  size_t pop_mark();  // where on the stack it lies
  Value& top(Kind kind, const char* what);
  void append(const Value& container, const Value& element);
  void append_all(Kind kind, size_t from);
  void remember(uint64_t slot);
  void recall(uint64_t slot);

  void call();
  void set_state();
  void push_storage();
  void rebuild_tensor(const Value& arguments);
  void rebuild_parameter(const Value& arguments);
  const Value& item(const Value& tuple, uint32_t index) const;
  Extents extents(const Value& tuple, const char* what) const;
  void check_fits(const PickledTensor& tensor) const;

  size_t max_values_;
  uint64_t max_bytes_;
  size_t pushed_ = 0;
  ByteReader* in_ = nullptr;
  size_t begin_ = 0, opcode_at_ = 0;
  std::deque<Value> stack_, tuples_, memo_;
  std::deque<uint32_t> marks_;
  std::deque<Element> elements_;
  std::deque<Container> containers_;
  std::deque<PickledStorage> storages_;
  std::deque<PickledTensor> tensors_;
  std::map<std::string_view, uint32_t> storage_of_key_;
};

}  // namespace ink
