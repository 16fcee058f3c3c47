// JSON text to values; the only file that knows the parser underneath.
#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "tensor/json.h"
#include "tensor/json_bounded.h"

namespace ink {

// Receives the parser's events and builds values. With `visit`, elements of the containers at
// `paths` are handed over and forgotten as soon as they are complete; the outermost is at "".
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(std::string_view text, const std::string& source, const JsonLimits& limits,
              const std::vector<std::string>& paths = {}, const JsonVisit& visit = {})
      : text_(text), source_(source), limits_(limits), paths_(paths), visit_(visit) {}

  void bound(size_t memory) { most_memory_ = memory; }
  Json take() { return std::move(root_); }

  bool null() override { return add(Json()); }
  bool boolean(bool value) override { return add(Json(value)); }
  bool number_integer(number_integer_t value) override { return add(Json(int64_t{value})); }
  bool number_unsigned(number_unsigned_t value) override {
    if (value > INT64_MAX && limits_.long_integers) return add(Json(static_cast<double>(value)));
    if (value > INT64_MAX) fail("", place(), ": expected an integer below 2^63, got ", value);
    return add(Json(static_cast<int64_t>(value)));
  }
  bool number_float(number_float_t value, const string_t& digits) override {
    // An integer too long for 64 bits arrives here; it must not silently become a rounded real.
    if (!limits_.long_integers && digits.find_first_of(".eE") == std::string::npos)
      fail("", place(), ": expected an integer below 2^63, got ", digits.substr(0, 40));
    return add(Json(value));
  }
  bool string(string_t& value) override { return add(Json(std::move(value))); }
  bool binary(binary_t&) override { return false; }  // occurs in binary formats only

  bool start_object(size_t) override { return open(Json::make_object()); }
  bool start_array(size_t) override { return open(Json::make_array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    Open& top = open_.back();
    if (top.stream == kKept) take_memory(heap_bytes(name.capacity()));
    top.key = std::move(name);
    return true;
  }

  bool parse_error(size_t position, const std::string&,
                   const nlohmann::json::exception& error) override {
    const std::string_view before =
        text_.substr(0, std::min(position > 0 ? position - 1 : 0, text_.size()));
    const auto line = 1 + std::count(before.begin(), before.end(), '\n');
    const size_t start = before.rfind('\n') + 1;  // npos + 1 = 0
    // The parser's text is "[name] parse error at line L, column C: reason" or "[name] reason"; we
    // count ourselves and keep the reason.
    std::string why = error.what();
    why = why.substr(why.find("] ") + 2);
    if (why.starts_with("parse error at")) why = why.substr(why.find(": ") + 2);
    const size_t last = before.find_last_not_of(" \t\r\n");
    const char here = before.size() < text_.size() ? text_[before.size()] : ' ';
    if (last != std::string_view::npos && before[last] == ',' && (here == ']' || here == '}'))
      why = std::string("there is a comma before the closing ") + here + "; JSON has none there";
    fail("", source_, ':', line, ':', before.size() - start + 1, ": not valid JSON: ", why);
  }

 private:
  static constexpr size_t kKept = ~size_t{0};
  struct Open {
    Json value;
    std::string key;
    size_t stream = kKept;  // number of its path, where its elements are handed over
    size_t elements = 0, values_before = 0, memory_before = 0;
  };

  // What a string takes beside itself.
  static size_t heap_bytes(size_t capacity) {
    constexpr size_t kInside = 15;
    return capacity > kInside ? capacity + 1 : 0;
  }
  void take_memory(size_t bytes) {
    memory_ += bytes;
    if (memory_ > most_memory_)
      fail("", source_, ": its values would need more than ", most_memory_, " bytes for ",
           text_.size(), " bytes of text");
  }
  // Room for one more element; old and new places exist together for a while.
  template <class Container>
  void make_room(Container& all) {
    if (all.size() < all.capacity()) return;
    constexpr size_t kElement = sizeof(typename Container::value_type);
    const size_t before = all.capacity(), after = std::max<size_t>(1, 2 * before);
    take_memory(kElement * after);
    all.reserve(after);
    memory_ -= kElement * before;
  }
  // Gives back the places of a long container that were not needed.
  template <class Container>
  void trim(Container& all) {
    constexpr size_t kElement = sizeof(typename Container::value_type), kLong = 64;
    const size_t spare = all.capacity() - all.size();
    if (all.size() < kLong || spare < all.size() / 4) return;
    take_memory(kElement * all.size());
    all.shrink_to_fit();
    memory_ -= kElement * (all.size() + spare);
  }

  void check_keys(const Json& object, const Json::Members& members) {
    std::vector<uint32_t> order(members.size());
    take_memory(sizeof(uint32_t) * order.size());
    std::iota(order.begin(), order.end(), 0u);
    const auto key_of = [&](uint32_t i) -> const std::string& { return members[i].key; };
    std::ranges::sort(order, {}, key_of);
    const auto twice = std::ranges::adjacent_find(order, {}, key_of);
    if (twice != order.end())
      fail("", object.where(), ": the key ", Json(key_of(*twice)).to_string(), " appears twice");
    memory_ -= sizeof(uint32_t) * order.size();
  }

  // Where the value that comes next stands.
  std::string place() const {
    if (open_.empty()) return source_;
    const Json& top = open_.back().value;
    return top.is_object() ? top.where(open_.back().key) : top.where(open_.back().elements);
  }

  // Whether a path leads to the container about to be opened. Keys may be long and come again for
  // each of many containers: no more of them is read than the path has.
  bool leads_here(std::string_view path) const {
    for (size_t i = 0; i < open_.size(); ++i) {
      if (!open_[i].value.is_object()) return false;
      if (i > 0 && !path.starts_with('.')) return false;
      path.remove_prefix(i > 0 ? 1 : 0);
      if (!path.starts_with(open_[i].key)) return false;
      path.remove_prefix(open_[i].key.size());
    }
    return path.empty();
  }

  // The number of the path that leads here, or kKept.
  size_t stream() const {
    for (size_t k = 0; k < paths_.size(); ++k)
      if (leads_here(paths_[k])) return k;
    return kKept;
  }

  bool open(Json container) {
    check(open_.size() < static_cast<size_t>(limits_.depth), "", source_, ": nested deeper than ",
          limits_.depth, " levels");
    const size_t number = stream();
    container.where_ = std::make_shared<const std::string>(place());
    constexpr size_t kShared = 64;  // the string, two counts, what the heap keeps of them
    take_memory(kShared + heap_bytes(container.where_->capacity()));
    Open& top = open_.emplace_back();
    top.value = std::move(container);
    top.stream = number;
    top.values_before = values_;
    top.memory_before = memory_;
    return true;
  }

  bool close() {
    Json done = std::move(open_.back().value);
    open_.pop_back();
    if (auto* members = std::get_if<Json::Members>(&done.value_)) {
      trim(*members);
      check_keys(done, *members);
    } else {
      trim(std::get<Json::Items>(done.value_));
    }
    return add(std::move(done));
  }

  bool add(Json value) {
    if (open_.empty()) {
      root_ = std::move(value);
      return true;
    }
    Open& top = open_.back();
    ++top.elements;
    if (top.stream != kKept) {
      values_ = top.values_before;
      memory_ = top.memory_before;
      visit_(top.stream, std::move(top.key), std::move(value));
      return true;
    }
    if (++values_ > limits_.values) fail("", source_, ": more than ", limits_.values, " values");
    if (const auto* text = std::get_if<std::string>(&value.value_))
      take_memory(heap_bytes(text->capacity()));
    if (auto* members = std::get_if<Json::Members>(&top.value.value_)) {
      make_room(*members);
      members->push_back({std::move(top.key), std::move(value)});
    } else {
      auto& items = std::get<Json::Items>(top.value.value_);
      make_room(items);
      items.push_back(std::move(value));
    }
    return true;
  }

  std::string_view text_;
  const std::string& source_;
  JsonLimits limits_;
  const std::vector<std::string> paths_;
  const JsonVisit visit_;
  std::vector<Open> open_;
  size_t values_ = 0, memory_ = 0, most_memory_ = SIZE_MAX;
  Json root_;
};

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  return parse_json(text, source, limits, {}, {});
}

namespace {

Json parsed(std::string_view text, JsonBuilder& builder) {
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

constexpr const char* kOutermost = "";  // the path whose members are visited

void check_object(std::string_view text, const std::string& source) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first < text.size() && text[first] == '[')
    fail("", source, ": expected an object, got an array");
}

void check_members(const Json& rest, const std::string& source) {
  if (!rest.is_object())
    fail("", source, ": expected an object, got ",
         rest.is_string() ? "a string" : rest.to_string());
}

size_t bound_for(std::string_view text) { return 4 * text.size() + (size_t{8} << 20); }

}  // namespace

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits,
                const std::vector<std::string>& paths, const JsonVisit& visit) {
  JsonBuilder builder(text, source, limits, paths, visit);
  return parsed(text, builder);
}

void for_each_member(std::string_view text, const std::string& source, const JsonLimits& limits,
                     const std::function<void(std::string, Json)>& visit) {
  check_object(text, source);
  const Json rest = parse_json(
      text, source, limits, {kOutermost},
      [&](size_t, std::string key, Json value) { visit(std::move(key), std::move(value)); });
  check_members(rest, source);
}

Json parse_bounded_json(std::string_view text, const std::string& source,
                        const BoundedJsonOptions& options) {
  JsonBuilder builder(text, source, {.long_integers = options.long_integers});
  builder.bound(bound_for(text));
  return parsed(text, builder);
}

void for_each_bounded_member(std::string_view text, const std::string& source,
                             const std::function<void(std::string, Json)>& visit) {
  check_object(text, source);
  JsonBuilder builder(text, source, {}, {kOutermost}, [&](size_t, std::string key, Json value) {
    visit(std::move(key), std::move(value));
  });
  builder.bound(bound_for(text));
  const Json rest = parsed(text, builder);
  check_members(rest, source);
}

}  // namespace ink
