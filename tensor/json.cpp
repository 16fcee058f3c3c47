// Access to the values of JSON, and their text.
#include "tensor/json.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
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

}  // namespace ink
