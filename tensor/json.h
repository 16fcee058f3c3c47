// Json: a value of JSON (null, bool, integer, real, string, array, object); typed, checked access.
//
// Objects keep the order of their keys and integers stay integers, so a file that is read and
// written back differs only in layout. Every container remembers where it came from; an accessor
// that does not find what it is asked for raises Error with that place: `config.json: hidden_size:
// expected an integer, got "x"`.
//
//   const Json config = parse_json(read_file(path, 1 << 20), path);
//   const int64_t hidden = config.integer("hidden_size");     // raises Error when absent or a text
//   const double p = config.real("hidden_dropout_prob", 0.1); // 0.1 when absent or null
//   for (const Json::Member& m : config.members()) …          // in file order
//   for (const Json& item : config.array("layers").items()) …
#pragma once
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tensor/error.h"

namespace ink {

// A key and its value, in an object. (A template, so that Json may name it while incomplete.)
template <class Value>
struct JsonMember {
  std::string key;
  Value value;
};

class Json {
 public:
  enum class Type : uint8_t { null, boolean, integer, real, string, array, object };
  using Member = JsonMember<Json>;
  using Items = std::vector<Json>;
  using Members = std::vector<Member>;

  // Which element of a container: a key of an object or a position in an array.
  class Key {
   public:
    Key(const char* name) : name_(name) {}         // NOLINT: implicit on purpose, as are the others
    Key(std::string_view name) : name_(name) {}    // NOLINT
    Key(const std::string& name) : name_(name) {}  // NOLINT
    template <std::integral I>
    Key(I index) : index_(static_cast<size_t>(index)), is_index_(true) {}  // NOLINT

   private:
    friend class Json;
    std::string_view name_;
    size_t index_ = 0;
    bool is_index_ = false;
  };

  Json() = default;                      // null
  Json(std::nullptr_t) {}                // NOLINT: values convert implicitly, here and below
  Json(bool value) : value_(value) {}    // NOLINT
  Json(double value) : value_(value) {}  // NOLINT
  Json(float value);                     // NOLINT: 0.1f is 0.1, not 0.10000000149011612
  Json(const char* value) : value_(std::string(value)) {}       // NOLINT
  Json(std::string_view value) : value_(std::string(value)) {}  // NOLINT
  Json(std::string value) : value_(std::move(value)) {}         // NOLINT
  template <std::integral I>
  Json(I value) : value_(static_cast<int64_t>(value)) {}  // NOLINT
  // For building: Json::make_array({1, 2}), Json::make_object({{"name", "x"}, {"size", 3}}).
  static Json make_array(Items items = {});
  static Json make_object(Members members = {});  // keys should differ

  Type type() const { return static_cast<Type>(value_.index()); }
  bool is_null() const { return type() == Type::null; }
  bool is_string() const { return type() == Type::string; }
  bool is_array() const { return type() == Type::array; }
  bool is_object() const { return type() == Type::object; }
  bool is_number() const { return type() == Type::integer || type() == Type::real; }

  // Elements of an array or object. Raise Error naming the place when absent or of another type.
  bool has(std::string_view key) const;          // false also when this is no object
  const Json* find(std::string_view key) const;  // null when absent
  const Json& operator[](Key key) const;
  bool boolean(Key key) const;
  int64_t integer(Key key) const;
  double real(Key key) const;  // integers too
  const std::string& string(Key key) const;
  const Json& array(Key key) const;
  const Json& object(Key key) const;
  // The same with a value for when the key is absent or null.
  bool boolean(Key key, bool otherwise) const;
  int64_t integer(Key key, int64_t otherwise) const;
  double real(Key key, double otherwise) const;
  std::string string(Key key, const std::string& otherwise) const;
  // An integer in [low, high].
  int64_t integer_between(Key key, int64_t low, int64_t high) const;
  // "config.json: hidden_size", for messages.
  std::string where(Key key) const;
  std::string where() const { return where_ ? *where_ : "json"; }

  size_t size() const;             // of an array or object
  const Items& items() const;      // of an array
  const Members& members() const;  // of an object, in order

  // This value itself, for elements reached by iteration. `place` names it in the message.
  bool as_boolean(std::string_view place = "value") const;
  int64_t as_integer(std::string_view place = "value") const;
  double as_real(std::string_view place = "value") const;
  const std::string& as_string(std::string_view place = "value") const;

  // Building. set() adds or replaces a member (an existing key keeps its position); null becomes an
  // object first. append() adds to an array; null becomes an array first.
  Json& set(std::string_view key, Json value);
  Json& append(Json value);
  bool erase(std::string_view key);  // whether it was there

  // JSON text; indent < 0 gives one line. NaN and infinity, which JSON cannot express, raise Error.
  std::string to_string(int indent = -1) const;

  bool operator==(const Json& other) const;  // values alone, not where they came from

 private:
  friend class JsonBuilder;
  bool holds(const Key& key) const;
  std::variant<std::nullptr_t, bool, int64_t, double, std::string, Items, Members> value_;
  std::shared_ptr<const std::string> where_;  // containers that were parsed
};

// What a text may hold at most; beyond it is an Error.
struct JsonLimits {
  int depth = 64;                   // nesting of arrays and objects
  size_t values = size_t{1} << 26;  // values in all; of for_each_member: in one member
  // Integers beyond int64 become reals instead of an Error: other programs write 10^30 for "none".
  bool long_integers = false;
};

// The whole text as one value. Strict: UTF-8 only, no duplicate keys, nothing after the value,
// integers within int64. Raises Error "source:line:column: …".
Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits = {});

// The same, but the elements of the containers at `paths` ("model.vocab", keys joined by dots) are
// not kept: visit(number of the path, key, value) is called for each, with an empty key in arrays,
// and the containers are empty in the result. limits.values counts what is kept, or one element.
using JsonVisit = std::function<void(size_t path, std::string key, Json value)>;
Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits,
                const std::vector<std::string>& paths, const JsonVisit& visit);

// Calls visit(key, value) for each member of the object that `text` is, in order, without holding
// more than one of them: for headers of unbounded size. Duplicate keys of the outermost object are
// left to `visit`.
void for_each_member(std::string_view text, const std::string& source, const JsonLimits& limits,
                     const std::function<void(std::string key, Json value)>& visit);

}  // namespace ink
