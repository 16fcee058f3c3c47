// JSON text to values and back; the only file that knows the parser underneath.
#include "tensor/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>
#include <unordered_set>
#include <utility>

namespace ink {

// ── access ──────────────────────────────────────────────────────────────────────────────────────

namespace {

std::string describe(const Json& value) {
  switch (value.type()) {
    case Json::Type::array: return "an array of " + std::to_string(value.size());
    case Json::Type::object: return "an object";
    case Json::Type::string: {
      const std::string& text = value.as_string();
      return text.size() <= 40 ? value.to_string()
                               : "a string of " + std::to_string(text.size()) + " bytes";
    }
    default: return value.to_string();
  }
}

// Messages are made only once something is wrong: check() would make them first.
[[noreturn]] void wrong(std::string_view place, std::string_view expected, const Json& got) {
  fail("", place, ": expected ", expected, ", got ", describe(got));
}

// Long keys are cut, so that a place stays small whatever the file holds.
std::string element_place(const std::string& container, std::string_view key) {
  constexpr size_t kLongest = 120;
  if (key.size() <= kLongest) return container + ": " + std::string(key);
  return container + ": " + std::string(key.substr(0, kLongest)) + "…";
}

}  // namespace

// The double that is nearest to the shortest digits that read back as this float.
Json::Json(float value) : value_(double{value}) {
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  double shortest = value;
  if (std::isfinite(value)) std::from_chars(digits.data(), end, shortest);
  value_ = shortest;
}

Json Json::make_array(Items items) {
  Json json;
  json.value_ = std::move(items);
  return json;
}

Json Json::make_object(Members members) {
  Json json;
  json.value_ = std::move(members);
  return json;
}

std::string Json::where(Key key) const {
  return key.is_index_ ? where() + '[' + std::to_string(key.index_) + ']'
                       : element_place(where(), key.name_);
}

const Json* Json::find(std::string_view key) const {
  const auto* members = std::get_if<Members>(&value_);
  if (!members) return nullptr;
  const auto at =
      std::find_if(members->begin(), members->end(), [&](const Member& m) { return m.key == key; });
  return at == members->end() ? nullptr : &at->value;
}

bool Json::has(std::string_view key) const { return find(key) != nullptr; }

const Json& Json::operator[](Key key) const {
  if (key.is_index_) {
    const Items& all = items();
    if (key.index_ >= all.size())
      fail("", where(), ": expected at least ", key.index_ + 1, " elements, got ", all.size());
    return all[key.index_];
  }
  if (!is_object())
    wrong(where(), "an object with the key '" + std::string(key.name_) + "'", *this);
  const Json* value = find(key.name_);
  if (!value) fail("", where(key), ": this key is missing");
  return *value;
}

bool Json::holds(const Key& key) const {
  if (!key.is_index_) {
    const Json* value = find(key.name_);
    return value && !value->is_null();
  }
  return is_array() && key.index_ < size() && !(*this)[key].is_null();
}

bool Json::boolean(Key key) const {
  const Json& value = (*this)[key];
  return value.type() == Type::boolean ? value.as_boolean() : value.as_boolean(where(key));
}

int64_t Json::integer(Key key) const {
  const Json& value = (*this)[key];
  return value.type() == Type::integer ? value.as_integer() : value.as_integer(where(key));
}

double Json::real(Key key) const {
  const Json& value = (*this)[key];
  return value.is_number() ? value.as_real() : value.as_real(where(key));
}

const std::string& Json::string(Key key) const {
  const Json& value = (*this)[key];
  return value.is_string() ? value.as_string() : value.as_string(where(key));
}

const Json& Json::array(Key key) const {
  const Json& value = (*this)[key];
  if (!value.is_array()) wrong(where(key), "an array", value);
  return value;
}

const Json& Json::object(Key key) const {
  const Json& value = (*this)[key];
  if (!value.is_object()) wrong(where(key), "an object", value);
  return value;
}

bool Json::boolean(Key key, bool otherwise) const { return holds(key) ? boolean(key) : otherwise; }
int64_t Json::integer(Key key, int64_t otherwise) const {
  return holds(key) ? integer(key) : otherwise;
}
double Json::real(Key key, double otherwise) const { return holds(key) ? real(key) : otherwise; }
std::string Json::string(Key key, const std::string& otherwise) const {
  return holds(key) ? string(key) : otherwise;
}

int64_t Json::integer_between(Key key, int64_t low, int64_t high) const {
  const int64_t value = integer(key);
  if (value < low || value > high)
    fail("", where(key), ": expected an integer from ", low, " to ", high, ", got ", value);
  return value;
}

size_t Json::size() const { return is_array() ? items().size() : members().size(); }

const Json::Items& Json::items() const {
  if (!is_array()) wrong(where(), "an array", *this);
  return std::get<Items>(value_);
}

const Json::Members& Json::members() const {
  if (!is_object()) wrong(where(), "an object", *this);
  return std::get<Members>(value_);
}

bool Json::as_boolean(std::string_view place) const {
  if (type() != Type::boolean) wrong(place, "true or false", *this);
  return std::get<bool>(value_);
}

int64_t Json::as_integer(std::string_view place) const {
  if (type() != Type::integer) wrong(place, "an integer", *this);
  return std::get<int64_t>(value_);
}

double Json::as_real(std::string_view place) const {
  if (!is_number()) wrong(place, "a number", *this);
  return type() == Type::real ? std::get<double>(value_)
                              : static_cast<double>(std::get<int64_t>(value_));
}

const std::string& Json::as_string(std::string_view place) const {
  if (!is_string()) wrong(place, "a string", *this);
  return std::get<std::string>(value_);
}

// ── building ────────────────────────────────────────────────────────────────────────────────────

Json& Json::set(std::string_view key, Json value) {
  if (is_null()) value_ = Members();
  members();  // raises Error when this is something else
  auto& all = std::get<Members>(value_);
  const auto at =
      std::find_if(all.begin(), all.end(), [&](const Member& m) { return m.key == key; });
  if (at == all.end())
    all.push_back({std::string(key), std::move(value)});
  else
    at->value = std::move(value);
  return *this;
}

Json& Json::append(Json value) {
  if (is_null()) value_ = Items();
  items();
  std::get<Items>(value_).push_back(std::move(value));
  return *this;
}

bool Json::erase(std::string_view key) {
  members();
  return std::erase_if(std::get<Members>(value_), [&](const Member& m) { return m.key == key; }) >
         0;
}

bool Json::operator==(const Json& other) const {
  if (type() != other.type()) return false;
  if (is_object())
    return std::ranges::equal(members(), other.members(), [](const Member& a, const Member& b) {
      return a.key == b.key && a.value == b.value;
    });
  if (is_array()) return items() == other.items();
  if (is_null()) return true;
  if (is_string()) return as_string() == other.as_string();
  if (type() == Type::boolean) return as_boolean() == other.as_boolean();
  if (type() == Type::integer) return as_integer() == other.as_integer();
  return as_real() == other.as_real();
}

// ── writing ─────────────────────────────────────────────────────────────────────────────────────

namespace {

void write_string(std::string_view text, std::string& out) {
  out += '"';
  for (const char c : text) {
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) < 0x20) {
          constexpr std::string_view kHex = "0123456789abcdef";
          out += "\\u00";
          out += kHex[static_cast<size_t>(c) >> 4];
          out += kHex[static_cast<size_t>(c) & 15];
        } else {
          out += c;
        }
    }
  }
  out += '"';
}

// The shortest digits that read back as the same double, always recognisable as real.
void write_real(double value, std::string& out) {
  check(std::isfinite(value), "json: expected a finite number to write, got ", value);
  std::array<char, 32> digits;
  const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  const std::string_view text(digits.data(), static_cast<size_t>(end - digits.data()));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

void write(const Json& value, int indent, int level, std::string& out);

// "[" or "{", the elements one a line, "]" or "}".
template <class Container, class WriteElement>
void write_container(char open, char close, const Container& all, int indent, int level,
                     std::string& out, const WriteElement& write_element) {
  const auto new_line = [&](int depth) {
    if (indent >= 0)
      out.append(1, '\n').append(static_cast<size_t>(indent) * static_cast<size_t>(depth), ' ');
  };
  out += open;
  bool first = true;
  for (const auto& element : all) {
    if (!std::exchange(first, false)) out += indent < 0 ? ", " : ",";
    new_line(level + 1);
    write_element(element);
  }
  if (!first) new_line(level);
  out += close;
}

void write(const Json& value, int indent, int level, std::string& out) {
  switch (value.type()) {
    case Json::Type::null: out += "null"; break;
    case Json::Type::boolean: out += value.as_boolean() ? "true" : "false"; break;
    case Json::Type::integer: out += std::to_string(value.as_integer()); break;
    case Json::Type::real: write_real(value.as_real(), out); break;
    case Json::Type::string: write_string(value.as_string(), out); break;
    case Json::Type::array:
      write_container('[', ']', value.items(), indent, level, out,
                      [&](const Json& item) { write(item, indent, level + 1, out); });
      break;
    case Json::Type::object:
      write_container('{', '}', value.members(), indent, level, out, [&](const Json::Member& m) {
        write_string(m.key, out);
        out += ": ";
        write(m.value, indent, level + 1, out);
      });
      break;
  }
}

}  // namespace

std::string Json::to_string(int indent) const {
  std::string out;
  write(*this, indent, 0, out);
  return out;
}

// ── parsing ─────────────────────────────────────────────────────────────────────────────────────

// Receives the parser's events and builds values. With `visit`, elements of the containers at
// `paths` are handed over and forgotten as soon as they are complete; the outermost is at "".
class JsonBuilder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  JsonBuilder(std::string_view text, const std::string& source, const JsonLimits& limits,
              const std::vector<std::string>& paths = {}, const JsonVisit& visit = {})
      : text_(text), source_(source), limits_(limits), paths_(paths), visit_(visit) {}

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
    if (top.stream == kKept && !top.keys.insert(name).second)
      fail("", top.value.where(), ": the key ", Json(name).to_string(), " appears twice");
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
    std::unordered_set<std::string> keys;
    size_t stream = kKept;  // number of its path, where its elements are handed over
    size_t elements = 0, values_before = 0;
  };

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
    Open& top = open_.emplace_back();
    top.value = std::move(container);
    top.stream = number;
    top.values_before = values_;
    return true;
  }

  bool close() {
    Json done = std::move(open_.back().value);
    open_.pop_back();
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
      visit_(top.stream, std::move(top.key), std::move(value));
      return true;
    }
    if (++values_ > limits_.values) fail("", source_, ": more than ", limits_.values, " values");
    if (auto* members = std::get_if<Json::Members>(&top.value.value_))
      members->push_back({std::move(top.key), std::move(value)});
    else
      std::get<Json::Items>(top.value.value_).push_back(std::move(value));
    return true;
  }

  std::string_view text_;
  const std::string& source_;
  JsonLimits limits_;
  const std::vector<std::string> paths_;
  const JsonVisit visit_;
  std::vector<Open> open_;
  size_t values_ = 0;
  Json root_;
};

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  return parse_json(text, source, limits, {}, {});
}

Json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits,
                const std::vector<std::string>& paths, const JsonVisit& visit) {
  JsonBuilder builder(text, source, limits, paths, visit);
  nlohmann::json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

void for_each_member(std::string_view text, const std::string& source, const JsonLimits& limits,
                     const std::function<void(std::string, Json)>& visit) {
  const size_t first = text.find_first_not_of(" \t\r\n");
  if (first < text.size() && text[first] == '[')
    fail("", source, ": expected an object, got an array");
  const Json rest = parse_json(
      text, source, limits, {""},
      [&](size_t, std::string key, Json value) { visit(std::move(key), std::move(value)); });
  if (!rest.is_object()) wrong(source, "an object", rest);
}

}  // namespace ink
